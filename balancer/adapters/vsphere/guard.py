"""The guard against locked accounts: which credentials may be sent now.

Owns what is known of logins at one place, a vCenter or a proxy; what was refused it keeps with the account
(`accounts`), which other places may share. Holds digests and no passwords. Asked right before each login,
by the session and the proxy.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from balancer.adapters.vsphere.accounts import Account, Accounts
from balancer.adapters.vsphere.deadline import budget
from balancer.model.units import Seconds

_MOST_UNANSWERED = 2
_UNANSWERED_WINDOW_S = 180.0


class LoginGuard:
    """Keep wrong passwords from locking an account; shared by all sessions of one vCenter.

    After a refusal the same credentials are not sent again for `LoginRefused.retry_after_s`; others
    are, but no more than two wrong ones within that time, at all places together that were given the same
    `accounts`. What one place refused another may still try: there it may be the right password, and if
    not, it was the second. A login without an answer may have been a wrong one: after two of them nothing
    is sent here until the first is three minutes old; elsewhere it is, since one vCenter that hangs must
    hold up no other. vCenter locks an account after five wrong ones in three minutes unless told
    otherwise. Source: vSphere SSO lockout policy, defaults.

    Credentials are user name and password with a NUL between them, or anything that needs no account.
    """

    def __init__(
        self,
        monotonic: Callable[[], Seconds] = time.monotonic,
        *,
        accounts: Accounts | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._accounts = accounts
        self._own = Account(monotonic)
        self._unanswered: list[Seconds] = []

    @contextmanager
    def turn(self, credentials: str = "") -> Iterator[None]:
        """Hold back everybody else's login here, and elsewhere one that would be the third under way.

        Raises:
            OSError: the time of the call was over before its turn came, or it was stopped.
        """
        left = budget()
        while not self._turn.acquire(timeout=left.slice_s() if left else -1):
            pass
        try:
            with self._account(credentials).login():
                yield
        finally:
            self._turn.release()

    def allows(self, credentials: str) -> bool:
        """Whether a login with these credentials may be sent now."""
        return self._account(credentials).allows(id(self), _digest(credentials))

    def is_held_by_others(self, credentials: str) -> bool:
        """Whether it is for other places' refusals alone that an account's logins are not sent here."""
        return self._account(credentials).is_only_refused_elsewhere(id(self))

    def waits_for_s(self) -> Seconds:
        """Return how long nothing may be sent because of logins without an answer; 0 where it may."""
        now = self._monotonic()
        self._unanswered = [at for at in self._unanswered if now - at < _UNANSWERED_WINDOW_S]
        if len(self._unanswered) < _MOST_UNANSWERED:
            return 0.0
        return self._unanswered[0] + _UNANSWERED_WINDOW_S - now

    def note_refusal(self, credentials: str) -> None:
        """Remember that these credentials were refused."""
        self._account(credentials).refuse(id(self), _digest(credentials))

    def note_no_answer(self) -> None:
        """Remember that a login was sent and nobody knows what became of it."""
        self._unanswered.append(self._monotonic())

    def note_success(self) -> None:
        """Forget the logins without an answer: the account is not locked."""
        self._unanswered.clear()

    def _account(self, credentials: str) -> Account:
        username, separator, _ = credentials.partition("\0")
        return self._accounts.of(username) if self._accounts and separator else self._own


def _digest(credentials: str) -> bytes:
    return hashlib.sha256(credentials.encode("utf-8", "surrogatepass")).digest()
