"""The certificate that a vCenter shows, whether or not it is trusted.

Owns handshakes that end before a single byte is sent: the verified one first, as every client of this
package makes it, and where that is refused one that trusts nothing and only looks. Must never hand a
connection on that was not verified. Used by the examination.

The standard library tells the fields of a certificate only after it has verified it. To look at one that
is not trusted, it is verified against itself, without regard to its dates and names.
Source: OpenSSL, X509_VERIFY_PARAM_set_flags(3).
"""

import hashlib
import ssl
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.transport import (
    ConnectFailed,
    PinMismatch,
    WatchedConnection,
    tls_context,
)
from balancer.model.checkup import Certificate, Trust

_PARTIAL_CHAIN = 0x80000
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_PARTIAL_CHAIN and X509_V_FLAG_NO_CHECK_TIME of OpenSSL."""

_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "domainComponent": "DC",
}


def shown_certificate(settings: VsphereSettings) -> Certificate:
    """Return the certificate that the server shows, with the reason where it is not trusted.

    Raises:
        ConnectFailed: nobody could be reached, or it was no TLS handshake.
        OSError: the file with the certificate authorities cannot be read.
    """
    refused = _why_refused(settings)
    der = _looked_at(settings, _blind())
    fields = _fields(settings, der)
    return Certificate(
        subject=_name(fields.get("subject", ())),
        issuer=_name(fields.get("issuer", ())),
        names=tuple(str(value) for _, value in fields.get("subjectAltName", ())),
        not_after=_instant(fields["notAfter"]),
        thumbprint_sha256=hashlib.sha256(der).hexdigest(),
        trust=_trust(settings),
        refused=refused,
    )


def _why_refused(settings: VsphereSettings) -> str:
    try:
        _looked_at(settings, tls_context(settings), pinned=True)
    except ConnectFailed as err:
        if isinstance(err.__cause__, PinMismatch):
            return "another thumbprint is pinned"
        if isinstance(err.__cause__, ssl.SSLCertVerificationError):
            return str(err.__cause__.verify_message or err.__cause__)
        raise
    return ""


def _looked_at(
    settings: VsphereSettings, context: ssl.SSLContext, *, pinned: bool = False
) -> bytes:
    """Return the certificate of one handshake, in DER. The connection is closed at once."""
    used = settings if pinned else replace(settings, thumbprint_sha256=None)
    connection = WatchedConnection(used.host, used.port, settings=used, context=context)
    try:
        connection.connect()
        secured: Any = connection.sock
        return bytes(secured.getpeercert(binary_form=True))
    finally:
        connection.close()


def _fields(settings: VsphereSettings, der: bytes) -> dict[str, Any]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags = ssl.VerifyFlags(_PARTIAL_CHAIN | _NO_CHECK_TIME)
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(der))
    used = replace(settings, thumbprint_sha256=None)
    connection = WatchedConnection(used.host, used.port, settings=used, context=context)
    try:
        connection.connect()
        secured: Any = connection.sock
        return dict(secured.getpeercert())
    finally:
        connection.close()


def _blind() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _trust(settings: VsphereSettings) -> Trust:
    if settings.pin:
        return Trust.PIN
    return Trust.CA_FILE if settings.ca_file else Trust.SYSTEM


def _name(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    """Return a distinguished name such as `CN=vc1.example.com, O=Example`, most special part first."""
    words = [f"{_SHORT.get(key, key)}={value}" for part in parts for key, value in part]
    return ", ".join(reversed(words)) or "(no name)"


def _instant(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), tz=UTC)
