"""The points at which the process is killed or frozen, by the names that `fate` gives them.

`after` names a first death that leaves open rows for a point of settling; the life that reaches the point is
then the one after it. `is_late` marks the moments between the last check and the sending of the request: a
process that is frozen there sends late, which is the residual risk that `docs/understand/safety.md` states.
"""

from dataclasses import dataclass

SENT = "run: after migrator.submit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A named moment. `most` is the highest occurrence in one life that is drawn; most lives send two moves."""

    name: str
    most: int = 2
    after: str = ""
    is_late: bool = False


def _run(*names: str, **facts: bool) -> tuple[Point, ...]:
    return tuple(Point(name=f"run: {name}", **facts) for name in names)


POINTS: tuple[Point, ...] = (
    Point(name="plan: before store.past", most=1),
    Point(name="plan: after store.past", most=1),
    Point(name="run: before store.take_lease", most=1),
    Point(name="run: store.take_lease, before the commit", most=1),
    Point(name="run: store.take_lease, committed", most=1),
    *_run(
        "after inventory.refresh of hosts",
        "after inventory.check",
        "before store.begin",
        "store.begin, transaction begun",
        "store.begin, insert moves",
        "store.begin, before the commit",
        "store.begin, committed",
        "after store.begin",
    ),
    *_run(
        "before migrator.submit",
        "the request, nothing sent",
        "the request, a part begun",
        "the request, half a part sent",
        is_late=True,
    ),
    *_run(
        "the request, all sent",
        "the request, answer begun",
        "after migrator.submit",
        "before store.advance",
        "store.advance, transaction begun",
        "store.advance, update moves",
        "store.advance, before the commit",
        "store.advance, committed",
        "after store.advance",
    ),
    Point(name="run: before inventory.tasks", most=1),
    Point(name="run: after inventory.tasks", most=1),
    Point(name="run: after inventory.refresh of VMs", most=1),
    Point(name="end: before store.give_back", most=1),
    Point(name="end: store.give_back, before the commit", most=1),
    Point(name="end: store.give_back, committed", most=1),
    Point(name="settle: after store.open_rows", most=1, after=SENT),
    Point(name="settle: after inventory.refresh of VMs", most=1, after=SENT),
    Point(name="settle: before store.advance", most=1, after=SENT),
    Point(name="settle: store.advance, before the commit", most=1, after=SENT),
    Point(name="settle: store.advance, committed", most=1, after=SENT),
    Point(name="settle: after store.advance", most=1, after=SENT),
)
"""Every name is passed by each life that moves something; see `test_every_point_is_passed`."""
