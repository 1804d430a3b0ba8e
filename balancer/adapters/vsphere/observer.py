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
        `not_connected`, `timeout`, `broken` or `unreadable`.
        """

    def login(self, result: str) -> None:
        """Take one login on the wire: `ok`, `refused` or `failed`."""

    def rejected(self, kind: str, cause: str, count: int) -> None:
        """Take the objects of one read that are not in the snapshot.

        `kind` is `host` or `vm`; `cause` is `unreadable`, `incomplete` or `unknown_host`. With the kind
        `tags` they are in it without their tags, and `cause` is a word of `TagsState`.
        """


class Unobserved:
    """Nobody listens."""

    def request(self, method: str, result: str, seconds: Seconds) -> None:
        """Ignore a call."""

    def login(self, result: str) -> None:
        """Ignore a login."""

    def rejected(self, kind: str, cause: str, count: int) -> None:
        """Ignore rejected objects."""
