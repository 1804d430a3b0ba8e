"""The closing report of a demo as one HTML file, made of the same parts as the reports of plans. Values only."""

from dataclasses import dataclass

from balancer.cli.demo_figures import Measured
from balancer.cli.demo_report import Ending, closing_line, failure_words
from balancer.expose.charts import Pair, SpreadChart, pairs_chart, spread_chart
from balancer.expose.figures import counted, duration, gibibytes
from balancer.expose.pages import page
from balancer.expose.report_rows import Change, Fact, HostRow
from balancer.expose.report_view import changes, host_rows
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.policy.types import Policy

MOST_ROWS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPart:
    """One cluster at the start and at the end."""

    name: str
    changes: tuple[Change, ...]
    spread: SpreadChart | None
    hosts: tuple[HostRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRow:
    """One move that was sent."""

    vm: str
    way: str
    reason: str
    state: str
    predicted: str
    took: str


def closing_page(ending: Ending) -> str:
    """Return the run as a complete HTML document."""
    record, limits = ending.record, Policy().thresholds
    pairs = [_pair(outcome) for outcome in record.sent]
    return page(
        "demo.html.j2",
        headline=closing_line(ending),
        is_better=ending.is_better,
        facts=_facts(ending),
        clusters=[
            _cluster(first, then) for first, then in zip(ending.before, ending.after, strict=True)
        ],
        chart=pairs_chart(pairs, title="Seconds of each move, predicted and taken"),
        moves=[_row(ending, outcome) for outcome in record.sent],
        failures=[failure_words(ending, row) for row in range(len(record.failed))],
        cpu_limit=limits.cpu_contention,
        memory_limit=limits.memory_contention,
        most=MOST_ROWS,
    )


def _facts(ending: Ending) -> list[Fact]:
    record = ending.record
    put_off = [f"{count} {reason}" for reason, count in sorted(record.not_sent.items())]
    return [
        Fact(label="Simulated", value=duration(ending.simulated_s)),
        Fact(label="Plans made", value=f"{record.plans:,}"),
        Fact(
            label="Moves made",
            value=f"{record.done.total():,}, {gibibytes(record.moved_mib)} copied",
        ),
        Fact(label="Failures handled", value=f"{len(record.failed):,}"),
        Fact(label="Rules fixed", value=counted(ending.rules_fixed, "must-rule")),
        Fact(label="Put off before the call", value=", ".join(put_off) or "none"),
    ]


def _cluster(first: Measured, then: Measured) -> ClusterPart:
    limits = Policy().thresholds
    hosts = host_rows(first.state, then.state, then.snapshot)
    chart = spread_chart(
        hosts,
        is_twice=True,
        cpu_limit=limits.cpu_contention,
        memory_limit=limits.memory_contention,
    )
    return ClusterPart(
        name=then.snapshot.cluster.name,
        changes=changes(first.state, then.state),
        spread=chart,
        hosts=hosts,
    )


def _pair(outcome: MoveOutcome) -> Pair:
    return Pair(
        label=outcome.move.vm_name,
        predicted=outcome.move.expected_seconds,
        measured=outcome.seconds,
        is_good=outcome.state is MoveState.DONE,
    )


def _row(ending: Ending, outcome: MoveOutcome) -> SentRow:
    move, name_of = outcome.move, ending.record.name_of
    return SentRow(
        vm=move.vm_name,
        way=f"{name_of(move.source)} → {name_of(move.target)}",
        reason=move.reason.word,
        state=outcome.state.value if outcome.state else "",
        predicted=duration(move.expected_seconds),
        took=duration(outcome.seconds),
    )
