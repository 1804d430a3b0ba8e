"""Notices and channels for the tests of notifications."""

from pathlib import Path
from typing import Any

from balancer.adapters.notify.bulletin import Bulletin
from balancer.config.notify import EmailChannel, SlackChannel
from balancer.model.notice import Notice, NoticeKind, Severity
from tests.support.builders import NOON


def notice(number: int = 1, **facts: Any) -> Notice:
    """Return a failed migration of vm`number`."""
    defaults: dict[str, Any] = {
        "kind": NoticeKind.MIGRATION_FAILED,
        "severity": Severity.WARNING,
        "vcenter": "main",
        "cluster": "prod-a",
        "at": NOON,
        "title": "a migration failed",
        "text": f"vm{number} from esx1 to esx2 failed with Timedout",
        "key": f"migration_failed {number}",
        "facts": (("vm", f"vm{number}"),),
    }
    return Notice(**(defaults | facts))


def bulletin(*notices: Notice, **facts: Any) -> Bulletin:
    """Return a bulletin; by default of one notice."""
    defaults: dict[str, Any] = {"id": "msg_1", "at": NOON, "notices": notices or (notice(),)}
    return Bulletin(**(defaults | facts))


def named(name: str) -> Notice:
    """Return a notice in which everything that a vCenter can name has this name."""
    return notice(
        vcenter=name,
        cluster=name,
        text=f"{name} from {name} to {name} failed with {name}: {name}",
        facts=(("vm", name), ("fault", name)),
    )


def channel(**facts: Any) -> SlackChannel:
    """Return a channel that is told at once."""
    defaults: dict[str, Any] = {"name": "ops", "url_file": Path("url"), "least_interval_s": 0.01}
    return SlackChannel(**(defaults | facts))


def email(port: int, **facts: Any) -> EmailChannel:
    """Return a channel to a relay on this machine that speaks no TLS."""
    defaults: dict[str, Any] = {
        "name": "mail",
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "balancer@example.com",
        "recipients": ("ops@example.com", "night@example.com"),
    }
    return EmailChannel(**(defaults | facts))
