"""What is expected of one move, in words that all renderings of a plan share. Strings are not escaped yet."""

from balancer.expose.figures import duration, gibibytes, listed, percent
from balancer.expose.report_rows import MoveRow
from balancer.model.units import Seconds

NOT_KNOWN = "not known"
MOST_NAMED = 6


def interval_words(move: MoveRow) -> str:
    """Return between what nine of ten such moves take."""
    if move.low_s is None or move.high_s is None:
        return "duration interval not known"
    return f"{duration(move.low_s)} to {duration(move.high_s)}"


def stun_words(move: MoveRow) -> str:
    """Return how long the VM is expected to stand still."""
    return NOT_KNOWN if move.stun_s is None else short_time(move.stun_s)


def copy_words(move: MoveRow) -> str:
    """Return all that is expected to go over the links."""
    return NOT_KNOWN if move.copy_mib is None else gibibytes(move.copy_mib)


def share_words(move: MoveRow) -> str:
    """Return the part of the fall in cost that a move stands for."""
    return "" if move.share is None else percent(move.share)


def risk_words(move: MoveRow) -> str:
    """Return the risk with its reasons."""
    if not move.risk:
        return NOT_KNOWN
    return f"{move.risk} ({'; '.join(move.because)})" if move.because else move.risk


def short_time(seconds: Seconds) -> str:
    """Return a time below a second in milliseconds: `120 ms`, `1 ms` at the least."""
    return duration(seconds) if seconds >= 1.0 else f"{max(round(seconds * 1000.0), 1)} ms"


def links_words(move: MoveRow) -> str:
    """Return what a move waits for, holds up, and which rules name its VM."""
    parts = [
        f"after {listed(list(move.after), MOST_NAMED)}" if move.after else "",
        f"blocks {listed(list(move.blocks), MOST_NAMED)}" if move.blocks else "",
        f"rules {listed(list(move.rules), MOST_NAMED)}" if move.rules else "",
    ]
    return "; ".join(part for part in parts if part)


def detail_words(move: MoveRow) -> str:
    """Return everything in one line but the interval."""
    parts = [
        f"sends {copy_words(move)}",
        f"stun {stun_words(move)}",
        f"risk {risk_words(move)}",
        f"{share_words(move)} of the fall in cost" if move.share is not None else "",
        links_words(move),
        f"approval {move.consent or NOT_KNOWN}",
    ]
    return "; ".join(part for part in parts if part)
