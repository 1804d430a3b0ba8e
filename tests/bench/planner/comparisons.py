"""Tables made of rows: every run, contention cleared, equal balance, planning again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.planner.runs import (
    BY_COUNT,
    COST_AWARE,
    EXPONENTS,
    OURS,
    RELIEF,
    SUMMED,
    UNPOLISHED,
    Row,
)
from tests.bench.planner.tables import NOTHING, number, percent, points, table

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """Contention of one case cleared by ours and by the better climb on each axis."""

    case: str
    hosts_over: int
    ours: Row
    least_moves: int | None
    least_gib: float | None

    @property
    def moves_ratio(self) -> float | None:
        """Return our moves over those of the better climb; None where nobody is to compare with."""
        return _ratio(self.ours.bill.moves, self.least_moves) if self.ours.cleared else None

    @property
    def gib_ratio(self) -> float | None:
        """Return our memory over that of the better climb."""
        return _ratio(self.ours.bill.gib, self.least_gib) if self.ours.cleared else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One case levelled to the same target by ours and a climb."""

    case: str
    size: str
    scenario: str
    ours: Row
    rival: Row

    @property
    def moves_ratio(self) -> float | None:
        """Return our moves over the rival's, None where ours missed the target.

        A rival that stalled counts with what it had spent by then, which is in its favour.
        """
        ours, rival = self.ours.bill.moves, self.rival.bill.moves
        return _ratio(ours, rival) if self.ours.is_reached else None

    @property
    def seconds_ratio(self) -> float | None:
        """Return our migration seconds over the rival's, likewise."""
        ours, rival = self.ours.bill.seconds, self.rival.bill.seconds
        return _ratio(ours, rival) if self.ours.is_reached else None


def by_case(rows: Iterable[Row]) -> dict[Key, dict[str, Row]]:
    """Return the rows of each case by planner, in the order of the runs."""
    found: dict[Key, dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row.scenario, row.size, row.seed), {})[row.planner] = row
    return found


def reliefs(rows: Iterable[Row]) -> list[Relief]:
    """Return the cases in which some host was over a threshold at the start and ours relieved it."""
    found = []
    for planners in by_case(rows).values():
        ours = planners.get(RELIEF)
        if ours is None or ours.before.over == 0:
            continue
        bills = [planners[name].cleared for name in EXPONENTS if name in planners]
        cleared = [bill for bill in bills if bill is not None]
        relief = Relief(
            case=name_of(ours),
            hosts_over=ours.before.over,
            ours=ours,
            least_moves=min((bill.moves for bill in cleared), default=None),
            least_gib=min((bill.gib for bill in cleared), default=None),
        )
        found.append(relief)
    return found


def balances(rows: Iterable[Row], rival: str, ours: str = OURS) -> list[Balance]:
    """Return one way of ours against one climb, case by case."""
    return [
        Balance(
            case=name_of(planners[ours]),
            size=planners[ours].size,
            scenario=planners[ours].scenario,
            ours=planners[ours],
            rival=planners[rival],
        )
        for planners in by_case(rows).values()
        if ours in planners and rival in planners
    ]


def runs_table(rows: Sequence[Row]) -> str:
    """Return every run."""
    head = (
        "case",
        "planner",
        "wall s",
        "cpu s",
        "peak MiB",
        "status",
        "moves",
        "GiB",
        "migration s",
        "makespan s",
        "spread pp",
        "to pp",
        "hosts over",
        "broken",
        "bound pp",
        "gap",
        "price / bound",
    )
    return table(head, (_run(row) for row in rows))


def relief_table(found: Sequence[Relief]) -> str:
    """Return the table of contention cleared."""
    head = (
        "case",
        "hosts over",
        "ours: moves",
        "GiB",
        "ms cpu",
        "left over",
        "climbs, least moves",
        "least GiB",
        "moves",
        "GiB ",
    )
    return table(
        head,
        (
            (
                relief.case,
                str(relief.hosts_over),
                str(relief.ours.bill.moves),
                number(relief.ours.bill.gib),
                number(1000 * relief.ours.took.cpu_s),
                str(relief.ours.after.over),
                number(relief.least_moves),
                number(relief.least_gib),
                percent(relief.moves_ratio),
                percent(relief.gib_ratio),
            )
            for relief in found
        ),
    )


def balance_table(rows: Sequence[Row]) -> str:
    """Return ours against the climbs at the same target: moves / GiB / seconds, and the ratios."""
    head = (
        "case",
        "ours",
        "climb, summed",
        "climb",
        "climb /s^0.5",
        "moves to summed",
        "moves to climb",
        "moves to /s^0.5",
        "seconds to /s^0.5",
    )
    summed = {balance.case: balance for balance in balances(rows, SUMMED)}
    by_count = {balance.case: balance for balance in balances(rows, BY_COUNT)}
    cost_aware = {balance.case: balance for balance in balances(rows, COST_AWARE)}
    return table(
        head,
        (
            (
                case,
                _figures(plain.ours),
                _figures(summed[case].rival),
                _figures(plain.rival),
                _figures(cost_aware[case].rival),
                percent(summed[case].moves_ratio),
                percent(plain.moves_ratio),
                percent(cost_aware[case].moves_ratio),
                percent(cost_aware[case].seconds_ratio),
            )
            for case, plain in by_count.items()
            if case in cost_aware and case in summed
        ),
    )


def again_table(rows: Sequence[Row]) -> str:
    """Return how many moves a second plan on the result makes."""
    head = ("case", *(f"moves, {name}" for name in (OURS, UNPOLISHED, RELIEF)))
    return table(
        head,
        (
            (
                name_of(next(iter(planners.values()))),
                *(_again(planners.get(name)) for name in (OURS, UNPOLISHED, RELIEF)),
            )
            for planners in by_case(rows).values()
        ),
    )


def name_of(row: Row) -> str:
    """Return scenario, size, and the seed where it is not the first."""
    suffix = f" #{row.seed}" if row.seed != 1 else ""
    return f"{row.scenario} {row.size}{suffix}"


def broken_of(row: Row) -> str:
    """Return what is wrong at the end: must-rules and overfull hosts, should-rules, VMs left behind."""
    after = row.after
    words = {
        "must": after.broken,
        "should": after.broken_should,
        "overfull": after.overfull,
        "left": after.stranded,
    }
    return ", ".join(f"{count} {word}" for word, count in words.items() if count) or "0"


def _run(row: Row) -> tuple[str, ...]:
    bounds = row.bounds
    return (
        name_of(row),
        row.planner,
        number(row.took.wall_s, 2),
        number(row.took.cpu_s, 2),
        number(row.took.peak_mib),
        row.status,
        str(row.bill.moves),
        number(row.bill.gib),
        number(row.bill.seconds),
        number(row.makespan_s),
        points(row.before.imbalance),
        points(row.after.imbalance),
        f"{row.before.over} to {row.after.over}",
        broken_of(row),
        points(bounds.imbalance),
        percent(bounds.gap),
        number(row.price_ratio, 2),
    )


def _figures(row: Row) -> str:
    bill = row.bill
    missed = "" if row.is_reached else f" at {points(row.after.imbalance)} pp"
    return f"{bill.moves} / {bill.gib:.0f} / {bill.seconds:.0f}{missed}"


def _again(row: Row | None) -> str:
    return NOTHING if row is None or row.again is None else str(row.again)


def _ratio(ours: float, other: float | None) -> float | None:
    return ours / other if other else None
