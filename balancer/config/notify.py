"""The section on notifications: through which channels people are told, of what, and how often.

Addresses of chat channels are secrets: who knows them may write there. They stand in files, like passwords and
keys, and are read anew for each message.
"""

import base64
import binascii
import ipaddress
from email.utils import parseaddr
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from balancer.config.parts import (
    FilePath,
    HostName,
    Part,
    Port,
    SecretPath,
    Text,
    named_file,
    secret,
)
from balancer.model.errors import InputError, Problem
from balancer.model.notice import NoticeKind, Severity
from balancer.policy.limits_document import PositiveSeconds

LEAST_KEY_BYTES, MOST_KEY_BYTES = 24, 64
"""Length of a key that signs. Source: Standard Webhooks 1.0, "Signature scheme"."""

_KEY_PREFIX = "whsec_"


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(
            "an address such as http://proxy.example.com:3128, without user and password"
        )
    return text


def _address(text: str) -> str:
    """Return a bare address: it becomes a header and an argument of SMTP commands."""
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(' <>,;:"\\()[]')
    if name or address != text or not local or not domain or not is_plain:
        raise ValueError("a bare address such as ops@example.com, without a name before it")
    return text


MailAddress = Annotated[str, AfterValidator(_address)]
ProxyUrl = Annotated[str, AfterValidator(_proxy_url)]


class Channel(Part):
    """What every channel has: its name, and what it is told. Nothing chosen: everything.

    `clusters` are named as "vcenter/cluster"; `least_interval_s` lies between two messages at least.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    events: tuple[NoticeKind, ...] = ()
    clusters: tuple[Text, ...] = ()
    least_severity: Severity = Severity.INFO
    least_interval_s: PositiveSeconds = 60.0

    @property
    def owner(self) -> str:
        """Return how messages call it."""
        return f"channel {self.name}"


class WebChannel(Channel):
    """A channel that is told by a POST to an address. `proxy`: through which proxy, if any."""

    url_file: SecretPath
    ca_file: FilePath | None = None
    proxy: ProxyUrl | None = None

    def url(self) -> str:
        """Return the address, read anew.

        Raises:
            InputError: the file cannot be read, or holds no https address. The address is not repeated.
        """
        text = secret(self.url_file, "url_file", self.owner)
        where, allowed = (
            f"url_file of {self.owner}",
            "one line, an address that begins with https://",
        )
        found = f"{named_file(self.url_file)} does not hold an address that can be used"
        try:
            parts = urlsplit(text)
            is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            is_whole = False
        is_plain = text.isascii() and text.isprintable() and " " not in text
        if not is_plain or not is_whole or parts.username is not None:
            raise InputError(where, (Problem(where=where, found=found, allowed=allowed),))
        is_safe = parts.scheme == "https" or (
            parts.scheme == "http" and is_loopback(parts.hostname or "")
        )
        if not is_safe:
            problem = Problem(where=where, found=found, allowed=f"{allowed} (http:// on loopback)")
            raise InputError(where, (problem,))
        return text


class WebhookChannel(WebChannel):
    """JSON, signed with the key in `secret_file`."""

    secret_file: SecretPath

    def key(self) -> bytes:
        """Return the key that signs, read anew.

        Raises:
            InputError: the file cannot be read, or does not hold 24 to 64 bytes in Base64.
        """
        text = secret(self.secret_file, "secret_file", self.owner).removeprefix(_KEY_PREFIX)
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not LEAST_KEY_BYTES <= len(key) <= MOST_KEY_BYTES:
            where = f"secret_file of {self.owner}"
            problem = Problem(
                where=where,
                found=f"{named_file(self.secret_file)} does not hold such a key",
                allowed=f"{LEAST_KEY_BYTES} to {MOST_KEY_BYTES} bytes in Base64",
                hint="make one with: openssl rand -base64 32",
            )
            raise InputError(where, (problem,))
        return key


class SlackChannel(WebChannel):
    """An incoming webhook of Slack."""


class TeamsChannel(WebChannel):
    """A workflow of Teams that begins with a webhook and posts the card that it is given."""


class EmailChannel(Channel):
    """Mail through a relay. `security: none` sends no password, and trusts the network."""

    host: HostName
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: FilePath | None = None
    username: Text | None = None
    password_file: SecretPath | None = None
    sender: MailAddress
    recipients: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=50)]

    def password(self) -> str:
        """Return the password, read anew.

        Raises:
            InputError: the file cannot be read or is empty.
        """
        assert self.password_file is not None, "asked for only where a user name is given"
        return secret(self.password_file, "password_file", self.owner)


class Notify(Part):
    """The channels through which people are told, by their kind. None: nobody is told."""

    webhook: Annotated[tuple[WebhookChannel, ...], Field(max_length=8)] = ()
    slack: Annotated[tuple[SlackChannel, ...], Field(max_length=8)] = ()
    teams: Annotated[tuple[TeamsChannel, ...], Field(max_length=8)] = ()
    email: Annotated[tuple[EmailChannel, ...], Field(max_length=8)] = ()

    @property
    def web(self) -> tuple[WebChannel, ...]:
        """Return the channels that are told by HTTP."""
        return (*self.webhook, *self.slack, *self.teams)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Return all channels."""
        return (*self.web, *self.email)
