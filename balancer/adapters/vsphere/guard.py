"""The guard against locked accounts: which credentials may be sent now.

Owns the memory of refused logins at one place, a vCenter or a proxy. Holds digests and no passwords.
Asked right before each login, by the session and the proxy.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from balancer.adapters.vsphere.deadline import budget
from balancer.model.errors import LoginRefused
from balancer.model.units import Seconds

_MOST_REFUSALS = 2
_WINDOW_S = LoginRefused.retry_after_s or 0.0
_MOST_UNANSWERED = 2
_UNANSWERED_WINDOW_S = 180.0


class LoginGuard:
    """Keep wrong passwords from locking an account; shared by all sessions of one vCenter.

    After a refusal the same credentials are not sent again for `LoginRefused.retry_after_s`; others
    are, but no more than two wrong ones within that time. A login without an answer may have been a
    wrong one: after two of them nothing is sent until the first is three minutes old. vCenter locks an
    account after five wrong ones in three minutes unless told otherwise. Source: vSphere SSO lockout
    policy, defaults.
    """

    def __init__(self, monotonic: Callable[[], Seconds] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._refusals: list[tuple[Seconds, bytes]] = []
        self._unanswered: list[Seconds] = []

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold everybody else's login back for the time of one.

        Raises:
            OSError: the time of the call was over before its turn came, or it was stopped.
        """
        left = budget()
        while not self._turn.acquire(timeout=left.slice_s() if left else -1):
            pass
        try:
            yield
        finally:
            self._turn.release()

    def allows(self, credentials: str) -> bool:
        """Whether a login with these credentials may be sent now."""
        now = self._monotonic()
        self._refusals = [(at, tried) for at, tried in self._refusals if now - at < _WINDOW_S]
        known = any(tried == _digest(credentials) for _, tried in self._refusals)
        return not known and len(self._refusals) < _MOST_REFUSALS

    def waits_for_s(self) -> Seconds:
        """Return how long nothing may be sent because of logins without an answer; 0 where it may."""
        now = self._monotonic()
        self._unanswered = [at for at in self._unanswered if now - at < _UNANSWERED_WINDOW_S]
        if len(self._unanswered) < _MOST_UNANSWERED:
            return 0.0
        return self._unanswered[0] + _UNANSWERED_WINDOW_S - now

    def note_refusal(self, credentials: str) -> None:
        """Remember that these credentials were refused."""
        self._refusals.append((self._monotonic(), _digest(credentials)))

    def note_no_answer(self) -> None:
        """Remember that a login was sent and nobody knows what became of it."""
        self._unanswered.append(self._monotonic())

    def note_success(self) -> None:
        """Forget the logins without an answer: the account is not locked."""
        self._unanswered.clear()


def _digest(credentials: str) -> bytes:
    return hashlib.sha256(credentials.encode("utf-8", "surrogatepass")).digest()
