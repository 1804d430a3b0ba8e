"""Pause and resume: nothing is sent to vCenter once a pause is answered, until somebody ends it."""

from collections.abc import Iterator

from balancer import control
from balancer.api.answer import Answer, Json, done
from balancer.api.scene import Scene
from balancer.control import By, Lifted, Resumed
from balancer.expose.figures import timestamp
from balancer.model.control import Pause


def pause(scene: Scene, by: By, *, cluster: str | None = None) -> Answer:
    """Let nothing be sent, to one cluster or to any. Raises `NotFound`, `BalancerError`, `StoreError`."""
    shard, chosen = scene.chosen(cluster)
    found = control.pause(scene.store, shard, by)
    lines = []
    if found.already:
        lines.append(
            f"{_what(shard)} was paused already {_by(found.already)}. Nothing was changed."
        )
    else:
        lines.append(f"Paused {_what(shard)}: nothing new is sent. Migrations that run go on.")
        lines.append(f"To go on: balancer resume{_option(shard)}")
    covered = ("", *(one.shard for one in chosen))
    for one in scene.store.pauses():
        if one.shard != shard and one.shard in covered:
            lines.append(f"Paused besides: {_what(one.shard)}, {_by(one)}.")
    return done(lines, action="pause", cluster=shard, changed=found.already is None)


def resume(scene: Scene, by: By, *, cluster: str | None = None, acknowledge: bool = True) -> Answer:
    """Let moves be sent again; with `acknowledge` what the program stopped itself for counts no more.

    Raises as `pause`.
    """
    shard, chosen = scene.chosen(cluster)
    shards = [one.shard for one in chosen]
    found = control.resume(scene.store, shard, shards, by, acknowledge=acknowledge)
    lines = list(_resumed(found, shard))
    if not acknowledge:
        lines.append(
            "Breaker, verdicts and moves by others are as they were: to acknowledge them takes the role admin."
        )
    if scene.stop_path.exists():
        lines.append(
            f"Nothing is sent all the same: the stop file {scene.stop_path} is there. Remove it to go on."
        )
    return done(
        lines,
        action="resume",
        cluster=shard,
        changed=bool(found.ended or found.lifted),
        acknowledged=[_lifted_entry(one) for one in found.lifted],
        still_paused=[pause_entry(one) for one in found.still],
    )


def pause_entry(one: Pause) -> Json:
    """Return a pause as documents list it; an empty cluster stands for all."""
    return {
        "cluster": one.shard,
        "by": one.by,
        "at": timestamp(one.at),
        **({"reason": one.reason} if one.reason else {}),
    }


def _lifted_entry(one: Lifted) -> Json:
    return {
        "cluster": one.shard,
        "breaker": one.breaker,
        "verdicts": one.verdicts,
        "foreign_moves": one.foreign_moves,
    }


def _resumed(found: Resumed, shard: str) -> Iterator[str]:
    for ended in found.ended:
        yield f"Resumed {_what(shard)}: it was paused {_by(ended)}."
    for lifted in found.lifted:
        yield f"{lifted.shard}: {_lifted(lifted)}."
    if not found.ended and not found.lifted:
        yield f"Nothing to resume: {_what(shard)} is not paused, and nothing waits to be acknowledged."
    for still in found.still:
        yield (
            f"Still paused: {_what(still.shard)}, {_by(still)}. "
            f"To end that: balancer resume{_option(still.shard)}"
        )


def _lifted(lifted: Lifted) -> str:
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


def _by(pause: Pause) -> str:
    because = f": {pause.reason}" if pause.reason else ""
    return f"by {pause.by} at {pause.at:%Y-%m-%d %H:%M} UTC{because}"
