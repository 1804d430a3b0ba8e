"""Everybody who listens to one cluster: metrics, what HTTP shows, notifications. One tells, each hears.

Owns that no listener can harm another one or the cycle that tells.
"""

import logging
from collections.abc import Sequence

from balancer.model.events import Event
from balancer.ports import Events

log = logging.getLogger(__name__)


class Audience:
    """Hands each event to every listener, in order, on the caller's thread: listeners must not wait."""

    def __init__(self, listeners: Sequence[Events]) -> None:
        self._listeners = tuple(listeners)

    def tell(self, event: Event) -> None:
        """Tell everybody; a listener that fails is logged and passed over."""
        for listener in self._listeners:
            try:
                listener.tell(event)
            except Exception:
                listens, what = type(listener).__name__, type(event).__name__
                log.exception("a listener failed", extra={"listener": listens, "told": what})
