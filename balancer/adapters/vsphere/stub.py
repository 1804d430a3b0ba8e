"""pyVmomi's SOAP stub on a watched connection: a deadline per call, and failures told apart.

Owns the difference between "never sent", "sent and no answer" and "answered, but not to be understood",
on which it depends whether a call may be repeated. Sends every call exactly once: pyVmomi's
session-oriented stub, which sends again by itself, must never be used. Sits between `session` and the
wire.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from xml.parsers.expat import ExpatError

from pyVmomi import vmodl
from pyVmomi.SoapAdapter import SoapStubAdapter

from balancer.adapters.vsphere.deadline import (
    AnswerTooLarge,
    Budget,
    CallStopped,
    DeadlinePassed,
    call_within,
)
from balancer.adapters.vsphere.exchange import exchanged
from balancer.adapters.vsphere.leaf_answer import Refused, Stream
from balancer.adapters.vsphere.observer import OK, RequestObserver
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.transport import ConnectFailed, WatchedConnection
from balancer.model.units import Seconds

T = TypeVar("T")

UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ExpatError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What pyVmomi's deserialiser raises on content that it does not know, and what reading it then does."""


class CallFailed(Exception):
    """A call did not end with an answer of the server. `cause` is what went wrong below."""

    result = "failed"

    def __init__(self, method: str, cause: Exception) -> None:
        self.method = method
        self.cause = cause
        super().__init__(f"{method}: {cause or type(cause).__name__}")


class NotConnected(CallFailed):
    """No connection could be made: the call was never sent."""

    result = "not_connected"


class Broken(CallFailed):
    """The connection broke, or the answer ended early: the call may or may not have been received."""

    result = "broken"


class TookTooLong(Broken):
    """The call's time is over: it may or may not have been received."""

    result = "timeout"


class TooLarge(Broken):
    """The answer was given up at the cap on its size."""

    result = "too_large"


class NotServed(Broken):
    """Something answered over HTTP that is not the API, such as 503 of a proxy in front of it.

    Nothing is wrong with single objects then, so that none is sought by asking for ever fewer.
    """

    result = "http_error"


class Stopped(Broken):
    """The call was ended from our side: it may or may not have been received."""

    result = "stopped"


class Unreadable(CallFailed):
    """The server answered, and pyVmomi cannot read it (an unknown enumeration value, for one)."""

    result = "unreadable"


class WatchedStub(SoapStubAdapter):
    """A stub for one session. Safe for several threads; each call has `timeout_s` in all.

    At most `pool_size` calls are on the wire at a time, each on a connection of its own; the others wait
    for their turn, within their time. `stop` ends every call that is under way.
    """

    def __init__(
        self,
        settings: VsphereSettings,
        context: ssl.SSLContext,
        *,
        version: str,
        timeout_s: Seconds,
        observer: RequestObserver,
        stop: threading.Event | None = None,
    ) -> None:
        # Without compression the cap on received bytes bounds what is parsed, too.
        super().__init__(
            host=settings.host,
            port=settings.port,
            version=version,
            sslContext=context,
            acceptCompressedResponses=False,
            poolSize=settings.pool_size,
        )
        self.scheme: Any = partial(WatchedConnection, settings=settings, context=context)
        self.schemeArgs: dict[str, object] = {}
        self._timeout_s = timeout_s
        self._most_bytes = settings.most_answer_bytes
        self._observer = observer
        self.stop = stop
        self._turns = threading.BoundedSemaphore(settings.pool_size)
        self._is_retired = False
        self.used_at = time.monotonic()

    def retire(self) -> None:
        """Close every connection, and those of calls that are still under way when they end."""
        self._is_retired = True
        self.DropConnections()

    # The name is pyVmomi's.
    def ReturnConnection(self, conn: Any) -> None:  # noqa: N802
        """Keep a connection for the next call, unless the stub is retired."""
        if self._is_retired:
            conn.close()
        else:
            super().ReturnConnection(conn)

    # The name and the arguments are pyVmomi's.
    def InvokeMethod(self, mo: Any, info: Any, args: Any, outerStub: Any = None) -> Any:  # noqa: N802, N803
        """Send one call once.

        Raises:
            vmodl.MethodFault: the server said no.
            CallFailed: see its subclasses.
        """
        work = partial(super().InvokeMethod, mo, info, args, outerStub)
        return self._watched(info.wsdlName, work)

    def parsed(
        self,
        target: Any,
        info: Any,
        args: tuple[Any, ...],
        parse: Callable[[Stream], T],
        written: Callable[[str], str] = str,
    ) -> T:
        """Send one call once, and have `parse` read its answer instead of pyVmomi.

        `written` makes the request that is sent of the one that pyVmomi serialised.

        Raises:
            vmodl.MethodFault: the server said no.
            CallFailed: see its subclasses.
        """
        work = partial(exchanged, self, target, info, args, parse, written)
        return self._watched(info.wsdlName, work)

    def _watched(self, method: str, work: Callable[[], T]) -> T:
        started = time.monotonic()
        result = OK
        try:
            return self._bounded(method, work)
        except vmodl.MethodFault:
            result = "fault"
            raise
        except CallFailed as err:
            result = err.result
            raise
        finally:
            self._observer.request(method, result, time.monotonic() - started)

    def _bounded(self, method: str, work: Callable[[], T]) -> T:
        try:
            with (
                call_within(self._timeout_s, most_bytes=self._most_bytes, stop=self.stop) as left,
                self._turn(left),
            ):
                answer = work()
        except ConnectFailed as err:
            cause = err.__cause__
            raise NotConnected(method, cause if isinstance(cause, Exception) else err) from err
        except TimeoutError as err:
            raise TookTooLong(method, err) from err
        except (OSError, http.client.HTTPException) as err:
            raise _broken(err)(method, err) from err
        except UNREADABLE as err:
            raise Unreadable(method, err) from err
        except Exception as err:
            if type(err) is Exception:  # pyVmomi's, for a 500 that carries no fault
                raise Unreadable(method, err) from err
            raise
        self.used_at = time.monotonic()
        if isinstance(answer, vmodl.MethodFault):  # a fault that came with 200
            raise answer
        return answer

    @contextmanager
    def _turn(self, left: Budget) -> Iterator[None]:
        try:
            while not self._turns.acquire(timeout=left.slice_s()):
                pass
        except (DeadlinePassed, CallStopped) as err:
            raise ConnectFailed("every connection was in use") from err
        try:
            yield
        finally:
            self._turns.release()


def _broken(err: Exception) -> type[Broken]:
    if isinstance(err, AnswerTooLarge):
        return TooLarge
    if isinstance(err, CallStopped):
        return Stopped
    is_other = isinstance(err, Refused) or type(err) is http.client.HTTPException
    return NotServed if is_other else Broken
