"""What went wrong with a vCenter, as one paragraph for people and as a member of the error tree.

Owns the wording: what was attempted, on which host and port and as which user, what happened, what to
do. Must never show a password or a stack. Foreign errors are translated here and nowhere else.
"""

import http.client
import socket
import ssl

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.faults import fault_line
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.stub import CallFailed, NotConnected, TookTooLong, Unreadable
from balancer.adapters.vsphere.transport import ConnectFailed, PinMismatch
from balancer.adapters.vsphere.versions import NoCommonVersion
from balancer.model.errors import (
    LoginRefused,
    SourceAnswerInvalid,
    SourceError,
    SourceUnreachable,
    UntrustedCertificate,
)

_REACH = "Check the address, name resolution, routes and firewalls, and that the vCenter is up."


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
        what = f"the server answered with something that cannot be read ({_short(failure)})"
        mend = "Check that a vCenter answers there, and that its version is supported."
        return SourceAnswerInvalid(_paragraph(settings, attempted, what, mend))
    what = f"the connection broke ({_short(failure)})"
    return SourceUnreachable(_paragraph(settings, attempted, what, _REACH))


def login_refused(settings: VsphereSettings, what: str) -> LoginRefused:
    """Return the error of a refused login."""
    wait = f"{(LoginRefused.retry_after_s or 0) / 60:g} minutes"
    mend = (
        "Check user name and password; the account may also be locked or expired. So that it is not"
        f" locked by us, the same password is not tried again for {wait}; a changed one is tried"
        " at once."
    )
    return LoginRefused(_paragraph(settings, "log in", what, mend))


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
    return SourceUnreachable(_paragraph(settings, attempted, _unreached(settings, cause), _REACH))


def _unreached(settings: VsphereSettings, cause: BaseException) -> str:
    if isinstance(cause, socket.gaierror):
        return f"the name {settings.host} cannot be resolved"
    if isinstance(cause, TimeoutError):
        return f"no connection within {settings.connect_timeout_s:g} s"
    if isinstance(cause, ssl.SSLError):
        return f"the TLS handshake failed ({cause.reason or _short(cause)})"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    return f"no connection ({_short(cause)})"


def _paragraph(settings: VsphereSettings, attempted: str, what: str, mend: str) -> str:
    whom = f"vCenter {settings.name} ({settings.where}) as {settings.username}"
    return f"Could not {attempted} at {whom}: {what}. {mend}"


def _short(failure: BaseException) -> str:
    inner = failure.cause if isinstance(failure, CallFailed) else failure
    name = type(inner).__name__
    if isinstance(inner, http.client.RemoteDisconnected):
        return "the server closed it without an answer"
    text = " ".join(str(inner).split())[:200]
    return f"{name}: {text}" if text else name
