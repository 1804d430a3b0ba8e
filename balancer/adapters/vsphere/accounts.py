"""The accounts that log in, and what was refused for each, at whichever vCenter.

Owns the memory that vCenters share where one account logs in at several of them: linked vCenters have one
single sign-on, which counts the wrong logins of all and locks the account everywhere. Holds digests and no
passwords, asks nobody, and sends nothing. Used by `guard`; made once by who knows all the vCenters.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from balancer.adapters.vsphere.deadline import budget
from balancer.model.errors import LoginRefused
from balancer.model.units import Seconds

MOST_REFUSALS = 2
WINDOW_S = LoginRefused.retry_after_s or 0.0

SOON_S: Seconds = 5.0
"""By then a server that says no has said it: who waits for others' logins waits no longer."""

_SLICE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    at: Seconds
    place: int
    tried: bytes


@dataclass(slots=True)
class Account:
    """One account: the logins refused in the last 15 minutes, and those under way."""

    monotonic: Callable[[], Seconds]
    changed: threading.Condition = field(default_factory=threading.Condition)
    refusals: list[_Refusal] = field(default_factory=list)
    sending: list[Seconds] = field(default_factory=list)

    def allows(self, place: int, tried: bytes) -> bool:
        """Whether a place that tried these did not see them refused, and no two were refused anywhere."""
        with self.changed:
            self._forget()
            known = any(past.place == place and past.tried == tried for past in self.refusals)
            return not known and len(self.refusals) < MOST_REFUSALS

    def is_only_refused_elsewhere(self, place: int) -> bool:
        """Whether other places refused logins of this account, and this one none."""
        with self.changed:
            self._forget()
            return bool(self.refusals) and all(past.place != place for past in self.refusals)

    def refuse(self, place: int, tried: bytes) -> None:
        """Remember that these were refused at this place."""
        with self.changed:
            self.refusals.append(_Refusal(at=self.monotonic(), place=place, tried=tried))

    @contextmanager
    def login(self) -> Iterator[None]:
        """Be one of the logins under way, once so few are that all of them may be refused.

        Raises:
            OSError: the time of the call was over before that, or it was stopped.
        """
        began = self._begin()
        try:
            yield
        finally:
            with self.changed:
                self.sending.remove(began)
                self.changed.notify_all()

    def _begin(self) -> Seconds:
        left = budget()
        with self.changed:
            while self._is_crowded():
                self.changed.wait(min(left.slice_s(), _SLICE_S) if left else _SLICE_S)
            began = self.monotonic()
            self.sending.append(began)
            return began

    def _is_crowded(self) -> bool:
        """Whether two could be refused before this one is sent; one that hangs holds nobody up."""
        self._forget()
        now = self.monotonic()
        fresh = sum(1 for began in self.sending if now - began < SOON_S)
        return len(self.refusals) < MOST_REFUSALS <= len(self.refusals) + fresh

    def _forget(self) -> None:
        now = self.monotonic()
        self.refusals = [past for past in self.refusals if now - past.at < WINDOW_S]


class Accounts:
    """Every account by its name. Thread-safe."""

    def __init__(self, monotonic: Callable[[], Seconds] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Account] = {}

    def of(self, username: str) -> Account:
        """Return the account of a user name, however it is spelt."""
        with self._lock:
            return self._known.setdefault(_spelt(username), Account(self._monotonic))


class Logins:
    """The accounts of all vCenters of one program, at each of the two APIs."""

    def __init__(self) -> None:
        self.soap, self.rest = Accounts(), Accounts()


def _spelt(username: str) -> tuple[str, str]:
    r"""Return user and domain: `Bal@corp.example.com` and `CORP\bal` are one account.

    Two domains that begin alike are taken for one, which costs a wait where it is wrong, and no account.
    """
    domain, backslash, user = username.strip().casefold().partition("\\")
    if not backslash:
        user, _, domain = domain.partition("@")
    return user, domain.partition(".")[0]
