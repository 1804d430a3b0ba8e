"""CP-SAT in helper processes of our own, so that what it does to itself it does not do to us."""

from balancer.adapters.solver.processes import SolverProcesses

__all__ = ["SolverProcesses"]
