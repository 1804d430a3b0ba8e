"""Agree with a server on the newest API version that both know.

Owns the one request that comes before any SOAP call. Must end by its deadline and read no more than
its cap: pyVmomi's own negotiation does neither. Used when a session is opened.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import http.client
import ssl
from xml.etree import ElementTree

from pyVmomi.VmomiSupport import GetServiceVersions, versionIdMap

from balancer.adapters.vsphere.deadline import call_within
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.transport import ForbiddenMarkup, WatchedConnection

PATH = "/sdk/vimServiceVersions.xml"
MAX_LIST_BYTES = 2**20
_NAMESPACE = "vim25"


class NoCommonVersion(ValueError):
    """The server's list of versions cannot be read or holds none that is known here."""


def negotiate(settings: VsphereSettings, context: ssl.SSLContext) -> str:
    """Return pyVmomi's name of the newest common version, such as `vim.version.v8_0_3_0`.

    Raises:
        OSError: the server could not be asked (`ConnectFailed` where not even connected).
        http.client.HTTPException: the answer is not HTTP, or not 200.
        NoCommonVersion: the answer is not a list of versions, or none is known.
    """
    return newest_common(_fetched(settings, context))


def newest_common(document: bytes) -> str:
    """Return the newest version of a `vimServiceVersions.xml` that pyVmomi knows.

    A server that is newer than pyVmomi lists its own version and the prior ones that it still speaks.

    Raises:
        NoCommonVersion: see `negotiate`.
    """
    offered = _offered(document)
    known: list[str] = GetServiceVersions(_NAMESPACE)
    for version in known:  # newest first
        if versionIdMap[version] in offered:
            return version
    listed = ", ".join(sorted(offered)) or "none"
    raise NoCommonVersion(f"no API version in common; the server offers {listed}")


def _fetched(settings: VsphereSettings, context: ssl.SSLContext) -> bytes:
    connection = WatchedConnection(settings.host, settings.port, settings=settings, context=context)
    try:
        with call_within(settings.read_timeout_s, most_bytes=MAX_LIST_BYTES):
            connection.request("GET", PATH)
            answer = connection.getresponse()
            body = answer.read()
    except ForbiddenMarkup as err:
        raise NoCommonVersion(f"{PATH}: {err}") from err
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise http.client.HTTPException(f"{PATH} answered {answer.status} {answer.reason}")
    return body


def _offered(document: bytes) -> frozenset[str]:
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as err:
        raise NoCommonVersion(f"{PATH} is not XML: {err}") from err
    if root.tag != "namespaces":
        raise NoCommonVersion(f"{PATH} is not a list of versions but <{root.tag}>")
    offered: set[str] = set()
    for namespace in root.findall("namespace"):
        if namespace.findtext("name") == f"urn:{_NAMESPACE}":
            texts = [namespace.findtext("version")]
            texts += [prior.text for prior in namespace.findall("priorVersions/version")]
            offered.update(text.strip() for text in texts if text)
    return frozenset(offered)
