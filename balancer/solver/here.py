"""CP-SAT in this very process: what the helper process runs, and a runner that contains nothing.

For tests, for users of the library, and wherever no process may be started. A solver that crashes here
takes the program with it; `adapters.solver` is what the commands use.
"""

from collections.abc import Sequence

from balancer.model.plan import IncidentKind
from balancer.solver.runner import Failure, Reply, Task


class InProcess:
    """Runner without a process of its own."""

    def prepare(self) -> None:
        """Do nothing: what is loaded here is not loaded beside."""

    def run_all(self, tasks: Sequence[Task]) -> list[Reply | Failure]:
        """Solve the tasks one after the other."""
        return [run(task) for task in tasks]

    def close(self) -> None:
        """Hold nothing."""


def load() -> None:
    """Load the solver, so that the first task need not wait for it."""
    from ortools.sat.python import cp_model_helper  # noqa: F401, PLC0415


def run(task: Task) -> Reply | Failure:
    """Solve one task.

    Talks to the compiled part of the solver alone: its Python layer loads pandas, which takes five times
    as long and twice the memory (0.85 s and 86 MiB against 0.13 s and 32 MiB, ortools 9.15).
    """
    from ortools.sat.python import cp_model_helper as cpsat  # noqa: PLC0415

    model, parameters = cpsat.CpModelProto(), cpsat.SatParameters()
    is_read = model.parse_text_format(task.model) and parameters.parse_text_format(task.parameters)
    if not is_read:
        return Failure(kind=IncidentKind.MODEL_REFUSED, detail="it could not read the model")
    wrapper = cpsat.SolveWrapper()
    wrapper.set_parameters(parameters)
    response = wrapper.solve(model)  # type: ignore[no-untyped-call]
    return Reply(
        status=response.status.name,
        values=tuple(response.solution),
        bound=response.best_objective_bound,
        core=tuple(response.sufficient_assumptions_for_infeasibility),
    )
