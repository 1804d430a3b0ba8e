"""Checks that span settings, from the plain values: found beside whatever else is wrong."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from balancer.config.history_mistakes import history_mistakes
from balancer.config.notify_files import notify_mistakes
from balancer.config.parts import is_path
from balancer.config.record_mistakes import record_mistakes
from balancer.config.serving_mistakes import serving_mistakes
from balancer.config.vcenter import VCenter
from balancer.model.errors import InputError, Problem
from balancer.policy.compose import load_policy_set
from balancer.policy.file_access import is_folder
from balancer.policy.load import DEFAULT_POLICY
from balancer.policy.problems import Loc, Mistake, closest, nearest, plain, shown
from balancer.policy.unchecked import entries, known, mapping, text, texts

_USER_KEYS = ("username", "username_file")
_SCOPE = {"vcenter": "vcenter", "cluster": "name"}


def cross_mistakes(data: object, base: Path) -> Iterator[Mistake]:
    """Yield what is wrong between settings; `base` is the folder of the file."""
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
    yield from serving_mistakes(data)
    yield from _policy_mistakes(data, base)
    yield from notify_mistakes(data)
    yield from record_mistakes(data, base)
    yield from history_mistakes(data, base)


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
        asked = tuple(name for name in names if is_path(name) or not is_lost)
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
