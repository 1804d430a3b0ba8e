"""The sections on what the daemon shows: HTTP with its tokens and its certificate, and the log."""

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from balancer.config.parts import FilePath, ListenPort, Part, SecretPath, Text, digest_pin
from balancer.model.access import Role

MOST_TOKENS = 256
TOKEN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$"
TokenName = Annotated[str, Field(pattern=TOKEN_NAME)]
TokenDigest = Annotated[str, AfterValidator(digest_pin)]


class HttpTls(Part):
    """The certificate that is shown to whoever connects. Files are read anew when they change."""

    certificate_file: FilePath
    key_file: SecretPath


class HttpToken(Part):
    """Who may use /api/v1. Only the token's digest stands here, never the token."""

    name: TokenName
    role: Role
    sha256: TokenDigest


class Http(Part):
    """Where /metrics, /healthz, /readyz and /api/v1 are served. Port 0 takes a free one.

    Without tokens /api/v1 answers nobody. Tokens do not leave the machine in clear: on another address than
    loopback they need `tls`, or `allow_plain_http` where something else encrypts.
    """

    listen: Text = "127.0.0.1"
    port: ListenPort = 9715
    tls: HttpTls | None = None
    tokens: Annotated[tuple[HttpToken, ...], Field(max_length=MOST_TOKENS)] = ()
    metrics_need_token: bool = False
    allow_plain_http: bool = False


class Log(Part):
    """Form and loudness of the log. `auto`: text on a terminal, JSON elsewhere."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error", "critical"] = "info"


def is_loopback(address: str) -> bool:
    """Whether only processes of this machine reach an address."""
    if address == "localhost":
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
