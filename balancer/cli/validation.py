"""Finds out what a file is and reads it as that: the part of `balancer validate` that does the work."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from balancer.adapters.files.json_file import read_bytes
from balancer.adapters.files.plan_file import parse_plan
from balancer.adapters.files.snapshot_checks import snapshot_warnings
from balancer.adapters.files.snapshot_file import parse_snapshot
from balancer.config import exposed_secrets, file_problems, load_config
from balancer.model.errors import InputError, Problem
from balancer.policy.compose import load_policy_set
from balancer.policy.expectation_document import read_policy_test
from balancer.policy.file_access import is_folder
from balancer.policy.problems import nearest, shown
from balancer.policy.strict_yaml import YamlFile, parse_yaml

_PLAN = re.compile(rb'"schema"\s*:\s*"balancer/plan/')
_SNAPSHOT = re.compile(rb'"schema"\s*:\s*"balancer/snapshot/')
_LAB_RESULT = re.compile(rb'"schema"\s*:\s*"balancer/lab-result/')
_CONFIG_KEYS = frozenset({"vcenters", "clusters", "journal", "http", "log", "policy_folder"})
_POLICY_KEYS = frozenset({"goals", "thresholds", "prices", "limits", "priorities", "memory_metric"})
_KINDS = ("Config", "Policy", "PolicyTest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A file that is right: what it is, in words, and what is worth a look all the same."""

    summary: str
    warnings: tuple[Problem, ...] = ()


def examined(path: Path) -> Finding:
    """Read a file as what it is.

    Raises:
        InputError: the file cannot be read, is of no known kind, or is wrong; every problem.
    """
    if is_folder(path):
        from balancer.cli.validation_traces import examined_folder

        return examined_folder(path)
    content = read_bytes(path)
    if content.lstrip()[:1] in (b"{", b"["):
        return _examined_json(content, path)
    file = parse_yaml(content, name=str(path))
    return _READERS[_kind(file)](path)


def _examined_json(content: bytes, path: Path) -> Finding:
    if _PLAN.search(content):
        return _plan(content, path)
    if _SNAPSHOT.search(content):
        return _snapshot(content, path)
    if _LAB_RESULT.search(content):
        return _lab_result(content, path)
    return _plan(content, path) if b'"moves"' in content else _snapshot(content, path)


def _snapshot(content: bytes, path: Path) -> Finding:
    snapshot = parse_snapshot(content, name=str(path))
    counts = ", ".join(
        [
            _counted(len(snapshot.hosts), "host"),
            _counted(len(snapshot.vms), "VM"),
            _counted(len(snapshot.rules), "rule"),
        ]
    )
    summary = f"snapshot of cluster {shown(snapshot.cluster.name)}, {counts}"
    return Finding(summary=summary, warnings=snapshot_warnings(snapshot))


def _plan(content: bytes, path: Path) -> Finding:
    plan = parse_plan(content, name=str(path))
    moves = _counted(len(plan["moves"]), "move")
    name = shown(plan["cluster"]["name"])
    return Finding(summary=f"plan for cluster {name}, {plan['status']}, {moves}")


def _lab_result(content: bytes, path: Path) -> Finding:
    from balancer.lab.document import parse_lab_result
    from balancer.lab.table import headline

    made = parse_lab_result(content, name=str(path))
    runs = _counted(len(made.result.runs), "run")
    return Finding(summary=f"result of lab replay, {headline(made.result)}, {runs}")


def _config(path: Path) -> Finding:
    config = load_config(path)
    vcenters = _counted(len(config.vcenters), "vCenter")
    clusters = _counted(len(config.clusters), "cluster")
    warnings = (*file_problems(config), *exposed_secrets(config))
    return Finding(summary=f"configuration, {vcenters}, {clusters}", warnings=warnings)


def _policy(path: Path) -> Finding:
    policies = load_policy_set([str(path) if path.is_absolute() else f"./{path}"])
    return Finding(summary=f"policy {shown(policies.without_windows.name)}")


def _policy_test(path: Path) -> Finding:
    test = read_policy_test(path)[1]
    summary = f"test of policies {shown(test.name)}, {_counted(len(test.expect), 'expectation')}"
    return Finding(summary=summary)


_READERS: Mapping[str, Callable[[Path], Finding]] = MappingProxyType(
    {"Config": _config, "Policy": _policy, "PolicyTest": _policy_test}
)


def _kind(file: YamlFile) -> str:
    data = file.data if isinstance(file.data, dict) else {}
    kind = data.get("kind")
    if kind in _KINDS:
        return str(kind)
    for keys, guessed in ((_CONFIG_KEYS, "Config"), (_POLICY_KEYS, "Policy")):
        if "kind" not in data and keys & data.keys():
            return guessed
    problem = Problem(
        where=file.where(("kind",)),
        found=f"kind: {shown(kind)}" if "kind" in data else "the file does not say its kind",
        allowed="kind: Config, Policy or PolicyTest (YAML), a snapshot, plan or lab result (JSON)",
        hint=nearest(str(kind), _KINDS),
    )
    raise InputError(file.name, (problem,))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
