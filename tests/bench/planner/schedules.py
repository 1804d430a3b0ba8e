"""The schedule table: how long a plan takes to carry out, over a bound that holds for every order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from balancer.assess.need import assess
from balancer.model.duration import SETUP_SECONDS, link_mbps, vmotion_seconds
from balancer.model.need import Holds, Need
from balancer.model.plan import Draft, Move
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings, make_draft
from balancer.policy.types import Policy
from balancer.sequence import make_schedule
from tests.bench.planner.bounds import (
    bound_with_chains,
    is_proven,
    offers_proofs,
    proved_schedule,
)
from tests.bench.planner.cases import Case
from tests.bench.planner.evacuations import POLICY
from tests.bench.planner.meter import Metered, metered
from tests.bench.planner.tables import NOTHING, number, table
from tests.bench.planner.tight import TightCase, tight_evacuation

NO_CAP = 10**6
SLOTS = ((8, NO_CAP), (4, NO_CAP), (8, 32), (2, 4))
"""Migrations per host and per cluster: vCenter's own ceiling, half of it, a cluster cap, the default policy."""

NEAR = 1e-3
"""Bounds that differ by less are one."""

TIME_LIMIT_S = 60.0

MOST_PROVED = 250
"""Plans of more moves are not asked to be proved optimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """One draft put in order under one pair of limits.

    `chain_s` is the longest chain of moves that wait for others: it bounds this order only, not every one.
    `link_s` is what goes through the busiest host's link, and bounds every order. `proved_s` is what the
    certificate made of it, `proved_gap` by how much that is over the certified bound.
    """

    case: str
    slots: tuple[int, int]
    moves: int
    waves: int
    dropped: int
    makespan_s: float
    bound_s: float
    chain_s: float
    link_s: float
    full_bound_s: float | None
    took: Metered
    is_proven: bool | None = None
    proof_s: float | None = None
    proved_s: float | None = None
    proved_gap: float | None = None

    @property
    def ratio(self) -> float:
        """Return makespan over bound; 1 for an empty plan."""
        return self.makespan_s / self.bound_s if self.bound_s else 1.0

    @property
    def is_bound_by_slots(self) -> bool:
        """Whether slots, not moves that wait for room, keep the schedule from being shorter."""
        needed = self.chain_s if self.full_bound_s is None else self.full_bound_s
        return needed <= self.bound_s * (1 + NEAR)

    @property
    def binds(self) -> str:
        """Return what keeps the schedule from being shorter."""
        if self.is_bound_by_slots:
            return "slots"
        needed = self.chain_s if self.full_bound_s is None else self.full_bound_s
        return "links" if needed <= self.link_s * (1 + NEAR) else "chains"


def run_schedules(case: Case) -> list[ScheduleRow]:
    """Plan a case once and put the moves in order under each pair of limits."""
    name = f"{case.scenario} {case.size}"
    return _rows(name, case.need, case.policy, PlanSettings(polish_windows=0))


def run_tight_schedules(case: TightCase, seed: int) -> list[ScheduleRow]:
    """Likewise for an evacuation for which room has to be made: there moves wait for others."""
    need = assess(tight_evacuation(case, seed), POLICY, Holds())
    return _rows(str(case), need, POLICY, PlanSettings(time_limit_s=TIME_LIMIT_S))


def _rows(name: str, need: Need, policy: Policy, settings: PlanSettings) -> list[ScheduleRow]:
    draft = make_draft(need, policy, settings)
    return [_row(name, need, _policy(policy, slots), draft, slots) for slots in SLOTS]


def _row(
    name: str, need: Need, policy: Policy, draft: Draft, slots: tuple[int, int]
) -> ScheduleRow:
    """Put a draft in order; where slots do not bind, also with proof."""
    schedule, took = metered(lambda: make_schedule(need, policy, draft))
    row = ScheduleRow(
        case=name,
        slots=slots,
        moves=len(schedule.moves),
        waves=max((move.wave for move in schedule.moves), default=0),
        dropped=len(schedule.dropped),
        makespan_s=schedule.makespan_seconds,
        bound_s=bound_of(schedule.moves, slots),
        chain_s=chain_of(schedule.moves),
        link_s=link_of(need.snapshot, schedule.moves, slots),
        full_bound_s=bound_with_chains(schedule),
        took=took,
    )
    if row.is_bound_by_slots or row.moves > MOST_PROVED or not offers_proofs():
        return row
    proved, lasted = metered(lambda: proved_schedule(need, policy, draft))
    return replace(
        row,
        is_proven=is_proven(proved),
        proof_s=lasted.cpu_s,
        proved_s=proved.makespan_seconds,
        proved_gap=proved.makespan_ratio - 1.0,
    )


def _policy(policy: Policy, slots: tuple[int, int]) -> Policy:
    limits = replace(
        policy.limits,
        migrations_per_host=slots[0],
        migrations_per_cluster=slots[1],
        migrations_per_vcenter=max(slots[1], policy.limits.migrations_per_vcenter),
    )
    return replace(policy, limits=limits)


def bound_of(moves: Sequence[Move], slots: tuple[int, int]) -> float:
    """Return the longest of: one move, the work of one host over its slots, all work over the cap."""
    work: Counter[str] = Counter()
    for move in moves:
        for host in (move.source, move.target):
            work[host] += move.expected_seconds  # type: ignore[assignment]
    longest = max((move.expected_seconds for move in moves), default=0.0)
    busiest = max(work.values(), default=0) / slots[0]
    return max(longest, busiest, sum(move.expected_seconds for move in moves) / slots[1])


def chain_of(moves: Sequence[Move]) -> float:
    """Return the seconds of the longest chain of moves each of which waits for the one before."""
    end: dict[str, float] = {}
    for move in moves:
        start = max((end[other] for other in move.after if other in end), default=0.0)
        end[move.id] = start + move.expected_seconds
    return max(end.values(), default=0.0)


def link_of(snap: Snapshot, moves: Sequence[Move], slots: tuple[int, int]) -> float:
    """Return for how long the busiest host's link is taken, with the share of copies that are set up."""
    copies = Counter(host for move in moves for host in (move.source, move.target))
    taken: Counter[str] = Counter()
    for move in moves:
        source, target = snap.host_by_id[move.source], snap.host_by_id[move.target]
        rate = snap.vm_by_id[move.vm].dirty_rate_mbps or 0.0
        alone = vmotion_seconds(source, target, move.memory_mib, dirty_rate_mbps=rate)
        slowest = min(link_mbps(source), link_mbps(target))
        for host in (source, target):
            at_once = min(*slots, copies[host.id])
            sending = (alone - SETUP_SECONDS) * slowest / link_mbps(host)
            taken[host.id] += sending + SETUP_SECONDS / at_once  # type: ignore[assignment]
    return max(taken.values(), default=0.0)


def schedule_table(found: Sequence[ScheduleRow]) -> str:
    """Return the table."""
    head = (
        "case",
        "slots per host / cluster",
        "moves",
        "dropped",
        "waves",
        "makespan s",
        "bound s",
        "makespan / bound",
        "longest chain s",
        "busiest link s",
        "bound with chains s",
        "binds",
        "proved optimal",
        "makespan with proof s",
        "gap with proof %",
        "proof cpu s",
        "sequencing s",
    )
    return table(head, (_line(row) for row in found))


def _line(row: ScheduleRow) -> tuple[str, ...]:
    cap = "none" if row.slots[1] == NO_CAP else str(row.slots[1])
    words = {True: "yes", False: "no", None: NOTHING}
    return (
        row.case,
        f"{row.slots[0]} / {cap}",
        str(row.moves),
        str(row.dropped),
        str(row.waves),
        number(row.makespan_s),
        number(row.bound_s),
        number(row.ratio, 2),
        number(row.chain_s),
        number(row.link_s),
        number(row.full_bound_s),
        row.binds,
        words[row.is_proven],
        number(row.proved_s),
        number(None if row.proved_gap is None else 100 * row.proved_gap, 1),
        number(row.proof_s, 2),
        number(row.took.wall_s, 3),
    )
