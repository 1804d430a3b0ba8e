"""What went wrong with a vCenter, as one paragraph for people and as a member of the error tree.

Owns the wording: what was attempted, on which host and port and as which user, what happened, what to
do. Must never show a password or a stack. Foreign errors are translated here and nowhere else.
"""

import http.client
import socket
import ssl

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.faults import fault_line
from balancer.adapters.vsphere.proxy import ProxyLoginRefused, ProxyRefused
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.stub import CallFailed, NotConnected, TookTooLong, Unreadable
from balancer.adapters.vsphere.transport import ConnectFailed, PinMismatch
from balancer.adapters.vsphere.versions import NoCommonVersion
from balancer.model.errors import (
    CredentialsUnreadable,
    LoginRefused,
    SourceAnswerInvalid,
    SourceError,
    SourceUnreachable,
    UntrustedCertificate,
)
from balancer.model.units import Seconds

_REACH = "Check the address, name resolution, routes and firewalls, and that the vCenter is up."
_SPEAKS = "Check that a vCenter answers there, and that its version is supported."


def source_error(settings: VsphereSettings, attempted: str, failure: Exception) -> SourceError:
    """Return the error that stands for a failed read or login.

    `attempted` completes "Could not ...". `failure` is a `CallFailed`, a fault, or an error of the
    version negotiation.
    """
    if isinstance(failure, vmodl.MethodFault):
        return _of_fault(settings, attempted, failure)
    if isinstance(failure, NotConnected):
        return _of_connect(settings, attempted, failure.cause)
    if isinstance(failure, ConnectFailed):
        return _of_connect(settings, attempted, failure.__cause__ or failure)
    if isinstance(failure, TookTooLong | TimeoutError):
        what = f"there was no complete answer within {settings.read_timeout_s:g} s"
        return SourceUnreachable(_paragraph(settings, attempted, what, _REACH))
    if isinstance(failure, Unreadable | NoCommonVersion):
        return not_understood(settings, attempted, _short(failure))
    what = f"the connection broke ({_short(failure)})"
    return SourceUnreachable(_paragraph(settings, attempted, what, _REACH))


def login_refused(settings: VsphereSettings, username: str, what: str) -> LoginRefused:
    """Return the error of a refused login. `username` is the one that was tried."""
    wait = f"{(LoginRefused.retry_after_s or 0) / 60:g} minutes"
    mend = (
        "Check user name and password; the account may also be locked or expired. So that it is not"
        f" locked by us, the same password is not tried again for {wait}; a changed one is tried"
        " at once."
    )
    return LoginRefused(_paragraph(settings, "log in", what, mend, username=username))


def held_back(settings: VsphereSettings, username: str, wait_s: Seconds) -> SourceUnreachable:
    """Return the error of a login that waits, because earlier ones had no answer."""
    what = f"two logins had no answer, and the next one is sent in {wait_s:.0f} s"
    mend = "So that the account is not locked, in case they were wrong, nothing is sent until then."
    return SourceUnreachable(_paragraph(settings, "log in", what, mend, username=username))


def not_understood(settings: VsphereSettings, attempted: str, what: str) -> SourceAnswerInvalid:
    """Return the error of an answer that lacks what every vCenter's has, or holds what none has."""
    found = f"the server answered with something that cannot be read ({what})"
    return SourceAnswerInvalid(_paragraph(settings, attempted, found, _SPEAKS))


def credentials_unreadable(
    settings: VsphereSettings, failure: BaseException
) -> CredentialsUnreadable:
    """Return the error of a user name or password that is not there. Nothing was sent."""
    what = f"user name or password cannot be read ({' '.join(str(failure).split())})"
    mend = "Put the file in place, with one line of text that this program may read."
    return CredentialsUnreadable(_paragraph(settings, "log in", what, mend))


def _of_fault(settings: VsphereSettings, attempted: str, fault: vmodl.MethodFault) -> SourceError:
    what = f"the server refused with {fault_line(fault)}"
    if isinstance(fault, vim.fault.NotAuthenticated):
        mend = "The session was ended twice in a row; see on the vCenter who ends it."
        return SourceUnreachable(_paragraph(settings, attempted, what, mend))
    if isinstance(fault, vim.fault.NoPermission):
        mend = "Give the account the role described in the documentation, on the vCenter's root."
        return SourceAnswerInvalid(_paragraph(settings, attempted, what, mend))
    mend = "See the vCenter's own log for the reason."
    return SourceAnswerInvalid(_paragraph(settings, attempted, what, mend))


def _of_connect(settings: VsphereSettings, attempted: str, cause: BaseException) -> SourceError:
    if isinstance(cause, PinMismatch):
        what = f"its certificate has the SHA-256 thumbprint {cause.shown}, pinned is {settings.pin}"
        mend = (
            "Nothing was sent. If the certificate was renewed on purpose, set thumbprint_sha256 to"
            " the new one; if not, find out who answers at this address."
        )
        return UntrustedCertificate(_paragraph(settings, attempted, what, mend))
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = f"its certificate is not trusted ({cause.verify_message})"
        mend = (
            "Nothing was sent. Set ca_file to the certificate of the authority that signed it (a"
            f" vCenter offers its own under https://{settings.host}/certs/download.zip), or"
            " thumbprint_sha256 to the thumbprint read on the vCenter itself."
        )
        return UntrustedCertificate(_paragraph(settings, attempted, what, mend))
    if isinstance(cause, ProxyLoginRefused):
        what = f"the HTTP proxy {_proxy(settings)} wants other credentials ({cause})"
        mend = (
            "Check the file with the proxy's credentials. So that the account is not locked by us,"
            f" the same are not tried again for {(LoginRefused.retry_after_s or 0) / 60:g} minutes."
        )
        return LoginRefused(_paragraph(settings, attempted, what, mend))
    return SourceUnreachable(_paragraph(settings, attempted, _unreached(settings, cause), _REACH))


def _proxy(settings: VsphereSettings) -> str:
    return settings.proxy.where if settings.proxy else ""


def _unreached(settings: VsphereSettings, cause: BaseException) -> str:
    through = f" through the HTTP proxy {_proxy(settings)}" if settings.proxy else ""
    if isinstance(cause, ProxyRefused):
        return f"the HTTP proxy {_proxy(settings)} opened no way ({cause})"
    if isinstance(cause, socket.gaierror):
        name = settings.proxy.host if settings.proxy else settings.host
        return f"the name {name} cannot be resolved"
    if isinstance(cause, TimeoutError):
        return f"no connection within {settings.connect_timeout_s:g} s{through}"
    if isinstance(cause, ssl.SSLError):
        return f"the TLS handshake failed ({cause.reason or _short(cause)})"
    if isinstance(cause, ConnectionRefusedError):
        where = f" at {_proxy(settings)}" if settings.proxy else " there"
        return f"nothing listens{where} (connection refused){through}"
    return f"no connection{through} ({_short(cause)})"


def _paragraph(
    settings: VsphereSettings, attempted: str, what: str, mend: str, *, username: str = ""
) -> str:
    whom = f"vCenter {settings.name} ({settings.where}) as {username or settings.username}"
    return f"Could not {attempted} at {whom}: {what}. {mend}"


def _short(failure: BaseException) -> str:
    inner = failure.cause if isinstance(failure, CallFailed) else failure
    name = type(inner).__name__
    if isinstance(inner, http.client.RemoteDisconnected):
        return "the server closed it without an answer"
    text = " ".join(str(inner).split())[:200]
    return f"{name}: {text}" if text else name
