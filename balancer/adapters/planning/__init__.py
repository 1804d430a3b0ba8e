"""Planning in processes of our own, so that a planner that crashes, hangs or eats memory is an event only."""

from balancer.adapters.planning.processes import Caps, PlanningProcesses

__all__ = ["Caps", "PlanningProcesses"]
