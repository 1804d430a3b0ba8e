"""Spoilt policies are read or refused with their places named, and nothing else happens.

`BALANCER_FUZZ_CASES` says how many; `make fuzz` runs 100,000.
"""

import copy
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balancer.model.errors import InputError, Problem
from balancer.policy.compose import PolicySet, load_policy_set
from balancer.policy.load import packaged_folder
from balancer.policy.resolve import resolve
from balancer.policy.windows import freest_mode, next_change
from tests.support import builders

CASES = int(os.environ.get("BALANCER_FUZZ_CASES", "300"))
SEEDS = [
    Path(__file__).parents[1] / "data/policy-full.yaml",
    *sorted(packaged_folder().glob("*.yaml")),
]
TEXTS = [path.read_text() for path in SEEDS]
TREES = [yaml.safe_load(text) for text in TEXTS]
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
CLUSTER = builders.snapshot(
    [builders.host(number, tags=frozenset({f"rack:{number}"})) for number in (1, 2, 3)],
    [builders.vm(number, 1 + number % 3, tags=frozenset({"tier:cache"})) for number in range(1, 7)],
)
MOMENTS = [
    datetime(2026, 1, 5, 12, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    datetime(2026, 12, 24, 23, tzinfo=UTC),
]
JUNK_TEXT = [
    "",
    "*",
    "(?=a)",
    "((a+)+)+$",
    "[",
    "x{1000}{1000}",
    "25:00",
    "2026-02-30",
    "Mars/Olympus",
    "0 0 30 2 *",
    "* * * *",
    "\x00",
    "\u202e",
    "a" * 5000,
    "../../etc/passwd",
    "Sat",
    "null",
    "<<",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(JUNK_TEXT),
    st.text(max_size=20),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def nodes(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in inner:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from nodes(value, (*path, key))


def around(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        tree = tree[key]
    return tree


def replace(tree: Any, path: tuple[Any, ...], junk: Any) -> None:
    around(tree, path)[path[-1]] = junk


def remove(tree: Any, path: tuple[Any, ...], junk: Any) -> None:
    del around(tree, path)[path[-1]]


def rename(tree: Any, path: tuple[Any, ...], junk: Any) -> None:
    place = around(tree, path)
    if isinstance(place, dict):
        place[str(junk)[:12]] = place.pop(path[-1])
    else:
        place.append(junk)


def repeat(tree: Any, path: tuple[Any, ...], junk: Any) -> None:
    place = around(tree, path)
    if isinstance(place, list):
        place.append(copy.deepcopy(place[path[-1]]))
    else:
        place[f"{path[-1]}x"] = copy.deepcopy(place[path[-1]])


def wrap(tree: Any, path: tuple[Any, ...], junk: Any) -> None:
    place = around(tree, path)
    place[path[-1]] = [place[path[-1]]]


SPOIL: list[Callable[[Any, tuple[Any, ...], Any], None]] = [replace, remove, rename, repeat, wrap]


@st.composite
def spoilt_trees(draw: st.DrawFn) -> str:
    tree = copy.deepcopy(TREES[draw(st.integers(0, len(TREES) - 1))])
    for _ in range(draw(st.integers(1, 4))):
        paths = list(nodes(tree))
        if paths:
            draw(st.sampled_from(SPOIL))(tree, draw(st.sampled_from(paths)), draw(JUNK))
    return str(yaml.dump(tree, Dumper=DUMPER, allow_unicode=True, sort_keys=False))


@st.composite
def spoilt_texts(draw: st.DrawFn) -> str:
    text = TEXTS[draw(st.integers(0, len(TEXTS) - 1))]
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = min(start + draw(st.integers(0, 12)), len(text))
        put = draw(
            st.one_of(st.text(max_size=6), st.sampled_from(["\n", "\t", ": ", "- ", "&a ", "*a"]))
        )
        text = text[:start] + put + text[end:]
    return text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "policy.yaml"


@pytest.mark.timeout(120 + CASES / 5)
@settings(max_examples=CASES, suppress_health_check=list(HealthCheck))
@given(text=st.one_of(spoilt_trees(), spoilt_texts()))
def test_a_spoilt_policy_is_read_or_refused_with_places(place: Path, text: str) -> None:
    place.write_bytes(text.encode(errors="surrogatepass"))
    refused: tuple[Problem, ...] | None = None
    try:
        policies = load_policy_set([str(place)])
    except InputError as err:
        refused = err.problems
    else:
        use(policies)
    assert refused is None or refused
    assert all(str(place) in problem.where for problem in refused or ())


def use(policies: PolicySet) -> None:
    """Ask of a policy what a cycle asks of it."""
    for when in MOMENTS:
        policy = policies.at(when)
        mode, _ = freest_mode(policy, when)
        assert policy.mode is None or mode.freedom <= policy.mode.freedom
        next_change(policy, when)
    found = resolve(CLUSTER, policy)
    assert resolve(found.snapshot, policy).snapshot == found.snapshot
