"""What every after-action report shows, once: sentences and figures, ordered, nothing escaped yet.

Between `Aftermath` and its renderings. Strings here may hold hostile names: each rendering escapes for its sink.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from balancer.expose.charts import Pair
from balancer.expose.figures import counted, duration, moment, percent
from balancer.expose.move_words import short_time
from balancer.expose.report_rows import Fact
from balancer.model.aftermath import Aftermath, BatchReport, Done, Totals
from balancer.model.outcome import MoveState
from balancer.model.past import VerdictResult
from balancer.model.units import Seconds

NOTHING_DONE = "Nothing was sent in this time."
NOT_MEASURED = "not measured"

STATE_WORDS = {
    MoveState.INTENT: "about to be sent",
    MoveState.SUBMITTED: "running",
    MoveState.DONE: "made",
    MoveState.FAILED: "failed",
    MoveState.ABORTED: "never begun",
    MoveState.EXTERNAL: "ended elsewhere",
    MoveState.UNKNOWN: "end not known",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow:
    """One move as it went. `times` is measured over predicted seconds; None where nothing was measured."""

    row: int
    vm: str
    source: str
    target: str
    reason: str
    state: str
    state_words: str
    predicted_s: Seconds
    seconds: Seconds | None
    times: float | None
    downtime: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRows:
    """One batch: its verdict in words, what was promised and measured, and its moves."""

    batch: str
    result: str
    title: str
    told: str
    facts: tuple[Fact, ...]
    moves: tuple[ActionRow, ...]
    not_sent: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionView:
    """Everything that an after-action report says. `result` is the worst verdict, for a colour."""

    headline: str
    subject: str
    result: str
    facts: tuple[Fact, ...]
    batches: tuple[BatchRows, ...]

    @property
    def moves(self) -> tuple[ActionRow, ...]:
        """Return the moves of all batches."""
        return tuple(move for batch in self.batches for move in batch.moves)


def action_view(done: Aftermath) -> ActionView:
    """Put a report into rows."""
    totals = done.totals
    return ActionView(
        headline=headline_of(done),
        subject=f"Report of {done.asked}, made at {moment(done.made_at)}",
        result=_worst(totals),
        facts=tuple(_facts(totals)),
        batches=tuple(_batch_rows(batch) for batch in done.batches),
    )


def headline_of(done: Aftermath) -> str:
    """Return what was done in one line, such as `Done: 7 of 8 moves made in 2 batches, 1 failed; ...`."""
    totals = done.totals
    if not totals.moves:
        return f"Nothing done: {NOTHING_DONE[0].lower()}{NOTHING_DONE[1:]}"
    batches = counted(len(done.batches), "batch", "batches")
    parts = [f"{totals.made:,} of {counted(totals.moves, 'move')} made in {batches}"]
    parts += [
        f"{count:,} {STATE_WORDS[state]}"
        for state in MoveState
        if state is not MoveState.DONE and (count := totals.states.get(state, 0))
    ]
    parts += [f"{totals.not_sent:,} not sent"] if totals.not_sent else []
    return f"Done: {', '.join(parts)}; {_times(totals)}; {_results(totals)}."


def _times(totals: Totals) -> str:
    if totals.pace is None:
        return "no duration measured"
    return (
        f"{duration(totals.measured_s)} in migrations, {duration(totals.predicted_s)} predicted "
        f"({totals.pace:.2f} times)"
    )


def _results(totals: Totals) -> str:
    found = [f"{count} {word.value}" for word in VerdictResult if (count := totals.results[word])]
    verdicts = f"verdicts: {', '.join(found)}"
    if totals.realized is None:
        return verdicts
    return f"{verdicts}; {percent(totals.realized)} of the predicted gain measured"


def _worst(totals: Totals) -> str:
    order = (
        VerdictResult.WORSE,
        VerdictResult.UNKNOWN,
        VerdictResult.PENDING,
        VerdictResult.NEUTRAL,
        VerdictResult.BETTER,
    )
    return next((word.value for word in order if totals.results.get(word)), "")


def _facts(totals: Totals) -> Iterator[Fact]:
    for state in MoveState:
        if state is MoveState.DONE or totals.states.get(state):
            count = totals.states.get(state, 0)
            yield Fact(label=f"Moves: {STATE_WORDS[state]}", value=f"{count:,}")
    yield Fact(label="Moves: not sent", value=f"{totals.not_sent:,}")
    yield Fact(label="Seconds", value=f"{_times(totals)}; of {counted(totals.timed, 'move')}")
    yield Fact(
        label="Gain", value=_gain(totals.predicted_gain, totals.measured_gain, totals.judged)
    )
    yield Fact(
        label="Downtime", value=f"{NOT_MEASURED}: vCenter does not tell how long a VM stood still"
    )


def _gain(predicted: float, measured: float, judged: int) -> str:
    if not judged:
        return f"{NOT_MEASURED} yet"
    of = counted(judged, "batch", "batches")
    return f"{millionths(measured)} measured, {millionths(predicted)} predicted, of {of}"


def millionths(gain: float) -> str:
    """Return a gain as people read it: millionths of the plan's cost unit."""
    return f"{gain * 1e6 + 0.0:,.0f} millionths"


def _batch_rows(batch: BatchReport) -> BatchRows:
    verdict = batch.verdict
    made = sum(one.record.state is MoveState.DONE for one in batch.done)
    lasted = duration(batch.lasted_s) if batch.lasted_s is not None else "not over"
    return BatchRows(
        batch=batch.batch,
        result=batch.result.value,
        title=f"{moment(batch.began_at)}, {made} of {counted(len(batch.done), 'move')} made, {lasted}",
        told=_verdict_words(batch),
        facts=tuple(_batch_facts(batch)),
        moves=tuple(_action_row(one) for one in batch.done),
        not_sent=tuple(
            f"{one.vm_name or counted(one.moves, 'move')}: {one.reason}" for one in batch.not_sent
        )
        if verdict or batch.not_sent
        else (),
    )


def _verdict_words(batch: BatchReport) -> str:
    if batch.verdict is None:
        is_over = batch.ended_at is not None
        return f"no verdict: {'no cycle has looked at it since it ended' if is_over else 'it is not over'}"
    told = batch.verdict.detail or "not measured yet"
    seen = batch.verdict.acknowledged_by
    return f"{told}; acknowledged by {seen}" if seen else told


def _batch_facts(batch: BatchReport) -> Iterator[Fact]:
    number = (
        f"{batch.plan_number} ({batch.plan})" if batch.plan_number else f"{batch.plan}, not kept"
    )
    yield Fact(label="Cluster", value=batch.shard)
    yield Fact(label="Plan", value=number)
    promise, verdict = batch.promise, batch.verdict
    if promise:
        yield Fact(
            label="Promised",
            value=f"imbalance {percent(promise.imbalance, 1)} -> {percent(promise.imbalance_after, 1)} "
            f"by the whole plan, in {duration(promise.makespan_s)}",
        )
    predicted = verdict.predicted_gain if verdict else None
    measured = verdict.measured_gain if verdict else None
    yield Fact(
        label="Gain predicted", value="not known" if predicted is None else millionths(predicted)
    )
    yield Fact(
        label="Gain measured", value=NOT_MEASURED if measured is None else millionths(measured)
    )


def _action_row(one: Done) -> ActionRow:
    record = one.record
    is_timed = record.seconds is not None and record.expected_seconds > 0.0
    return ActionRow(
        row=one.row,
        vm=record.vm_name.strip() or record.vm,
        source=one.source_name.strip() or record.source,
        target=one.target_name.strip() or record.target,
        reason=record.reason.word,
        state=record.state.value,
        state_words=STATE_WORDS[record.state],
        predicted_s=record.expected_seconds,
        seconds=record.seconds,
        times=(record.seconds or 0.0) / record.expected_seconds if is_timed else None,
        downtime=NOT_MEASURED if one.downtime_s is None else short_time(one.downtime_s),
        detail=record.detail,
    )


def took(row: ActionRow) -> str:
    """Return how long a move took."""
    return NOT_MEASURED if row.seconds is None else duration(row.seconds)


def times(row: ActionRow) -> str:
    """Return measured over predicted seconds."""
    return "" if row.times is None else f"{row.times:.2f}"


def pairs_of(view: ActionView) -> tuple[Pair, ...]:
    """Return predicted beside measured seconds for the chart."""
    return tuple(
        Pair(
            label=row.vm,
            predicted=row.predicted_s,
            measured=row.seconds,
            is_good=row.state == MoveState.DONE.value,
        )
        for row in view.moves
    )
