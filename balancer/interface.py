"""From what the daemon runs with to what HTTP shows: the scene of `/api/v1`, its board and its tokens.

The HTTP part of the composition root. Starts nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from balancer.adapters.http.app import Interface
from balancer.adapters.http.gate import Gate
from balancer.api.explaining import last_snapshot
from balancer.api.scene import Scene, Watched
from balancer.board import Board, Listener
from balancer.config import Config
from balancer.ports import Clock, Store
from balancer.watch import Watch


class Shown:
    """What is shown of the clusters that are watched. `take` follows a new configuration."""

    def __init__(self, config: Config, watches: Sequence[Watch], clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._watches = tuple(watches)
        self.board = Board(clock, [watch.key for watch in watches])
        self.gate = Gate(config.http.tokens, clock.monotonic)

    def listeners_of(self, watch: Watch) -> tuple[Listener, ...]:
        """Return what hears a cluster's events."""
        return (self.board.listener(watch.key),)

    def take(self, config: Config, watches: Sequence[Watch]) -> None:
        """Show these clusters from now on, to those whose tokens stand in this configuration."""
        self.board.keep([watch.key for watch in watches])
        self._watches = tuple(watches)
        self.gate.take(config.http.tokens)

    def interface(self, store: Store, next_turn: Callable[[str], datetime | None]) -> Interface:
        """Return what `/api/v1` is answered from."""
        scene = Scene(
            store=store,
            now=self._clock.now,
            clusters=lambda: tuple(map(watched, self._watches)),
            read=lambda cluster: last_snapshot(scene, cluster=cluster.shard),
            stop_path=self._config.stop_path,
            board=self.board,
            next_turn=next_turn,
        )
        needed = self._config.http.metrics_need_token
        return Interface(scene=scene, gate=self.gate, metrics_need_token=needed)


def watched(watch: Watch) -> Watched:
    """Return a cluster as questions name it."""
    return Watched(
        vcenter=watch.link.name,
        name=watch.name,
        mode=watch.mode,
        interval_s=watch.interval_s,
        policy_at=watch.policies.at,
    )
