"""The files and names of the section on notifications: missing, wrong, open to other accounts, given twice."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from balancer.config.notify import Channel, EmailChannel, Notify, WebChannel, WebhookChannel
from balancer.model.errors import InputError, Problem
from balancer.policy.file_access import is_file
from balancer.policy.problems import Mistake, nearest, plain, shown
from balancer.policy.unchecked import entries, mapping, text, texts

_KINDS = ("webhook", "slack", "teams", "email")


def lost_notify_files(notify: Notify) -> Iterator[Problem]:
    """Yield what is wrong with the files of all channels."""
    for channel in notify.channels:
        for read in _readers(channel):
            try:
                read()
            except InputError as err:
                yield from err.problems
        ca_file = channel.ca_file if isinstance(channel, WebChannel | EmailChannel) else None
        if ca_file and not is_file(ca_file):
            yield Problem(where=f"ca_file of {channel.owner}", found=f"there is no file {ca_file}")


def exposed_notify_secrets(notify: Notify) -> Iterator[Problem]:
    """Yield the secrets of channels that other accounts of this machine may read."""
    for channel in notify.channels:
        for setting, path in _secrets(channel).items():
            if is_file(path) and path.stat().st_mode & 0o007:
                yield Problem(
                    where=f"{setting} of {channel.owner}",
                    found=f"{path} can be read or written by every account of this machine",
                    hint=f"chmod 600 {path}",
                )


def notify_mistakes(data: object) -> Iterator[Mistake]:
    """Yield what is wrong between the settings of channels, from the plain values of a file."""
    notify = mapping(data).get("notify")
    clusters = {
        f"{text(cluster, 'vcenter')}/{text(cluster, 'name')}"
        for _, cluster in entries(data, "clusters")
    }
    names: set[str] = set()
    for kind in _KINDS:
        for index, channel in entries(notify, kind):
            path, name = ("notify", kind, index), text(channel, "name")
            if name in names:
                found = f"{shown(name)} is given twice"
                yield Mistake(path=(*path, "name"), found=found, allowed="each channel once")
            names |= {name} - {""}
            for unknown in sorted(set(texts(channel, "clusters")) - clusters - {""}):
                yield Mistake(
                    path=(*path, "clusters"),
                    found=f"there is no cluster {shown(unknown)}",
                    allowed=plain(", ".join(sorted(clusters))),
                    hint=nearest(unknown, clusters),
                )
            if kind == "email":
                yield from _mail_mistakes(channel, path)


def _mail_mistakes(channel: Mapping[str, object], path: tuple[str | int, ...]) -> Iterator[Mistake]:
    has_user, has_password = (channel.get(key) is not None for key in ("username", "password_file"))
    if has_user != has_password:
        found = "username without password_file" if has_user else "password_file without username"
        yield Mistake(path=path, found=found, allowed="both, or neither")
    if has_user and channel.get("security") == "none":
        yield Mistake(
            path=(*path, "security"),
            found="none beside username",
            allowed="starttls or tls: a password is not sent in the clear",
        )


def _readers(channel: Channel) -> Iterator[Callable[[], object]]:
    if isinstance(channel, WebChannel):
        yield channel.url
    if isinstance(channel, WebhookChannel):
        yield channel.key
    if isinstance(channel, EmailChannel) and channel.password_file:
        yield channel.password


def _secrets(channel: Channel) -> dict[str, Path]:
    found: dict[str, Path] = {}
    if isinstance(channel, WebChannel):
        found["url_file"] = channel.url_file
    if isinstance(channel, WebhookChannel):
        found["secret_file"] = channel.secret_file
    if isinstance(channel, EmailChannel) and channel.password_file:
        found["password_file"] = channel.password_file
    return found
