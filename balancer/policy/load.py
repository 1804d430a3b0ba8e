"""Finds policy files and reads them, one by one. How several become one policy is `policy.compose`.

It owns where policies are looked for, and what is checked of a file by itself. All problems of a file are
reported at once.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from balancer.model.errors import InputError, Problem
from balancer.policy.document import PolicyDocument
from balancer.policy.file_access import files_in, is_file, is_folder
from balancer.policy.problems import Mistake, nearest
from balancer.policy.rule_document import rule_mistakes
from balancer.policy.strict_yaml import YamlFile, read_yaml
from balancer.policy.typed_document import typed
from balancer.policy.window_document import window_mistakes

DEFAULT_POLICY = "balanced"
SITE_FOLDER = Path("/etc/balancer/policies")
_SUFFIXES = (".yaml", ".yml")


def packaged_folder() -> Path:
    """Return the folder of the shipped policies, in an installed wheel or in a source tree."""
    package = Path(__file__).parents[1]
    installed = package / "_policies"
    return installed if is_folder(installed) else package.parent / "policies"


def read_policy(name: str, *, folders: Sequence[Path] = (), base: Path | None = None) -> YamlFile:
    """Read the policy of a name, or the one at a path; what it says is not checked yet.

    A name is looked for in `folders`, in /etc/balancer/policies and among the shipped ones, in this
    order; what contains a slash or ends in .yaml is a path, relative to `base` (or where we are).

    Raises:
        InputError: there is no such file, it cannot be read, or it is not of the accepted YAML.
    """
    return read_yaml(_find(name, folders, base))


def own_problems(file: YamlFile, *, also: Iterable[Mistake] = ()) -> tuple[Problem, ...]:
    """Return everything that is wrong with one file, in its order. `also` are mistakes found otherwise."""
    try:
        typed(
            file,
            PolicyDocument,
            also=[*also, *rule_mistakes(file.data), *window_mistakes(file.data)],
        )
    except InputError as err:
        return err.problems
    return ()


def policy_names(folders: Sequence[Path] = ()) -> tuple[str, ...]:
    """Return the names of all policies that can be found, sorted."""
    found = (path for folder in _places(folders) for path in _listed(folder))
    return tuple(sorted({path.stem for path in found}))


def _places(folders: Sequence[Path]) -> tuple[Path, ...]:
    return (*folders, SITE_FOLDER, packaged_folder())


def _listed(folder: Path) -> list[Path]:
    return [path for path in files_in(folder) if path.suffix in _SUFFIXES]


def _find(name: str, folders: Sequence[Path], base: Path | None) -> Path:
    if "/" in name or name.endswith(_SUFFIXES):
        return (base or Path()) / name
    for folder in _places(folders):
        for suffix in _SUFFIXES:
            path = folder / f"{name}{suffix}"
            if is_file(path):
                return path
    names = policy_names(folders)
    problem = Problem(
        where=f"policy {name!r}",
        found=f"not found in {', '.join(map(str, _places(folders)))}",
        allowed=f"a path, or one of {', '.join(names)}",
        hint=nearest(name, names),
    )
    raise InputError(f"policy {name}", (problem,))
