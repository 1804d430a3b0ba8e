"""The planner from end to end: a need becomes a draft of moves, best first.

Owns the order of the goals: must-rules and evacuations, then contention, then balance; and the rounds
by which planning again on the result plans nothing. Degrades instead of raising: what cannot be met is
a conflict with a name. Pure: no input or output, the clock is read for the time limit alone.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np

from balancer.model.fingerprint import fingerprint
from balancer.model.goal import Goal
from balancer.model.need import Need
from balancer.model.plan import Draft, MoveReason
from balancer.model.stopwatch import Stopwatch
from balancer.model.units import Seconds
from balancer.plan.amends import mend_should_rules
from balancer.plan.benefit import Levelling
from balancer.plan.codes import Bools
from balancer.plan.conflict_set import Patience
from balancer.plan.consolidate import consolidate, in_use, is_half_emptied, without_consolidation
from balancer.plan.desk import Desk
from balancer.plan.draft import write_draft
from balancer.plan.exhaustive import look_at_all
from balancer.plan.failover import keep_survivable, only_mandatory
from balancer.plan.load import ANY_IMBALANCE, even_out, level_hosts, relieve_hosts
from balancer.plan.loadcost import load_cost
from balancer.plan.mandatory import fulfil
from balancer.plan.polish import Budget, polish
from balancer.plan.problem import compile_problem
from balancer.plan.prune import prune
from balancer.plan.refine import Trials
from balancer.plan.repair import repair
from balancer.plan.tasks import Task
from balancer.policy.types import Policy
from balancer.solver import InProcess, Runner, Solver

RELIEF_SHARE = 0.25
"""Share of the rounds of refinement that relief may take where no levelling, which refines it too, follows."""

LARGE_CLUSTER = 32
EFFORT_IF_LARGE = 0.5
"""With more hosts than this only so much of windows and rounds is spent. Four hosts are a small part then: at
96 hosts the other windows took a third of the time for 0.1 % of the price, and the other rounds 0.5 s for 2 %."""

MOST_ROUNDS = 8
"""Rounds until the plan of its own result is empty; two are the rule, more were never seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """How to search. The same settings give the same draft as long as the time limit is not hit.

    `polish_windows` is how many windows of four hosts are solved exactly to save moves, and `refine_rounds`
    how often moves are taken back and made anew before that; in large clusters half of it, 0 for none.
    `certify` asks for a proof that no order of the moves is over sooner, or for a sooner one.
    `open_solver` says where the solver runs: a tool, not a value, and no part of what settings are equal by.
    So are `search`, which finds the moves: `make_draft`, or what the lab compares with it; and `identify`, which
    gives a plan its id from all that it was made from: the same facts, the same id.
    """

    seed: int = 0
    time_limit_s: Seconds = 10.0
    polish_windows: int = 4
    refine_rounds: int = 1500
    certify: bool = False
    open_solver: Callable[[], Runner] = field(default=InProcess, compare=False, repr=False)
    search: "Search" = field(default_factory=lambda: make_draft, compare=False, repr=False)
    identify: Callable[..., str] = field(
        default_factory=lambda: fingerprint, compare=False, repr=False
    )

    @property
    def prover(self) -> Callable[[], Runner] | None:
        """Return what opens the solver to prove a schedule with; None where no proof is asked for."""
        return self.open_solver if self.certify else None


Search = Callable[[Need, Policy, PlanSettings], Draft]


def make_draft(need: Need, policy: Policy, settings: PlanSettings) -> Draft:
    """Plan moves for a need. Never raises for a cluster that cannot be mended: see `Draft.conflicts`."""
    if not need.demand or not need.snapshot.hosts:
        return Draft(moves=())
    with closing(settings.open_solver()) as runner:
        run = _Run(need, policy, settings, Solver(runner))
        draft = _draft(run)
        if draft is None and policy.goals.consolidation:
            draft = _draft(_Run(without_consolidation(need), policy, settings, run.solver))
        if draft is None:
            draft = _draft(_Run(only_mandatory(need), policy, settings, run.solver))
        draft = draft or Draft(moves=())
        return replace(draft, incidents=run.solver.incidents)


def _draft(run: "_Run") -> Draft | None:
    """Return the draft of a run; None where less must be asked for, so that HA keeps its room.

    Or so that no host is emptied in part.
    """
    stuck: list[Task] = []
    for number in range(MOST_ROUNDS):
        stuck = run.mandatory()
        run.load(is_first=number == 0)
        if (run.desk.ledger.at == run.desk.base).all() or time.perf_counter() > run.deadline:
            break
        run.desk.new_round()
    if not keep_survivable(run.desk, run.desk.problem.at) or is_half_emptied(run.desk):
        return None
    patience = Patience.until(run.deadline, solver=run.solver, seed=run.settings.seed)
    return write_draft(run.desk, stuck, patience, run.watch)


class _Run:
    """One draft in the making: the desk, what may be spent, and which aims are called for."""

    def __init__(self, need: Need, policy: Policy, settings: PlanSettings, solver: Solver) -> None:
        self.watch, self.settings, self.solver = Stopwatch(), settings, solver
        self.deadline = time.perf_counter() + settings.time_limit_s
        self.desk = desk = Desk(compile_problem(need, policy))
        cost, limits, goals = load_cost(desk.ledger), policy.thresholds, policy.goals
        is_over = bool(cost.is_over(desk.ledger).any())
        with desk.among(self._levelled()):
            is_uneven = load_cost(desk.ledger).imbalance(desk.ledger) > limits.balance_trigger
        self.watch.lap("compile")
        # An aim that the figures call for and the assessment does not is vetoed for all rounds.
        self.may_relieve = goals.contention and (need.wants_relief or not is_over)
        self.may_level = goals.balance and (need.wants_balance or not is_uneven)

    def mandatory(self) -> list[Task]:
        """Evacuate and mend must-rules; return what is stuck."""
        stuck = fulfil(self.desk)
        self.watch.lap("mandatory")
        if stuck:
            seed, deadline = self.settings.seed, self.deadline
            stuck = repair(self.desk, stuck, self.solver, seed=seed, deadline=deadline)
            self.watch.lap("repair")
        return stuck

    def load(self, *, is_first: bool) -> None:
        """Run the stages that are not mandatory. A later round plans as a new plan of the result would."""
        desk, policy = self.desk, self.desk.problem.policy
        if policy.goals.rules:
            with desk.working_for(Goal.RULES):
                mend_should_rules(desk)
            self.watch.lap("should_rules")
        if self.may_relieve:
            self._relieve(is_first=is_first)
        if policy.goals.consolidation:
            with desk.working_for(Goal.CONSOLIDATION):
                consolidate(desk, self.deadline)
            self.watch.lap("consolidation")
        with desk.among(self._levelled()):
            self._level_all(is_first=is_first)
        keep_survivable(desk, desk.base)
        self.watch.lap("failover")

    def _levelled(self) -> Bools:
        """Return the hosts that moves for load's sake may use, (H,): all, or those that run VMs already."""
        problem = self.desk.problem
        if problem.policy.goals.consolidation:
            return in_use(self.desk)
        return np.ones(len(problem.hosts), dtype=bool)

    def _relieve(self, *, is_first: bool) -> None:
        """Relieve contended hosts; where hosts are emptied, first without those that run no VM."""
        desk = self.desk
        is_all = not (self.may_level and is_first and desk.problem.need.wants_balance)
        trials = self._trials(RELIEF_SHARE if is_all else 0.0)
        every = np.ones(len(desk.problem.hosts), dtype=bool)
        for hosts in (
            (self._levelled(), every) if desk.problem.policy.goals.consolidation else (every,)
        ):
            with desk.among(hosts), desk.working_for(Goal.CONTENTION):
                if load_cost(desk.ledger).is_over(desk.ledger).any():
                    relieve_hosts(desk, trials)
                    look_at_all(desk, ANY_IMBALANCE, MoveReason.CONTENTION)
                    self.watch.lap("contention")

    def _level_all(self, *, is_first: bool) -> None:
        """Level loads and numbers of VMs, and take back what is not needed."""
        desk, policy = self.desk, self.desk.problem.policy
        spread = load_cost(desk.ledger).imbalance(desk.ledger)
        wanted = is_first and desk.problem.need.wants_balance
        if self.may_level and (wanted or spread > policy.thresholds.balance_trigger):
            with desk.working_for(Goal.BALANCE):
                levelling = Levelling(desk)
                self._level(policy.thresholds.balance_target)
                levelling.undo_if_too_little()
        if policy.goals.vm_count:
            with desk.working_for(Goal.VM_COUNT):
                even_out(desk)
            self.watch.lap("vm_count")
        prune(desk, policy.thresholds.balance_target)
        self.watch.lap("prune")

    def _effort(self, most: int) -> int:
        """Return how much of something is spent on a cluster of this size."""
        is_large = len(self.desk.problem.hosts) > LARGE_CLUSTER
        return int(EFFORT_IF_LARGE * most) if is_large else most

    def _trials(self, share: float) -> Trials:
        rounds = int(share * self._effort(self.settings.refine_rounds))
        return Trials(rounds=rounds, seed=self.settings.seed, deadline=self.deadline)

    def _level(self, target: float) -> None:
        if self.settings.polish_windows:
            self.solver.prepare()
        level_hosts(self.desk, self._trials(1.0))
        self.watch.lap("balance")
        budget = Budget(
            solver=self.solver,
            windows=self._effort(self.settings.polish_windows),
            seed=self.settings.seed,
            deadline=self.deadline,
        )
        polish(self.desk, target, budget)
        look_at_all(self.desk, target, MoveReason.BALANCE)
        self.watch.lap("polish")
