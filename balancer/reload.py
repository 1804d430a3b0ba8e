"""A changed configuration, taken up while the daemon runs: all of it or nothing.

Owns when it is looked at the files, and what may change without a restart. Everything is read and checked
before anything is taken; what is wrong is refused, and the version before it stays in force. It opens no
connection and starts nothing: what is taken goes to the daemon.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from balancer.config import Config, load_config
from balancer.expose.health import Health
from balancer.expose.logs import configure_logging
from balancer.expose.metrics import Metrics
from balancer.model.errors import InputError, Problem
from balancer.policy.file_access import files_in, first_bytes
from balancer.policy.load import SITE_FOLDER
from balancer.policy.strict_yaml import MOST_BYTES
from balancer.watch import Link, Watch
from balancer.wiring import watches_of

log = logging.getLogger(__name__)

NEEDS_RESTART = (
    "vcenters",
    "journal",
    "history",
    "stop_file",
    "planning",
    "http",
    "notify",
    "record",
)
"""Read at the start only: connections, files of journal, history and stop, caps of planning, the address, channels,
and what is recorded."""

NO_RESTART = "http.tokens"
"""A part of these sections that may change all the same: a token that is known to others is taken away at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A configuration as it was read from a file, and the digest of all files that it is made of."""

    path: Path
    config: Config
    digest: str

    @property
    def is_settled(self) -> bool:
        """Whether the files still say what they said then."""
        return digest_of(self.path, self.config) == self.digest


def version_of(path: Path, config: Config) -> Version:
    """Return a configuration that was read just now with the digest of its files."""
    return Version(path=path, config=config, digest=digest_of(path, config))


class Reloading:
    """The version in force, and what the files have said since.

    `take` is given the clusters of a new version, all read and checked. It must not fail. `announced` is
    around every reload that was asked for, and around the taking of every other.
    """

    def __init__(
        self,
        version: Version,
        *,
        links: Mapping[str, Link],
        take: Callable[[Sequence[Watch]], None],
        metrics: Metrics,
        health: Health,
        announced: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._announced = announced
        self._version = version
        self._links = links
        self._take = take
        self._metrics = metrics
        self._health = health
        self._refused = ""
        self._seen = version.digest
        metrics.config_loaded(version.digest)

    @property
    def config(self) -> Config:
        """Return the configuration in force."""
        return self._version.config

    def look(self) -> None:
        """Take up a new version where the files have changed and have then stayed as they are.

        A version that was refused is tried again, as what it names may come later; the log hears of it
        only if there is something new to say.
        """
        seen, before = self._now(), self._seen
        self._seen = seen
        if seen == before and (seen != self._version.digest or self._refused):
            found = self._read(seen)
            if found:
                with self._announced():
                    self._accept(*found)

    def reload(self) -> None:
        """Take up what the files say now; that nothing has changed is told too."""
        with self._announced():
            self._reload()

    def _reload(self) -> None:
        self._seen = self._now()
        if self._seen == self._version.digest and not self._refused:
            log.info("configuration unchanged", extra={"path": str(self._version.path)})
            return
        self._refused = ""  # whoever asks gets an answer
        found = self._read(self._seen)
        if found:
            self._accept(*found)

    def _now(self) -> str:
        return digest_of(self._version.path, self._version.config)

    def _read(self, digest: str) -> tuple[Version, tuple[Watch, ...]] | None:
        """Read everything; None where it is refused, or changed meanwhile: that is left to the next look."""
        path = self._version.path
        try:
            config = load_config(path)
            version = version_of(path, config)
            problems = tuple(restart_problems(path, self._version.config, config))
            if problems:
                raise InputError(f"configuration {path}", problems)
            watches = watches_of(config, self._links)
        except InputError as err:
            self._refuse(str(err))
            return None
        return (version, watches) if self._now() == digest and version.is_settled else None

    def _accept(self, version: Version, watches: Sequence[Watch]) -> None:
        self._version, self._refused, self._seen = version, "", version.digest
        configure_logging(version.config.log.format, version.config.log.level)
        self._take(watches)
        self._metrics.config_loaded(version.digest)
        self._health.configuration_refused("")
        told = {"path": str(version.path), "digest": version.digest}
        log.info("configuration loaded", extra=told)

    def _refuse(self, why: str) -> None:
        self._metrics.config_rejected()
        self._health.configuration_refused(why)
        if why != self._refused:
            log.error("configuration refused, the old one stays in force", extra={"error": why})
        self._refused = why


def restart_problems(path: Path, old: Config, new: Config) -> Iterator[Problem]:
    """Yield the settings that differ and cannot be changed while the daemon runs. Values are not told."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    for section in NEEDS_RESTART:
        for setting in _differences(before[section], after[section], section):
            if setting.startswith(NO_RESTART):
                continue
            yield Problem(
                where=f"{path}: {setting}",
                found="changed",
                allowed="only at a start",
                hint="restart the daemon, or undo this change to have the others taken up",
            )


def _differences(old: object, new: object, name: str) -> Iterator[str]:
    """Yield the names of settings that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(one, other, f"{name}[{index}]")
    elif old != new:
        yield name


def digest_of(path: Path, config: Config) -> str:
    """Return 16 hexadecimal digits over the configuration file and every policy file that may count.

    Contents are read, not times, so that a swapped symbolic link counts and a touched file does not.
    """
    digest = hashlib.sha256()
    for file in (path, *_policy_files(config)):
        try:
            content = first_bytes(file, MOST_BYTES + 1)
        except OSError as err:
            content = f"cannot be read: {err.errno}".encode()
        for piece in (str(file).encode("utf-8", "surrogateescape"), content):
            digest.update(hashlib.sha256(piece).digest())
    return digest.hexdigest()[:16]


def _policy_files(config: Config) -> list[Path]:
    """Return the policies that are named by path, and all in the folders that are looked into."""
    every = {name for cluster in config.clusters for name in cluster.policies}
    named = {Path(name) for name in every if "/" in name or name.endswith((".yaml", ".yml"))}
    folders = (*config.policy_folders, SITE_FOLDER)
    listed = {file for folder in folders for file in files_in(folder)}
    return sorted(named | {file for file in listed if file.suffix in (".yaml", ".yml")})
