"""Gives each notice to the channels that want it, once; owns their outboxes and how they start and stop."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from balancer.adapters.notify.outbox import Outbox
from balancer.adapters.notify.senders import senders_of
from balancer.config.notify import Notify
from balancer.expose.notices import Herald
from balancer.model.notice import Notice
from balancer.model.units import Seconds
from balancer.ports import Clock

STOP_WITHIN_S: Seconds = 1.5
"""How long a stop waits for the last messages; what is not told by then stays untold."""

REPEATED_WITHIN_S: Seconds = 3600.0
"""The same is not told twice within so long."""

MOST_REMEMBERED = 2000

Results = Callable[[str, str, int], None]
"""Told a channel, what became of notices there, and of how many."""


class Notifier:
    """All channels of a configuration. `tell` from any thread, and never waits."""

    def __init__(self, outboxes: Sequence[Outbox], *, clock: Clock, results: Results) -> None:
        self._outboxes = tuple(outboxes)
        self._clock = clock
        self._results = results
        self._told: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, notify: Notify, *, clock: Clock, results: Results) -> "Notifier":
        """Return the notifier of the channels of a configuration."""
        outboxes = [
            Outbox(channel, send, now=clock.now, count=_of_channel(results, channel.name))
            for channel, send in senders_of(notify)
        ]
        return cls(outboxes, clock=clock, results=results)

    def heralds(self, vcenter: str, cluster: str) -> tuple[Herald, ...]:
        """Return who listens to a cluster for the channels; nobody where there are none."""
        if not self._outboxes:
            return ()
        return (Herald(vcenter, cluster, clock=self._clock, tell=self.tell),)

    def start(self) -> None:
        """Start to deliver."""
        for outbox in self._outboxes:
            outbox.start()

    def tell(self, notice: Notice) -> None:
        """Take a notice for every channel that wants it."""
        is_repeated = self._is_repeated(notice.key)
        for outbox in self._outboxes:
            if not outbox.wants(notice):
                continue
            if is_repeated:
                self._results(outbox.channel.name, "repeated", 1)
            else:
                outbox.put(notice)

    def stop(self) -> bool:
        """Tell what waits, and end within `STOP_WITHIN_S`; whether all did."""
        ends_at = self._clock.monotonic() + STOP_WITHIN_S
        for outbox in self._outboxes:
            outbox.stopping()
        ended = [
            outbox.ended(max(ends_at - self._clock.monotonic(), 0.0)) for outbox in self._outboxes
        ]
        return all(ended)

    def _is_repeated(self, key: str) -> bool:
        """Whether it was told a short while ago; if not, it is remembered as told now."""
        now_s = self._clock.monotonic()
        with self._lock:
            before_s = self._told.get(key)
            if before_s is not None and now_s - before_s < REPEATED_WITHIN_S:
                return True
            self._told[key] = now_s
            self._told.move_to_end(key)
            if len(self._told) > MOST_REMEMBERED:
                self._told.popitem(last=False)
        return False


def _of_channel(results: Results, channel: str) -> Callable[[str, int], None]:
    return lambda result, notices: results(channel, result, notices)
