"""Verdicts on batches as text and as JSON: what was predicted, what was measured, and the moves of each."""

from collections.abc import Iterator, Sequence

from balancer.expose.document import Json, number
from balancer.expose.figures import counted, duration, moment, timestamp
from balancer.expose.text_layout import Paper, Tone
from balancer.model.after_action import AfterAction, MoveRecord
from balancer.model.outcome import MoveState
from balancer.model.past import VerdictResult

_TONES = {
    VerdictResult.BETTER: Tone.GOOD,
    VerdictResult.NEUTRAL: Tone.PLAIN,
    VerdictResult.WORSE: Tone.BAD,
    VerdictResult.UNKNOWN: Tone.WARN,
    VerdictResult.PENDING: Tone.FAINT,
}


def verdicts_text(actions: Sequence[AfterAction], paper: Paper, *, with_moves: bool = False) -> str:
    """Return the verdicts, newest first, each with its sentence; with the moves where these are asked for."""
    lines = [line for action in reversed(actions) for line in _lines(action, paper, with_moves)]
    return "\n".join(lines or ["No batch of moves yet."]) + "\n"


def _lines(action: AfterAction, paper: Paper, with_moves: bool) -> Iterator[str]:
    verdict = action.verdict
    word = paper.paint(f"{verdict.result.value:<8}", _TONES[verdict.result])
    done = sum(move.state is MoveState.DONE for move in action.moves)
    made = f"{done} of {counted(len(action.moves), 'move')} made"
    yield f"{word} {moment(verdict.ended_at)}  batch {paper.safe(verdict.cycle_id)}, {made}"
    yield from paper.wrap(verdict.detail or "not measured yet", "    ")
    if verdict.acknowledged_at is not None:
        told = f"acknowledged by {verdict.acknowledged_by} at {moment(verdict.acknowledged_at)}"
        yield from paper.wrap(told, "    ")
    for move in action.moves if with_moves else ():
        yield from paper.wrap(_move_line(move), "      ", "    ")


def _move_line(move: MoveRecord) -> str:
    took = "time not known" if move.seconds is None else duration(move.seconds)
    predicted = f"predicted {duration(move.expected_seconds)}"
    way = f"{move.vm_name} from {move.source} to {move.target}"
    why = f": {move.detail}" if move.detail else ""
    return f"{way} ({move.reason.word}) {move.state}, {took}, {predicted}{why}"


def verdict_entries(actions: Sequence[AfterAction]) -> list[Json]:
    """Return the verdicts as JSON objects, oldest first; what is not known is null."""
    return [_entry(action) for action in actions]


def _entry(action: AfterAction) -> Json:
    verdict, ratio = action.verdict, action.realized_ratio
    return {
        "batch": verdict.cycle_id,
        "plan": verdict.plan_id,
        "ended_at": timestamp(verdict.ended_at),
        "result": verdict.result.value,
        "predicted_gain": _known(verdict.predicted_gain),
        "measured_gain": _known(verdict.measured_gain),
        "realized_ratio": _known(ratio),
        "judged_at": timestamp(verdict.judged_at) if verdict.judged_at else None,
        "detail": verdict.detail,
        "acknowledged_by": verdict.acknowledged_by,
        "moves": [_move(move) for move in action.moves],
    }


def _move(move: MoveRecord) -> Json:
    return {
        "vm": move.vm,
        "vm_name": move.vm_name,
        "from": move.source,
        "to": move.target,
        "reason": move.reason.word,
        "state": move.state.value,
        "expected_seconds": number(move.expected_seconds),
        "seconds": _known(move.seconds),
        "detail": move.detail,
    }


def _known(value: float | None) -> float | None:
    return None if value is None else number(value)
