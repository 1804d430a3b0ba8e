"""Where a vCenter is, who logs in, and how long its answers may take.

Owns the settings of one vCenter as plain values and checks them once. Reads no file and opens no
connection. Built by the configuration, used by everything in this package.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from balancer.model.units import Seconds

_SHA256_HEX_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class VsphereSettings:
    """One vCenter. `name` stands in journal, metrics and log; `host` is resolved and verified.

    `password` may be a callable: it is asked before each login, so that a changed file counts at
    once. `thumbprint_sha256` pins the server's certificate (64 hex digits, colons allowed) and then
    stands in for the certificate authorities. `page_size` is in objects per page. `read_tags` asks the
    REST API for vSphere tags.

    Raises:
        ValueError: a number is out of range or the thumbprint is not one.
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
    read_tags: bool = True

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.port <= 65_535:
            raise ValueError(f"port {self.port} is not in 1..65535")
        for name in ("connect_timeout_s", "read_timeout_s", "submit_timeout_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.page_size < 1:
            raise ValueError(f"page_size must be at least 1, not {self.page_size}")
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
