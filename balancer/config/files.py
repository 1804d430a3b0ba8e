"""The files that a configuration names: missing, unreadable, empty, or open to other accounts."""

from collections.abc import Iterator
from pathlib import Path

from balancer.config.document import Config
from balancer.config.notify_files import exposed_notify_secrets, lost_notify_files
from balancer.config.vcenter import VCenter
from balancer.model.errors import InputError, Problem
from balancer.policy.file_access import is_file


def file_problems(config: Config) -> tuple[Problem, ...]:
    """Return what is wrong with the files that the configuration names: missing, unreadable, empty."""
    lost = [problem for vcenter in config.vcenters for problem in _lost_files(vcenter)]
    return (*lost, *_lost_certificate(config), *lost_notify_files(config.notify))


def exposed_secrets(config: Config) -> tuple[Problem, ...]:
    """Return the files with secrets that other accounts of this machine may read."""
    exposed = [problem for vcenter in config.vcenters for problem in _exposed(vcenter)]
    key_file = config.http.tls.key_file if config.http.tls else None
    key = _open_to_all("http.tls.key_file", key_file)
    return (*exposed, *key, *exposed_notify_secrets(config.notify))


def _lost_files(vcenter: VCenter) -> Iterator[Problem]:
    for read in (vcenter.user, vcenter.password):
        try:
            read()
        except InputError as err:
            yield from err.problems
    if vcenter.proxy and vcenter.proxy.credentials_file:
        try:
            vcenter.proxy.credentials(vcenter.name)
        except InputError as err:
            yield from err.problems
    ca_file = vcenter.tls.ca_file
    if ca_file and not is_file(ca_file):
        where = f"tls.ca_file of vCenter {vcenter.name}"
        yield Problem(where=where, found=f"there is no file {ca_file}")


def _exposed(vcenter: VCenter) -> Iterator[Problem]:
    proxy = vcenter.proxy.credentials_file if vcenter.proxy else None
    secrets = {"password_file": vcenter.password_file, "proxy.credentials_file": proxy}
    for setting, path in secrets.items():
        yield from _open_to_all(f"{setting} of vCenter {vcenter.name}", path)


def _open_to_all(where: str, path: Path | None) -> Iterator[Problem]:
    if path and is_file(path) and path.stat().st_mode & 0o007:
        yield Problem(
            where=where,
            found=f"{path} can be read or written by every account of this machine",
            hint=f"chmod 600 {path}",
        )


def _lost_certificate(config: Config) -> Iterator[Problem]:
    tls = config.http.tls
    named = {"certificate_file": tls.certificate_file, "key_file": tls.key_file} if tls else {}
    for setting, path in named.items():
        if not is_file(path):
            yield Problem(where=f"http.tls.{setting}", found=f"there is no file {path}")
