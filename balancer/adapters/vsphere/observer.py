"""Who wants to hear of the wire: calls, logins, objects that could not be read.

Owns the Protocol only, so that metrics can listen without this package knowing them. An observer
must never raise and never block.
"""

from typing import Protocol

from balancer.model.units import Seconds

OK = "ok"


class RequestObserver(Protocol):
    """Hears of every call on the wire, from any thread."""

    def request(self, method: str, result: str, seconds: Seconds) -> None:
        """Take one finished call.

        `method` is the wire name, such as `RetrievePropertiesEx`. `result` is `ok`, `fault`,
        `not_connected`, `timeout`, `broken`, `http_error`, `too_large`, `stopped` or `unreadable`.
        An answer that was read and lacks what is always there counts as method `Answer`.
        """

    def login(self, result: str) -> None:
        """Take one login on the wire: `ok`, `refused` or `failed`."""

    def rejected(self, kind: str, cause: str, count: int) -> None:
        """Take the objects of one read that are not in the snapshot.

        `kind` is `host` or `vm`; `cause` is `unreadable`, `incomplete`, `unknown_host` or `vanished`. With the kind
        `tags` they are in it without their tags, and `cause` is a word of `TagsState`. With the cause
        `unknown_word`, also of the kinds `datastore` and `cluster`, they are in it, with that word taken
        for the stricter side.
        """

    def sampled(self, kind: str, outcome: str, count: int) -> None:
        """Take the objects of one reading of statistics by what came of it, the zeros too.

        `kind` is `host` or `vm`; `outcome` is `fresh`, or a word of `figures.Freshness` or `perf.Cause`.
        """

    def faulty_samples(self, fault: str, count: int) -> None:
        """Take values of one reading that are no numbers: `gap`, `negative` or `unreadable`."""


class ChangeObserver(Protocol):
    """Hears of the hints that a vCenter gives between cycles."""

    def listening(self, is_listening: bool) -> None:
        """Take note whether changes are heard of at present."""

    def changed(self, kind: str) -> None:
        """Take one change, by the word of its `ChangeKind`."""


class Unobserved:
    """Nobody listens."""

    def listening(self, is_listening: bool) -> None:
        """Ignore it."""

    def changed(self, kind: str) -> None:
        """Ignore a change."""

    def request(self, method: str, result: str, seconds: Seconds) -> None:
        """Ignore a call."""

    def login(self, result: str) -> None:
        """Ignore a login."""

    def rejected(self, kind: str, cause: str, count: int) -> None:
        """Ignore rejected objects."""

    def sampled(self, kind: str, outcome: str, count: int) -> None:
        """Ignore what statistics were read."""

    def faulty_samples(self, fault: str, count: int) -> None:
        """Ignore faulty samples."""
