"""What `balancer apply` says while it works and at its end. Decides nothing but the exit code."""

from collections import Counter
from collections.abc import Iterator

from balancer.applying import Applied
from balancer.cli.exit_codes import ExitCode
from balancer.cli.output import say
from balancer.expose.figures import counted, duration
from balancer.model.events import Event, MoveEnded, MoveStarted
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal

_HOW_TO_GO_ON = {
    Reason.OBSERVE_MODE: "Set the cluster's mode to manual or a freer one, in the configuration and its policies.",
    Reason.PAUSED: "To go on: balancer resume.",
    Reason.WINDOW_CLOSED: "Try again once the window allows it.",
}


class Progress:
    """A listener that prints a line as each migration starts and ends."""

    def tell(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, MoveStarted):
            move = event.move
            say(f"{move.id} {move.vm_name}: {move.source} -> {move.target}, started ({event.task})")
        elif isinstance(event, MoveEnded) and event.outcome.was_sent:
            say(f"{event.outcome.move.id} {event.outcome.move.vm_name}: {_end(event.outcome)}")


def _end(outcome: MoveOutcome) -> str:
    state = outcome.state.value if outcome.state else "not sent"
    detail = f" ({outcome.fault or outcome.detail})" if outcome.fault or outcome.detail else ""
    return f"{state} after {duration(outcome.seconds)}{detail}"


def told(done: Applied, plan: Plan) -> ExitCode:
    """Print what came of a plan, and return the exit code."""
    if done.held:
        say(f"Nothing was moved. {done.held.told}")
        if done.held.reason in _HOW_TO_GO_ON:
            say(_HOW_TO_GO_ON[done.held.reason])
        return ExitCode.REFUSED
    if done.report is None:
        return _stale(done, plan)
    outcomes = done.report.outcomes
    waiting = [move for move in done.report.plan.moves if not move.this_run]
    return _ended(outcomes, tuple(done.report.plan.refusals) if waiting else ())


def _stale(done: Applied, plan: Plan) -> ExitCode:
    changed = done.fit.changed if done.fit else ()
    say(
        f"Nothing was moved: the plan of {plan.created_at:%Y-%m-%d %H:%M:%S} UTC does not fit any more."
    )
    for refusal in changed:
        say(f"  {refusal}")
    say(
        "Make a new plan with balancer plan --config F --format json --output FILE, and apply that."
    )
    return ExitCode.REFUSED


def _ended(outcomes: tuple[MoveOutcome, ...], waiting: tuple[Refusal, ...]) -> ExitCode:
    sent = [outcome for outcome in outcomes if outcome.was_sent]
    done = [outcome for outcome in sent if outcome.state is MoveState.DONE]
    total = len(outcomes) + sum(refusal.count for refusal in waiting)
    say(f"{len(done)} of {counted(total, 'move')} made.")
    for line in _why_not(outcomes, waiting):
        say(f"  {line}")
    if len(done) == total:
        return ExitCode.DONE
    return ExitCode.PARTLY if sent else ExitCode.REFUSED


def _why_not(outcomes: tuple[MoveOutcome, ...], waiting: tuple[Refusal, ...]) -> Iterator[str]:
    ends = Counter(o.state.value for o in outcomes if o.state and o.state is not MoveState.DONE)
    for state, count in sorted(ends.items()):
        yield f"{counted(count, 'move')} {state}: see balancer journal list"
    refused = Counter(str(o.refusal) for o in outcomes if o.refusal)
    for words, count in refused.items():
        yield f"{counted(count, 'move')} not sent: {words}"
    for refusal in waiting:
        yield f"{counted(refusal.count, 'move')} not sent in this run: {refusal}"
