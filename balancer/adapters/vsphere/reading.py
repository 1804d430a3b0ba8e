"""Reads with patience: a broken connection is tried again, a dead session is renewed once.

Owns the retries of everything that may safely be repeated. Must never be given a mutating call. Sits
between the inventory and the session.
"""

import logging
import ssl
import time
from collections.abc import Callable
from typing import TypeVar

from pyVmomi import vim, vmodl
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from balancer.adapters.vsphere.session import Opened, Session
from balancer.adapters.vsphere.stub import (
    UNREADABLE,
    Broken,
    CallFailed,
    NotConnected,
    Stopped,
    TookTooLong,
    TooLarge,
)
from balancer.adapters.vsphere.wording import source_error
from balancer.model.units import Seconds

log = logging.getLogger(__name__)

ATTEMPTS = 3
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 2.0

T = TypeVar("T")


class ReadClient:
    """Runs reads on a session. Each piece of work must be repeatable as a whole."""

    def __init__(self, session: Session, sleep: Callable[[Seconds], None] = time.sleep) -> None:
        self._session = session
        self._sleep = sleep

    def run(self, attempted: str, work: Callable[[Opened], T]) -> T:
        """Return what `work` returns. `attempted` completes "Could not ...".

        Raises:
            SourceError: it did not work, after at most three attempts and one new login.
        """
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S),
            retry=retry_if_exception(_is_worth_another_try),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            result: T = retrying(self._with_live_session, work)
        except (CallFailed, vmodl.MethodFault) as err:
            raise source_error(self._session.settings, attempted, err) from err
        except UNREADABLE as err:
            # The answer was well-formed and lacks what every server sends. That is the server's fault,
            # or ours: hence the trace.
            log.warning("answer not understood", extra={"attempted": attempted}, exc_info=True)
            raise self._session.not_understood(attempted, err) from err
        return result

    def _with_live_session(self, work: Callable[[Opened], T]) -> T:
        opened = self._session.opened()
        try:
            return work(opened)
        except vim.fault.NotAuthenticated:
            return work(self._session.renewed(opened))
        except NotConnected as err:
            if isinstance(err.cause, ssl.SSLError):
                self._session.distrusted(opened)
            raise


def _is_worth_another_try(failure: BaseException) -> bool:
    """Whether the connection broke at once; what timed out, or was ended by us, has had its time."""
    if isinstance(failure, TookTooLong | TooLarge | Stopped):
        return False
    if isinstance(failure, NotConnected):
        return isinstance(failure.cause, ConnectionError)
    return isinstance(failure, Broken)
