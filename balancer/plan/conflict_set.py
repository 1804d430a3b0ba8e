"""Why a stuck task cannot be done: the smallest set of laws that contradict each other, or that there is none.

Asks about the VMs close to the task first, then about the whole cluster where that is small enough, then
with all other VMs left where they are. Tells apart what no placement can mend and what only no way was
found to. Deterministic as long as the time limit is not hit.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from balancer.model.rule import RuleType
from balancer.model.units import Seconds
from balancer.plan.codes import Ints
from balancer.plan.conflict_cost import cost, gives_up
from balancer.plan.conflict_member import Kind, Member
from balancer.plan.conflict_model import MOST_PAIRS, QuestionModel
from balancer.plan.conflict_question import Facts, Question, ask, ask_all, close_to, near
from balancer.plan.conflict_search import MOST_STEPS, is_refuted, obeys, placing
from balancer.plan.tasks import Task
from balancer.solver import Solver

MOST_SOLVES = 150
"""Solves per question; a set of 40 members takes about 50."""

MOST_MODELS = 3
"""Solver models of a draft. Many stuck VMs mostly have one cause, and the first few have told it."""

MOST_S: Seconds = 4.0
"""Time for all explanations of one draft; what is left then is asked about its own VMs only. See
`docs/understand/conflicts.md` for what they take."""

LEAST_S: Seconds = 1.0
"""Time that they get even where the planning has used up its own: a plan that cannot say why is worth little."""

MOST_NEAR = 300
"""VMs up to which the hosts that the stuck VMs may go to are asked about before the whole cluster is."""

MOST_ONE_BY_ONE = 8
"""Fewer members than this are not tried to be left out in blocks."""

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
    """Whom all explanations of one draft may ask, and what they may cost: models, and an end in time.

    `deadline` is one of `time.perf_counter`.
    """

    solver: Solver
    seed: int
    deadline: float
    models: int = MOST_MODELS

    @classmethod
    def until(cls, deadline: float, *, solver: Solver, seed: int) -> "Patience":
        """Return what is left until a deadline, and `LEAST_S` in any case; never more than `MOST_S`."""
        now = time.perf_counter()
        end = min(max(deadline, now + LEAST_S), now + MOST_S)
        return cls(solver=solver, seed=seed, deadline=end)

    @property
    def is_over(self) -> bool:
        """Whether time is up."""
        return time.perf_counter() > self.deadline

    def model_of(self, question: Question) -> QuestionModel:
        """Return the model of a question, to be solved within what is left."""
        return QuestionModel(question, self.solver, seed=self.seed, deadline=self.deadline)


class Oracle:
    """Says of any members of one question whether they can hold together, and remembers what it said."""

    def __init__(
        self, question: Question, patience: Patience, inner: "Oracle | None" = None
    ) -> None:
        self.question, self._patience, self._inner = question, patience, inner
        self._model: QuestionModel | None = None
        self._said: dict[frozenset[Member], Ints | bool | None] = {}
        self._solves = 0
        self._core: tuple[Member, ...] | None = None

    def placing(self, active: Sequence[Member]) -> Ints | bool | None:
        """Return a placement (V,) under the active members, False where there is none, None if unknown."""
        key = frozenset(active)
        if key not in self._said:
            self._said[key] = self._answer(active)
        return self._said[key]

    def core(self, members: Sequence[Member]) -> Sequence[Member] | None:
        """Return the contradictory part of the members that the solver named last, if it is confirmed."""
        core = self._core
        return core if core and set(core) <= set(members) and self.placing(core) is False else None

    def _answer(self, active: Sequence[Member]) -> Ints | bool | None:
        found = self._from_inner(active)
        if found is None:
            # Where the search gave up once it would mostly do so again: then the model is asked at once.
            steps = MOST_STEPS if self._model is None else 0
            found = placing(self.question, active, most_steps=steps)
        model = self._whole_model() if found is None else None
        if model is None or self._solves >= MOST_SOLVES or self._patience.is_over:
            return found
        self._solves += 1
        verdict = model.solve(active)
        self._core = verdict.core or self._core
        return False if verdict.core is not None else verdict.at

    def _from_inner(self, active: Sequence[Member]) -> Ints | bool | None:
        """Return the answer of a question about fewer VMs, where it is one for all: all others as drafted."""
        if self._inner is None:
            return None
        question = self._inner.question
        known = set(question.members)
        found = self._inner.placing([member for member in active if member in known])
        if not isinstance(found, np.ndarray):
            return found
        at = self.question.draft.copy()
        at[np.searchsorted(self.question.vms, question.vms)] = found
        return at if obeys(self.question, active, at) else None

    def confirms(self, members: Sequence[Member]) -> bool:
        """Whether a model made anew, if one was needed at all, finds the members contradictory again."""
        if self._model is None:
            return True
        patience = self._patience
        again = replace(patience, seed=patience.seed + 1, models=1)
        return Oracle(self.question, again).placing(members) is False

    def _whole_model(self) -> QuestionModel | None:
        pairs = len(self.question.vms) * len(self.question.room)
        if self._model is None and pairs <= MOST_PAIRS and self._patience.models > 0:
            self._patience.models -= 1
            self._model = self._patience.model_of(self.question)
        return self._model


def find_set(facts: Facts, task: Task, patience: Patience) -> ConflictSet:
    """Return what is known about a stuck task, with the smallest contradiction where there is one.

    Each question but the last is about more VMs than the one before. The first leave out what those
    outside hold, so that a "no" is one for any placement; where the whole cluster gives no answer, the
    last question leaves all others where they are.
    """
    found: Ints | bool | None = None
    for oracle in _growing(facts, task, patience):
        found = oracle.placing(oracle.question.members)
        if found is False:
            judge = _over_all(facts, task, patience, oracle)
            return _explain(oracle, judge, Finding.CONTRADICTION)
    if isinstance(found, np.ndarray) and len(oracle.question.vms) == len(facts.size):
        way = Remedy(question=oracle.question, at=found)
        return ConflictSet(finding=Finding.POSSIBLE, remedy=way)
    still = Oracle(ask(facts, task, close_to(facts, task), others_stay=True), patience)
    if still.placing(still.question.members) is False:
        return _explain(still, still, Finding.AS_THEY_STAND)
    return ConflictSet(finding=Finding.UNKNOWN)


def is_hopeless(facts: Facts, task: Task) -> bool:
    """Whether it is plain, without a solver, that no placement of any VMs does a task."""
    question = ask(facts, task, close_to(facts, task))
    if placing(question, question.members) is False:
        return True
    is_small = len(facts.size) * len(facts.room) <= MOST_PAIRS
    return is_small and is_refuted(ask_all(facts, task))


def carries_over(facts: Facts, earlier: Task, found: ConflictSet, task: Task) -> bool:
    """Whether what was found for an earlier task holds for this one without being asked again.

    Two members of one kept-apart group ask the same question. And where hosts and rooms alone stand
    against a VM's leaving a host, they stand against a larger one as well: if that one found a place,
    the smaller one could have it.
    """
    if task.rule is not None:
        is_alike = task.rule is earlier.rule and task.note.cause == earlier.note.cause
        return is_alike and task.rule is RuleType.ANTI_AFFINITY
    if earlier.rule is not None or not found.members or len(task.movers) != len(earlier.movers):
        return False
    (old, *more), (new, *_rest) = earlier.movers, task.movers
    if more or facts.tied[new] or facts.end[old] != facts.end[new]:
        return False
    own = [m for m in found.members if m.kind in (Kind.TIE, Kind.REACH) and m.at == old]
    has_rules = any(member.kind is Kind.RULE for member in found.members)
    return not own and not has_rules and bool((facts.size[new] >= facts.size[old]).all())


def _growing(facts: Facts, task: Task, patience: Patience) -> Iterator[Oracle]:
    """Yield oracles over more and more VMs, none twice; over all of them last, unless time is up."""
    oracle = Oracle(ask(facts, task, close_to(facts, task)), patience)
    yield oracle
    around = near(facts, task)
    if len(oracle.question.vms) < len(around) <= MOST_NEAR:
        oracle = Oracle(ask(facts, task, around), patience, oracle)
        yield oracle
    whole = _over_all(facts, task, patience, oracle)
    if whole is not oracle:
        yield whole


def _over_all(facts: Facts, task: Task, patience: Patience, inner: Oracle) -> Oracle:
    """Return the oracle over all VMs; the one at hand where it asks about all, or where time is up."""
    if len(inner.question.vms) == len(facts.size) or patience.is_over:
        return inner
    return Oracle(ask_all(facts, task), patience, inner)


def _explain(oracle: Oracle, judge: Oracle, finding: Finding) -> ConflictSet:
    """Return the smallest set of a contradictory question.

    `judge` asks about more VMs where there are more: by it every member must be needed, and what mends
    the conflict must leave a placement. Where it cannot tell, what `oracle` says is taken.
    """
    members, is_smallest = smallest(oracle, oracle.question.members)
    if judge is not oracle:
        kept, is_smallest = _drop(judge, list(members), 1)
        members = tuple(kept)
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
    """Leave out members while the rest is contradictory; whether each one left is needed.

    `members` must be contradictory and in the order in which they are to be left out. In blocks first,
    as most of them mostly have no part in it; where the solver named a part, one by one.
    """
    core = oracle.core(members)
    kept = list(members if core is None else core)
    block = 1 if core is not None or len(kept) < MOST_ONE_BY_ONE else len(kept) // 2
    while block > 1:
        kept, _ = _drop(oracle, kept, block)
        block = min(block, len(kept)) // 2
    kept, is_smallest = _drop(oracle, kept, 1)
    return tuple(kept), is_smallest


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
    To give up the aim itself is the last resort.
    """
    best, last, is_only = Remedy(), Remedy(), True
    for member in _cheapest_first(oracle, members):
        found = _without(oracle, members, member)
        is_only = is_only and found is not False
        if not isinstance(found, np.ndarray) or best.at is not None:
            continue
        remedy = Remedy(lift=(member,), question=oracle.question, at=found)
        if gives_up(oracle.question, member):
            last = remedy
        else:
            best = remedy
    if best.at is None:
        best = _several(oracle, members)
    return replace(best if best.at is not None else last, is_only=is_only)


def _without(oracle: Oracle, members: Sequence[Member], lifted: Member) -> Ints | bool | None:
    """Ask about all members but one. What showed that the set needs it may do for all others as well."""
    rest = [other for other in oracle.question.members if other != lifted]
    found = oracle.placing([other for other in members if other != lifted])
    if isinstance(found, np.ndarray) and obeys(oracle.question, rest, found):
        return found
    return oracle.placing(rest)


def _several(oracle: Oracle, members: Sequence[Member]) -> Remedy:
    whole, lifted = oracle.question.members, list[Member]()
    for _ in range(MOST_CHANGES):
        kept = [m for m in _cheapest_first(oracle, members) if not gives_up(oracle.question, m)]
        if not kept:
            break
        lifted.append(kept[0])
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
