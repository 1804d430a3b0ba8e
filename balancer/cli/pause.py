"""`balancer pause` and `balancer resume`: let nothing be sent to vCenter, and let it be sent again.

Both write to the journal, where the daemon looks before each single move; neither needs the daemon to answer.
"""

from typing import TYPE_CHECKING

from balancer.cli.options import DEFAULT_CONFIG, OneClusterOption, ReasonOption, RunningConfigOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from balancer.control import Lifted, Resumed
    from balancer.model.control import Pause


def pause(
    config: RunningConfigOption = DEFAULT_CONFIG,
    cluster: OneClusterOption = None,
    reason: ReasonOption = "",
) -> None:
    """Send no more moves, to one cluster or to any. What runs goes on; plans are still made and shown.

    Once this returns nothing new is sent, until balancer resume. Without --cluster everything is paused.
    """
    from balancer import control
    from balancer.cli.actor import by_me
    from balancer.cli.journal_access import chosen_shards, journal_of
    from balancer.config import load_config

    settings = load_config(config)
    shard, shards = chosen_shards(settings, cluster)
    with journal_of(settings) as store:
        done = control.pause(store, shard, by_me(reason))
        others = [one for one in store.pauses() if one.shard != shard]
    if done.already:
        _say(f"{_what(shard)} was paused already {_by(done.already)}. Nothing was changed.")
    else:
        _say(f"Paused {_what(shard)}: nothing new is sent. Migrations that run go on.")
        _say(f"To go on: balancer resume{_option(shard)}")
    for one in others:
        if one.shard in ("", *shards):
            _say(f"Paused besides: {_what(one.shard)}, {_by(one)}.")


def resume(
    config: RunningConfigOption = DEFAULT_CONFIG,
    cluster: OneClusterOption = None,
    reason: ReasonOption = "",
) -> None:
    """Let moves be sent again, and acknowledge what the balancer stopped itself for.

    Ends the pause of everything, or with --cluster that of one cluster. An open breaker is closed, and verdicts
    and moves by others that hold a cluster back count no more.
    """
    from balancer import control
    from balancer.cli.actor import by_me
    from balancer.cli.journal_access import chosen_shards, journal_of
    from balancer.config import load_config

    settings = load_config(config)
    shard, shards = chosen_shards(settings, cluster)
    with journal_of(settings) as store:
        done = control.resume(store, shard, shards, by_me(reason))
    for line in _resumed(done, shard):
        _say(line)
    stop = settings.stop_path
    if stop.exists():
        _say(f"Nothing is sent all the same: the stop file {stop} is there. Remove it to go on.")


def _resumed(done: "Resumed", shard: str) -> "Iterator[str]":
    for ended in done.ended:
        yield f"Resumed {_what(shard)}: it was paused {_by(ended)}."
    for lifted in done.lifted:
        yield f"{lifted.shard}: {_lifted(lifted)}."
    if not done.ended and not done.lifted:
        yield f"Nothing to resume: {_what(shard)} is not paused, and nothing waits to be acknowledged."
    for still in done.still:
        yield (
            f"Still paused: {_what(still.shard)}, {_by(still)}. "
            f"To end that: balancer resume{_option(still.shard)}"
        )


def _lifted(lifted: "Lifted") -> str:
    found = []
    if lifted.breaker:
        found.append(f"the breaker is closed ({lifted.breaker})")
    if lifted.verdicts:
        found.append(f"{lifted.verdicts} verdicts acknowledged")
    if lifted.foreign_moves:
        found.append(f"{lifted.foreign_moves} moves by others acknowledged")
    return "; ".join(found)


def _what(shard: str) -> str:
    return f"cluster {shard}" if shard else "everything"


def _option(shard: str) -> str:
    return f" --cluster {shard}" if shard else ""


def _by(pause: "Pause") -> str:
    because = f": {pause.reason}" if pause.reason else ""
    return f"by {pause.by} at {pause.at:%Y-%m-%d %H:%M} UTC{because}"


def _say(text: str) -> None:
    from balancer.cli.output import say

    say(text)
