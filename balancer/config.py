"""The settings of the program: which vCenters and clusters, with which policies, journal, HTTP and log.

It owns the configuration file: strict types, every setting's default, checks that span settings, and
secrets by reference only (a file is named, its content is read when a login needs it). It connects to
nothing. Paths are relative to the configuration file.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from balancer.model.errors import InputError, Problem
from balancer.policy.compose import PolicySet, load_policy_set
from balancer.policy.file_access import first_bytes, is_file, is_folder
from balancer.policy.limits_document import PositiveSeconds
from balancer.policy.load import DEFAULT_POLICY
from balancer.policy.mode import Mode
from balancer.policy.problems import Loc, Mistake, closest, nearest, plain, shown
from balancer.policy.strict_yaml import read_yaml
from balancer.policy.typed_document import typed
from balancer.policy.unchecked import entries, known, mapping, text, texts

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what `LoadCredential=` names. Source: systemd.exec(5), "CREDENTIALS"."""

MOST_SECRET_BYTES = 4096
_PIN_DIGITS = 64
_USER_KEYS = ("username", "username_file")
_SCOPE = {"vcenter": "vcenter", "cluster": "name"}


def _from_base(path: Path, info: ValidationInfo) -> Path:
    return info.context / path if isinstance(info.context, Path) else path


def _secret_path(path: Path, info: ValidationInfo) -> Path:
    """Look for a bare name among the service manager's credentials first."""
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    if folder and path.name == str(path) and is_file(Path(folder) / path):
        return Path(folder) / path
    return _from_base(path, info)


def _is_path(policy: str) -> bool:
    return "/" in policy or policy.endswith((".yaml", ".yml"))


def _policy_path(name: str, info: ValidationInfo) -> str:
    return str(_from_base(Path(name), info)) if _is_path(name) else name


def _host_name(text: str) -> str:
    is_plain = all(char.isprintable() and not char.isspace() for char in text)
    if not is_plain or "/" in text or "@" in text:
        raise ValueError("a name or an address, without https:// before it and without a path")
    return text


def _pin(text: str) -> str:
    digits = text.replace(":", "").strip().lower()
    if len(digits) != _PIN_DIGITS or not all(digit in "0123456789abcdef" for digit in digits):
        raise ValueError("64 hexadecimal digits (SHA-256), colons allowed")
    return digits


FilePath = Annotated[Path, AfterValidator(_from_base)]
SecretPath = Annotated[Path, AfterValidator(_secret_path)]
PolicyName = Annotated[str, Field(min_length=1), AfterValidator(_policy_path)]
Text = Annotated[str, Field(min_length=1)]
HostName = Annotated[str, Field(min_length=1), AfterValidator(_host_name)]
Port = Annotated[int, Field(ge=1, le=65_535)]
ListenPort = Annotated[int, Field(ge=0, le=65_535)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Tls(_Part):
    """How a vCenter's certificate is verified. Neither set: by the system's authorities."""

    ca_file: FilePath | None = None
    thumbprint_sha256: Annotated[str, AfterValidator(_pin)] | None = None


class Timeouts(_Part):
    """Total time of one request, in seconds."""

    connect_s: PositiveSeconds = 10.0
    read_s: PositiveSeconds = 60.0
    submit_s: PositiveSeconds = 30.0


class Proxy(_Part):
    """The HTTP proxy through which a vCenter is reached, or where to learn of it."""

    host: HostName | None = None
    port: Port = 3128
    credentials_file: SecretPath | None = None
    from_environment: bool = False

    def credentials(self, vcenter: str) -> str:
        """Return `user:password`, read anew.

        Raises:
            InputError: the file cannot be read, is empty, or has no colon.
        """
        where = f"proxy.credentials_file of vCenter {vcenter}"
        content = _secret(self.credentials_file or Path(), "proxy.credentials_file", vcenter)
        if ":" not in content:
            found = f"{_named(self.credentials_file or Path())} does not hold user:password"
            raise InputError(where, (Problem(where=where, found=found),))
        return content


class VCenter(_Part):
    """One vCenter and the account used there."""

    name: Text
    host: HostName
    port: Port = 443
    username: Text | None = None
    username_file: SecretPath | None = None
    password_file: SecretPath
    tls: Tls = Field(default_factory=Tls)
    timeouts: Timeouts = Field(default_factory=Timeouts)
    proxy: Proxy | None = None
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    full_read_every_s: PositiveSeconds = 600.0
    pool_size: Annotated[int, Field(ge=1, le=64)] = 8
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    change_hints: bool = True
    read_tags: bool = True
    allow_excess_privileges: bool = False

    def user(self) -> str:
        """Return the user name, read anew where it comes from a file.

        Raises:
            InputError: the file cannot be read or is empty.
        """
        return self.username or _secret(self.username_file or Path(), "username_file", self.name)

    def password(self) -> str:
        """Return the password, read anew, so that a changed file counts at the next login.

        Raises:
            InputError: the file cannot be read or is empty.
        """
        return _secret(self.password_file, "password_file", self.name)


class Cluster(_Part):
    """One cluster that is watched, and how far the program acts on it."""

    vcenter: Text
    name: Text
    mode: Mode = Mode.OBSERVE
    policies: tuple[PolicyName, ...] = (DEFAULT_POLICY,)
    interval_s: PositiveSeconds = 300.0
    shortest_interval_s: PositiveSeconds = 60.0


class Journal(_Part):
    """Where moves are written down before they are made: an SQLite database.

    `retention_days`: for how long what is over is kept; the audit log is kept for good.
    """

    path: FilePath = Path("/var/lib/balancer/journal.sqlite")
    retention_days: Annotated[int, Field(ge=31, le=3_650)] = 90


class Http(_Part):
    """Where /metrics, /healthz and /readyz are served. Port 0 takes a free one."""

    listen: Text = "127.0.0.1"
    port: ListenPort = 9715


class Log(_Part):
    """Form and loudness of the log. `auto`: text on a terminal, JSON elsewhere."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error", "critical"] = "info"


class Config(_Part):
    """The whole configuration, with paths made absolute or relative to where we are."""

    api_version: Literal["balancer/v1"] = Field(default="balancer/v1", alias="apiVersion")
    kind: Literal["Config"] = "Config"
    vcenters: tuple[VCenter, ...]
    clusters: tuple[Cluster, ...]
    policy_folder: FilePath | None = None
    stop_file: FilePath | None = None
    journal: Journal = Field(default_factory=Journal)
    http: Http = Field(default_factory=Http)
    log: Log = Field(default_factory=Log)

    @property
    def stop_path(self) -> Path:
        """Return the file whose presence stops everything: by default `stop` beside the journal."""
        return self.stop_file or self.journal.path.with_name("stop")

    def vcenter_of(self, cluster: Cluster) -> VCenter:
        """Return the vCenter that a cluster of this configuration belongs to."""
        return next(vcenter for vcenter in self.vcenters if vcenter.name == cluster.vcenter)

    def policies_of(self, cluster: Cluster) -> PolicySet:
        """Return what the policies of a cluster say together, read anew.

        Raises:
            InputError: a policy file is wrong (it was right when the configuration was loaded).
        """
        return load_policy_set(
            cluster.policies,
            folders=self.policy_folders,
            vcenter=cluster.vcenter,
            cluster=cluster.name,
        )

    @property
    def policy_folders(self) -> tuple[Path, ...]:
        """Return the folders in which policies are looked for first."""
        return (self.policy_folder,) if self.policy_folder else ()


def load_config(path: Path) -> Config:
    """Read the configuration and the policies that it names.

    Files with secrets and certificates are not opened: see `file_problems`.

    Raises:
        InputError: every problem with file, line and column.
    """
    file = read_yaml(path)
    return typed(file, Config, context=path.parent, also=_cross_mistakes(file.data, path.parent))


def file_problems(config: Config) -> tuple[Problem, ...]:
    """Return what is wrong with the files that the configuration names: missing, unreadable, empty."""
    return tuple(problem for vcenter in config.vcenters for problem in _lost_files(vcenter))


def exposed_secrets(config: Config) -> tuple[Problem, ...]:
    """Return the files with secrets that other accounts of this machine may read."""
    return tuple(problem for vcenter in config.vcenters for problem in _exposed(vcenter))


def _cross_mistakes(data: object, base: Path) -> Iterator[Mistake]:
    """Yield what spans settings, from the plain values: found beside whatever else is wrong."""
    for key in ("vcenters", "clusters"):
        if mapping(data).get(key) == []:
            yield Mistake(path=(key,), found="an empty list", allowed="at least one")
    names: set[str] = set()
    for index, vcenter in entries(data, "vcenters"):
        path, name = ("vcenters", index), text(vcenter, "name")
        if name in names:
            found = f"{shown(name)} is given twice"
            yield Mistake(path=(*path, "name"), found=found, allowed="each vCenter once")
        names |= {name} - {""}
        found = _wrong_user(vcenter)
        if found:
            yield Mistake(path=path, found=found, allowed="either username or username_file")
        yield from _proxy_mistakes(vcenter, (*path, "proxy"))
    yield from _cluster_mistakes(data)
    yield from _policy_mistakes(data, base)


def _wrong_user(vcenter: Mapping[str, object]) -> str:
    given = [key for key in _USER_KEYS if vcenter.get(key) is not None]
    if len(given) == 1 or (not given and _has_misspelt_user(vcenter)):
        return ""
    return "both given" if given else "neither given"


def _proxy_mistakes(vcenter: Mapping[str, object], path: Loc) -> Iterator[Mistake]:
    given = vcenter.get("proxy")
    if not isinstance(given, Mapping):
        return
    named = [key for key in ("host", "port", "credentials_file") if given.get(key) is not None]
    if given.get("from_environment") is True and named:
        found = f"from_environment beside {', '.join(named)}"
        yield Mistake(path=path, found=found, allowed="one of the two")
    if given.get("from_environment") is not True and "host" not in named:
        yield Mistake(path=path, found="no host", allowed="host, or from_environment: true")


def _has_misspelt_user(vcenter: Mapping[str, object]) -> bool:
    """Whether an unknown key, reported as such, was most likely meant to name the user."""
    unknown = vcenter.keys() - VCenter.model_fields.keys()
    return any(closest(key, VCenter.model_fields) in _USER_KEYS for key in unknown)


def _cluster_mistakes(data: object) -> Iterator[Mistake]:
    vcenters = known(data, "vcenters", name="name")
    seen: set[tuple[str, str]] = set()
    for index, cluster in entries(data, "clusters"):
        path, vcenter, name = ("clusters", index), text(cluster, "vcenter"), text(cluster, "name")
        if vcenter and vcenters is not None and vcenter not in vcenters:
            yield Mistake(
                path=(*path, "vcenter"),
                found=f"there is no vCenter {shown(vcenter)}",
                allowed=plain(", ".join(sorted(vcenters))),
                hint=nearest(vcenter, vcenters),
            )
        if vcenter and name and (vcenter, name) in seen:
            found = f"{shown(name)} is given twice"
            yield Mistake(path=(*path, "name"), found=found, allowed="each cluster once")
        seen.add((vcenter, name))


def _policy_mistakes(data: object, base: Path) -> Iterator[Mistake]:
    """Yield what is wrong with the policies. Without their folder, only those named by path count."""
    given = mapping(data).get("policy_folder")
    folder = base / given if isinstance(given, str) else None
    is_lost = given is not None and not (folder and is_folder(folder))
    if folder and is_lost:
        yield Mistake(path=("policy_folder",), found=f"there is no folder {plain(str(folder))}")
    told: set[Problem] = set()
    for index, cluster in entries(data, "clusters"):
        names = tuple(filter(None, texts(cluster, "policies"))) or (DEFAULT_POLICY,)
        asked = tuple(name for name in names if _is_path(name) or not is_lost)
        scope = {key: text(cluster, name) or None for key, name in _SCOPE.items()}
        try:
            if asked:
                load_policy_set(asked, folders=(folder,) if folder else (), base=base, **scope)
        except InputError as err:
            new = [problem for problem in err.problems if problem not in told]
            told.update(new)
            yield from _passed_on(("clusters", index, "policies"), new)


def _passed_on(path: Loc, problems: Iterable[Problem]) -> Iterator[Mistake]:
    for problem in problems:
        found = f"{plain(problem.where)}: {problem.found}"
        yield Mistake(path=path, found=found, allowed=problem.allowed, hint=problem.hint)


def _secret(path: Path, setting: str, vcenter: str) -> str:
    where = f"{setting} of vCenter {vcenter}"
    try:
        content = first_bytes(path, MOST_SECRET_BYTES).decode("utf-8").rstrip("\r\n")
    except OSError as err:
        found = f"{_named(path)} cannot be read: {err.strerror or err}"
        raise InputError(where, (Problem(where=where, found=found),)) from err
    except UnicodeDecodeError as err:
        problem = Problem(where=where, found=f"{_named(path)} is not UTF-8 text")
        raise InputError(where, (problem,)) from err
    if not content or "\n" in content or "\0" in content:
        problem = Problem(where=where, found=f"{_named(path)} does not hold one line of text")
        raise InputError(where, (problem,))
    return content


def _named(path: Path) -> str:
    """Return how a message may call a file: somebody may have put the secret where its file belongs."""
    return f"the file {path}" if is_file(path) else "the file that it names"


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
        if path and is_file(path) and path.stat().st_mode & 0o007:
            yield Problem(
                where=f"{setting} of vCenter {vcenter.name}",
                found=f"{path} can be read or written by every account of this machine",
                hint=f"chmod 600 {path}",
            )
