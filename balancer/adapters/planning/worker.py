"""The process that plans: says when it is ready, then answers one question after another, standard input to output.

Owns nothing but its manners, which are those of the solver's helper: it belongs to its parent, ends with it,
and holds no state from one plan to the next. Run by `adapters.planning.child` as
`python -m balancer.adapters.planning.worker MEMORY_MIB`.
"""

import faulthandler
import pickle
import signal
import sys
import traceback
from dataclasses import replace
from functools import partial

from balancer.adapters.planning.letters import READY, Answer, Ending, Question, packed
from balancer.adapters.solver import SolverProcesses
from balancer.adapters.solver.worker import GRACE_S, settle_in
from balancer.model.errors import PlanInvalid
from balancer.planner import plan_snapshot

_MIB = 2**20


def main() -> None:
    """Answer questions until the input ends. Where the parent is gone and planning hangs, the kernel ends it."""
    answers = settle_in(int(sys.argv[1]) * _MIB)
    faulthandler.enable()
    answers.write(READY)
    answers.flush()
    while question := _next():
        signal.setitimer(signal.ITIMER_REAL, question.patience_s + GRACE_S)
        answer = answered(question)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        answers.write(packed(answer))
        answers.flush()


def _next() -> Question | None:
    try:
        question: Question = pickle.load(sys.stdin.buffer)
    except EOFError:
        return None
    return question


def answered(question: Question) -> Answer:
    """Plan. The solver's own processes belong to this process's group and end with it."""
    solver = partial(SolverProcesses, has_own_group=False)
    try:
        plan = plan_snapshot(
            question.snapshot,
            question.policy,
            settings=replace(question.settings, open_solver=solver),
            past=question.past,
            in_force=question.in_force,
            unfit=question.unfit,
        )
    except PlanInvalid as error:
        return Answer(ending=Ending.UNSOUND, detail=str(error))
    except MemoryError:
        return Answer(ending=Ending.OUT_OF_MEMORY)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        return Answer(ending=Ending.BUG, detail=told, traceback=traceback.format_exc())
    return Answer(ending=Ending.PLANNED, plan=plan)


if __name__ == "__main__":
    main()
