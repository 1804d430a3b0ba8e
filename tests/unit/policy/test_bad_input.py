"""Hostile and sloppy policies: refused or read within a second and 50 MiB, never with a traceback."""

import time
import tracemalloc
from pathlib import Path

import pytest

from balancer.model.errors import InputError
from balancer.policy.pattern import matches_glob, matches_regex
from tests.support.policies import load_policies

HEAD = "apiVersion: balancer/v1\nkind: Policy\n"
MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 15)
)
RULE = "rules: [{name: r, type: exclude, vms: {%s}}]\n"
WINDOW = "windows: [{name: w, effect: deny, duration_min: 60, %s}]\n"

REFUSED = {
    "merge bomb": (HEAD + MERGE_BOMB, "anchor"),
    "deep nesting": (HEAD + "goals: " + "[" * 900 + "]" * 900, "nested too deeply"),
    "10 MB": (HEAD + "description: " + "x" * 10_000_000, "too large"),
    "tabs": (HEAD + "goals:\n\tbalance: true\n", "not valid YAML"),
    "NaN": (HEAD + "thresholds: {cpu_ceiling: .nan}\n", "not a finite number"),
    "NaN as text": (HEAD + "thresholds: {cpu_ceiling: NaN}\n", "allowed: a number"),
    "huge integer": (HEAD + "limits: {moves_per_run_at_most: 1" + "0" * 60 + "}\n", "at most"),
    "endless integer": (HEAD + "limits: {residence_s: " + "9" * 100_000 + "}\n", "too large"),
    "no such zone": (
        HEAD + WINDOW % "weekdays: [mon], start: 22:00, time_zone: Mars/Olympus",
        "the IANA name of a time zone",
    ),
    "zone outside of the zones": (
        HEAD + WINDOW % "weekdays: [mon], start: 22:00, time_zone: ../../etc/passwd",
        "the IANA name of a time zone",
    ),
    "no such day": (HEAD + WINDOW % "cron: 0 0 30 2 *", "cron"),
    "a list as name of a window": (
        HEAD + "windows: [{name: [], effect: deny}]\n",
        "windows[0].name",
    ),
    "a mapping as effect": (HEAD + WINDOW % "weekdays: [mon], start: {}", "windows[0].start"),
    "lists as words of a rule": (
        HEAD + "rules: [{name: {}, type: [], vms: {name: {}}, enforce: [], from: {}}]\n",
        "rules[0].type",
    ),
    "no cron": (
        HEAD + "windows: [{name: w, effect: deny, cron: null, duration_min: 60}]\n",
        "its time as duration_min",
    ),
    "no start": (
        HEAD + WINDOW % "weekdays: [mon], start: null",
        "its time as duration_min, weekdays",
    ),
    "no last day": (
        HEAD + "windows: [{name: w, effect: deny, from: 2026-12-24, until: null}]\n",
        "its time as from",
    ),
    "no hosts to run on": (
        HEAD + "rules: [{name: r, type: vm-host, vms: {name: a}, run_on: null}]\n",
        "neither run_on nor keep_off",
    ),
    "no hosts to prefer": (
        HEAD + "rules: [{name: r, type: prefer, vms: {name: a}, run_on: null}]\n",
        "run_on is missing",
    ),
    "no settings": (
        HEAD
        + "windows: [{name: w, effect: settings, cron: 0 1 * * *, duration_min: 9, settings: null}]\n",
        "settings",
    ),
    "empty selector": (HEAD + RULE % "", "a selector that says something"),
    "empty list": (HEAD + RULE % "name: []", "1 or more entries"),
    "empty name": (HEAD + RULE % 'name: ""', "not empty"),
    "null": (HEAD + RULE % "name: null", ""),
    "look-around": (HEAD + RULE % 'regex: "(?=a)b"', "RE2"),
    "long expression": (HEAD + RULE % f'regex: "{"a" * 501}"', "500"),
    "repetitions of repetitions": (HEAD + RULE % 'regex: "(((a{100}){100}){100}){100}"', "RE2"),
}
READ = {
    "byte order mark": "\ufeff" + HEAD,
    "Windows line ends": HEAD.replace("\n", "\r\n") + "goals:\r\n  balance: false\r\n",
    "expression with nested stars": HEAD + RULE % 'regex: "((a+)+)+b"',
    "many rules": HEAD
    + "rules:\n"
    + "".join(f"  - {{name: r{n}, type: exclude, vms: {{name: v{n}}}}}\n" for n in range(2000)),
}


def loaded(folder: Path, text: str) -> tuple[float, float]:
    """Load a policy and return seconds and peak MiB."""
    path = folder / "p.yaml"
    path.write_bytes(text.encode())
    load_policies([str(path)])
    started = time.process_time()
    tracemalloc.start()
    try:
        load_policies([str(path)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return time.process_time() - started, peak / 2**20


def problems(folder: Path, text: str) -> tuple[str, float, float]:
    """Return what is said of a refused policy, processor seconds and peak MiB."""
    path = folder / "p.yaml"
    path.write_bytes(text.encode())
    started = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            load_policies([str(path)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return str(caught.value), time.process_time() - started, peak / 2**20


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_a_hostile_policy_is_refused_with_its_place(
    tmp_path: Path, text: str, expected: str
) -> None:
    said, seconds, peak_mib = problems(tmp_path, text)
    assert expected in said
    assert f"{tmp_path}/p.yaml" in said
    assert len(said) < 100_000
    assert seconds < 1.0
    assert peak_mib < 50.0


@pytest.mark.parametrize("text", READ.values(), ids=READ.keys())
def test_an_odd_policy_is_read(tmp_path: Path, text: str) -> None:
    seconds, peak_mib = loaded(tmp_path, text)
    assert seconds < 3.0  # allocations are traced, which costs most of it
    assert peak_mib < 50.0


def test_an_expression_that_backtracks_elsewhere_takes_no_time() -> None:
    started = time.process_time()
    assert not matches_regex("((a+)+)+b", "a" * 50_000)
    assert not matches_glob("*a" * 100 + "b", "a" * 2_000)
    assert time.process_time() - started < 1.0


def test_names_that_utf_8_cannot_hold_are_matched() -> None:
    assert matches_regex("web.", "web\ud800")
    assert matches_glob("web?", "web\ud800")


@pytest.mark.parametrize(
    "selector", ["{}", "{name: null}", "{name: a, tag: null}", "null", "[]", '"*"']
)
@pytest.mark.parametrize(
    "rule", ["affinity, vms: %s", "affinity, vms: {not: %s}", "affinity, vms: {any: [%s]}"]
)
def test_a_selector_that_says_nothing_never_means_everything(
    tmp_path: Path, selector: str, rule: str
) -> None:
    said, _, _ = problems(tmp_path, f"{HEAD}rules: [{{name: r, type: {rule % selector}}}]\n")
    assert "rules[0].vms" in said


def test_one_wrong_entry_of_a_list_is_one_problem(tmp_path: Path) -> None:
    said, _, _ = problems(tmp_path, HEAD + RULE % 'regex: "(?=a)b"')
    assert ": 1 problem\n" in said
