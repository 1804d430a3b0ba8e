"""The explanation of a VM that does not run: what holds for it all the same, and why the rest does not apply."""

from balancer.expose.check_cells import (
    CHECK_HEADINGS,
    CHECK_NOTE,
    check_cells,
    mends,
    server_facts,
    told,
)
from balancer.expose.check_rows import resting_rows
from balancer.expose.explanation import Explanation, Names, Table
from balancer.model.insight import RestingTarget, VmInsight


def resting_view(insight: VmInsight, names: Names, verdict: str, *, of_pair: bool) -> Explanation:
    """Return what can be said of a VM that does not run: every check of one host, or the other hosts."""
    facts = [("why", told(insight.stays))] if insight.stays else []
    if of_pair:
        target = insight.resting[0]
        rows = resting_rows(target)
        checks = Table(
            title=f"To {names.host(target.host)}, in the order in which it is asked",
            headings=CHECK_HEADINGS,
            rows=tuple(map(check_cells, rows)),
            figures=3,
            note=f"{_IDLE_NOTE} {CHECK_NOTE}",
        )
        facts += server_facts(target.server) + mends(rows)
        return Explanation(verdict=verdict, facts=tuple(facts), tables=(checks,))
    hosts = Table(
        title="Every other host",
        headings=("host", "what else would speak against it"),
        rows=tuple(_resting_row(target, names) for target in insight.resting),
        figures=1,
        note=_IDLE_NOTE,
    )
    return Explanation(verdict=verdict, facts=tuple(facts), tables=(hosts,))


_IDLE_NOTE = "A VM that does not run is no load and is not moved; a dash: the check does not apply."


def _resting_row(target: RestingTarget, names: Names) -> tuple[str, ...]:
    against = "; ".join(told(refusal) for refusal in target.refusals)
    return names.host(target.host), against or "nothing of what applies"
