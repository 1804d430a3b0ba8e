"""How commands plan."""

from balancer.adapters.solver import SolverProcesses
from balancer.hindsight import need_behind
from balancer.model.units import Seconds
from balancer.plan import PlanSettings

__all__ = ["need_behind", "settings_of"]


def settings_of(seed: int, time_limit_s: Seconds, *, certify: bool = False) -> PlanSettings:
    """Return the settings of a command that plans: the solver runs in processes of its own."""
    return PlanSettings(
        seed=seed, time_limit_s=time_limit_s, certify=certify, open_solver=SolverProcesses
    )
