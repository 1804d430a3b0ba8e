"""Where a vCenter is, who logs in, and how long its answers may take.

Owns the settings of one vCenter as plain values and checks them once. Reads no file and opens no
connection. Built by the configuration, used by everything in this package.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from balancer.adapters.vsphere.deadline import MAX_ANSWER_BYTES
from balancer.model.units import Seconds

_SHA256_HEX_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """An HTTP proxy that opens ways with CONNECT. It is spoken to without TLS.

    `credentials` are `user:password`, or a callable that is asked before each connection. None: the
    proxy asks for none.
    """

    host: str
    port: int
    credentials: str | Callable[[], str] | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """Return host and port for messages."""
        return f"{self.host}:{self.port}"

    def current_credentials(self) -> str | None:
        """Return the credentials as they are now."""
        return self.credentials() if callable(self.credentials) else self.credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class VsphereSettings:
    """One vCenter. `name` stands in journal, metrics and log; `host` is resolved and verified.

    `password` may be a callable: it is asked before each login, so that a changed file counts at
    once. So is `username_source` where given; `username` is then the name that messages show.
    `thumbprint_sha256` pins the server's certificate (64 hex digits, colons allowed) and then
    stands in for the certificate authorities. `page_size` is in objects per page, `pool_size` the
    most connections that one session has at a time, `concurrency` the most statistics queries of one
    reading that are under way at a time; an answer longer than `most_answer_bytes` is
    given up. `full_read_every_s` is the longest time that facts which seldom
    change are kept. `read_tags` asks the REST API for vSphere tags.

    Raises:
        ValueError: a number is out of range, the thumbprint is not one, or the host holds a blank.
    """

    name: str
    host: str
    username: str
    password: str | Callable[[], str] = field(repr=False)
    port: int = 443
    ca_file: Path | None = None
    thumbprint_sha256: str | None = None
    connect_timeout_s: Seconds = 10.0
    read_timeout_s: Seconds = 60.0
    submit_timeout_s: Seconds = 30.0
    page_size: int = 500
    full_read_every_s: Seconds = 600.0
    username_source: Callable[[], str] | None = field(default=None, repr=False)
    proxy: ProxySettings | None = None
    pool_size: int = 8
    concurrency: int = 4
    most_answer_bytes: int = MAX_ANSWER_BYTES
    read_tags: bool = True

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.port <= 65_535:
            raise ValueError(f"port {self.port} is not in 1..65535")
        for name in (
            "connect_timeout_s",
            "read_timeout_s",
            "submit_timeout_s",
            "full_read_every_s",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("page_size", "pool_size", "concurrency", "most_answer_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.host or any(c.isspace() or not c.isprintable() for c in self.host):
            raise ValueError(f"host must be a name or an address, not {self.host!r}")
        if self.thumbprint_sha256 is not None and self.pin is None:
            raise ValueError("thumbprint_sha256 must have 64 hexadecimal digits")

    @property
    def where(self) -> str:
        """Return host and port for messages."""
        return f"{self.host}:{self.port}"

    @property
    def pin(self) -> str | None:
        """Return the pinned thumbprint in lower case without colons, None where none is set."""
        if self.thumbprint_sha256 is None:
            return None
        digits = self.thumbprint_sha256.replace(":", "").strip().lower()
        is_hex = all(digit in "0123456789abcdef" for digit in digits)
        return digits if is_hex and len(digits) == _SHA256_HEX_DIGITS else None

    def current_password(self) -> str:
        """Return the password as it is now."""
        return self.password if isinstance(self.password, str) else self.password()

    def current_username(self) -> str:
        """Return the user name as it is now."""
        return self.username if self.username_source is None else self.username_source()
