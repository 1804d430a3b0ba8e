"""One SOAP call whose answer is parsed here and not by pyVmomi.

Owns the sending of a request that pyVmomi serialises, over pyVmomi's connection and session, and the
reading of the answer as it arrives. A fault is small and goes to pyVmomi, so that both ways raise the same
classes. Sends once, and never keeps a connection whose answer was not read to its end. Used by the stub.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import http.client
import re
from collections.abc import Callable
from typing import Any, TypeVar

from pyVmomi import vmodl
from pyVmomi.SoapAdapter import SoapResponseDeserializer, SoapStubAdapter

from balancer.adapters.vsphere.leaf_answer import Stream

T = TypeVar("T")

_LOOKED_AT_BYTES = 4096
_FAULT = re.compile(rb"<(?:[\w.-]+:)?Fault[\s>]")
"""SOAP's own element: it comes first in its body. Some servers send one with 200."""


def exchanged(
    stub: SoapStubAdapter,
    target: Any,
    info: Any,
    args: tuple[Any, ...],
    parse: Callable[[Stream], T],
    written: Callable[[str], str],
) -> T:
    """Send one call and return what `parse` makes of its answer.

    `written` makes the request that is sent of the one that pyVmomi serialised.

    Raises:
        vmodl.MethodFault: the server said no.
        OSError, http.client.HTTPException: the connection broke, or the answer is not SOAP.
        Exception: whatever `parse` raises.
    """
    request = written(stub.SerializeRequest(target, info, args).decode()).encode()
    connection = stub.GetConnection()
    try:
        connection.request("POST", stub.path, request, _headers(stub))
        answer = connection.getresponse()
        result = _read(stub, info, answer, parse)
    except BaseException:
        connection.close()
        stub.DropConnections()  # the others may be as dead
        raise
    stub.ReturnConnection(connection)
    if isinstance(result, vmodl.MethodFault):
        raise result
    return result


def _headers(stub: SoapStubAdapter) -> dict[str, str]:
    return {
        "Cookie": stub.cookie,
        "SOAPAction": stub.versionId,
        "Content-Type": "text/xml; charset=UTF-8",
    }


def _read(
    stub: SoapStubAdapter,
    info: Any,
    answer: http.client.HTTPResponse,
    parse: Callable[[Stream], T],
) -> T | vmodl.MethodFault:
    if answer.status == http.HTTPStatus.OK:
        first = answer.read(_LOOKED_AT_BYTES)
        if not _FAULT.search(first):
            result = parse(_Rejoined(first, answer))
            answer.read()
            return result
    elif answer.status == http.HTTPStatus.INTERNAL_SERVER_ERROR:
        first = b""
    else:
        raise http.client.HTTPException(f"{answer.status} {answer.reason}")
    return _fault(stub, info, first + answer.read())


def _fault(stub: SoapStubAdapter, info: Any, body: bytes) -> vmodl.MethodFault:
    """Return the fault that an answer holds; raises what pyVmomi does, or ValueError, where it holds none."""
    if b"<!DOCTYPE" in body:
        raise ValueError("the fault has a document type, which SOAP forbids")
    fault = SoapResponseDeserializer(stub).Deserialize(body, info.result)
    if not isinstance(fault, vmodl.MethodFault):
        raise ValueError("no fault where one was expected")
    return fault


class _Rejoined:
    """A stream of which the first bytes were read already."""

    def __init__(self, first: bytes, rest: http.client.HTTPResponse) -> None:
        self._first, self._rest = first, rest

    def read(self, amount: int, /) -> bytes:
        """Return the next bytes, none at the end."""
        first, self._first = self._first, b""
        return first or self._rest.read(amount)
