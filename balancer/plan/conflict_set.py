"""Why a stuck task cannot be done: the smallest set of laws that contradict each other, or that there is none.

Asks about the VMs close to the task first, then about the whole cluster where that is small enough, then
with all other VMs left where they are. Tells apart what no placement can mend and what only no way was
found to. Deterministic as long as the time limit is not hit.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from balancer.plan.codes import Ints
from balancer.plan.conflict_cost import cost
from balancer.plan.conflict_member import Member
from balancer.plan.conflict_model import MOST_PAIRS, Model
from balancer.plan.conflict_question import Facts, Question, ask, close_to
from balancer.plan.conflict_search import placing
from balancer.plan.tasks import Task

MOST_SOLVES = 150
"""Solves per question; a set of 40 members takes about 50."""

MOST_MODELS = 3
"""Solver models of a draft. Many stuck VMs mostly have one cause, and the first few have told it."""

MOST_CHANGES = 3
"""How many members are lifted at most to mend a conflict; beyond that it is left at the first."""


class Finding(Enum):
    """What is known about a stuck task."""

    CONTRADICTION = "contradiction"  # no placement of any VMs obeys the set
    AS_THEY_STAND = (
        "as they stand"  # none does unless other VMs move; whether that helps is not known
    )
    POSSIBLE = "possible"  # a placement exists, but no way to it was found
    UNKNOWN = "unknown"  # not determined


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """The members to lift, and where the VMs of a question would be then, (V,); None where not confirmed.

    `is_only` says that lifting any one member of the set would do, hence that no other set exists.
    """

    lift: tuple[Member, ...] = ()
    question: Question | None = None
    at: Ints | None = None
    is_only: bool = False


NO_REMEDY = Remedy()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictSet:
    """The members in the order for reading; `is_smallest` says that each was shown to be needed."""

    finding: Finding
    question: Question | None = None
    members: tuple[Member, ...] = ()
    is_smallest: bool = False
    remedy: Remedy = NO_REMEDY


@dataclass(slots=True, kw_only=True)
class Patience:
    """What all explanations of one draft may cost: models, and an end in time (of `time.perf_counter`)."""

    seed: int
    deadline: float
    models: int = MOST_MODELS

    @property
    def is_over(self) -> bool:
        """Whether time is up."""
        return time.perf_counter() > self.deadline


class Oracle:
    """Says of any members of one question whether they can hold together; remembers nothing but the model."""

    def __init__(self, question: Question, patience: Patience) -> None:
        self.question, self._patience = question, patience
        self._model: Model | None = None
        self.solves = 0
        self.last_core: tuple[Member, ...] | None = None

    def placing(self, active: Sequence[Member]) -> Ints | bool | None:
        """Return a placement (V,) under the active members, False where there is none, None if unknown."""
        self.last_core = None
        found = placing(self.question, active)
        if found is not None:
            return found
        model = self._whole_model()
        if model is None or self.solves >= MOST_SOLVES or self._patience.is_over:
            return None
        self.solves += 1
        verdict = model.solve(active)
        self.last_core = verdict.core
        return False if verdict.core is not None else verdict.at

    def confirms(self, members: Sequence[Member]) -> bool:
        """Whether a model made anew, if one was needed at all, finds the members contradictory again."""
        if self._model is None:
            return True
        patience = self._patience
        again = Patience(seed=patience.seed + 1, deadline=patience.deadline, models=1)
        return Oracle(self.question, again).placing(members) is False

    def _whole_model(self) -> Model | None:
        pairs = len(self.question.vms) * len(self.question.room)
        if self._model is None and pairs <= MOST_PAIRS and self._patience.models > 0:
            self._patience.models -= 1
            self._model = Model(
                self.question, seed=self._patience.seed, deadline=self._patience.deadline
            )
        return self._model


def find_set(facts: Facts, task: Task, patience: Patience) -> ConflictSet:
    """Return what is known about a stuck task, with the smallest contradiction where there is one."""
    vms = close_to(facts, task)
    close = Oracle(ask(facts, task, vms), patience)
    wide = Oracle(ask(facts, task, np.arange(len(facts.size))), patience)
    if close.placing(close.question.members) is False:
        return _explain(close, wide, Finding.CONTRADICTION)
    found = wide.placing(wide.question.members)
    if found is False:
        return _explain(wide, wide, Finding.CONTRADICTION)
    if found is not None:
        return ConflictSet(finding=Finding.POSSIBLE)
    still = Oracle(ask(facts, task, vms, others_stay=True), patience)
    if still.placing(still.question.members) is False:
        return _explain(still, still, Finding.AS_THEY_STAND)
    return ConflictSet(finding=Finding.UNKNOWN)


def _explain(oracle: Oracle, judge: Oracle, finding: Finding) -> ConflictSet:
    """Return the smallest set of a contradictory question.

    `judge` asks about more VMs where there are more: by it every member must be needed, and what mends
    the conflict must leave a placement. Where it cannot tell, what `oracle` says is taken.
    """
    members, is_smallest = smallest(oracle, oracle.question.members)
    if judge is not oracle:
        members, is_smallest = smallest(judge, members)
    if not (oracle.confirms(members) and judge.confirms(members)):
        return ConflictSet(finding=Finding.UNKNOWN)
    remedy = _remedy(judge, members)
    if remedy.at is None and judge is not oracle:
        remedy = _remedy(oracle, members)
    return ConflictSet(
        finding=finding,
        question=oracle.question,
        members=tuple(sorted(members)),
        is_smallest=is_smallest,
        remedy=remedy if remedy.lift else Remedy(lift=_cheapest_first(oracle, members)[:1]),
    )


def smallest(oracle: Oracle, members: Sequence[Member]) -> tuple[tuple[Member, ...], bool]:
    """Leave out members, in blocks first, while the rest is contradictory; whether each one left is needed.

    `members` must be contradictory and in the order in which they are to be left out.
    """
    kept = list(_from_core(oracle, members))
    block = len(kept) // 2
    while block > 1:
        kept, _ = _drop(oracle, kept, block)
        block = min(block, len(kept)) // 2
    kept, is_smallest = _drop(oracle, kept, 1)
    return tuple(kept), is_smallest


def _from_core(oracle: Oracle, members: Sequence[Member]) -> Sequence[Member]:
    """Return the solver's core where it is confirmed, else all members."""
    core = oracle.last_core
    return core if core is not None and oracle.placing(core) is False else members


def _drop(oracle: Oracle, kept: list[Member], block: int) -> tuple[list[Member], bool]:
    """Try to leave out each block; the second value says that none was kept for lack of an answer."""
    is_sure, place = True, 0
    while place < len(kept):
        rest = kept[:place] + kept[place + block :]
        answer = oracle.placing(rest)
        if answer is False:
            kept = rest
            continue
        is_sure = is_sure and answer is not None
        place += block
    return kept, is_sure


def _remedy(oracle: Oracle, members: Sequence[Member]) -> Remedy:
    """Return the cheapest members whose lifting leaves a placement, and that placement.

    Where lifting one of the set is never enough there is another set; then the cheapest of each in turn.
    """
    whole, best, is_only = oracle.question.members, Remedy(), True
    for member in _cheapest_first(oracle, members):
        found = oracle.placing([other for other in whole if other != member])
        is_only = is_only and found is not False
        if isinstance(found, np.ndarray) and best.at is None:
            best = Remedy(lift=(member,), question=oracle.question, at=found)
    best = best if best.at is not None else _several(oracle, members)
    return replace(best, is_only=is_only)


def _several(oracle: Oracle, members: Sequence[Member]) -> Remedy:
    whole, lifted = oracle.question.members, list[Member]()
    for _ in range(MOST_CHANGES):
        lifted.append(_cheapest_first(oracle, members)[0])
        rest = [member for member in whole if member not in lifted]
        found = oracle.placing(rest)
        if isinstance(found, np.ndarray):
            return Remedy(lift=tuple(lifted), question=oracle.question, at=found)
        if found is None:
            break
        members, _ = smallest(oracle, rest)
    return Remedy()


def _cheapest_first(oracle: Oracle, members: Sequence[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda member: cost(oracle.question, member)))
