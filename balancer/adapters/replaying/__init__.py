"""Long work side by side in processes of our own: one that crashes costs its own piece of work and no other."""

from balancer.adapters.replaying.pool import Lost, side_by_side, usable_cores

__all__ = ["Lost", "side_by_side", "usable_cores"]
