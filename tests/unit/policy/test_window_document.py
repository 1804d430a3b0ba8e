"""Windows as they are written: every mistake with its place, and what becomes of what is right."""

from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from types import MappingProxyType

import pytest

from balancer.model.errors import InputError
from balancer.policy.types import Policy
from balancer.policy.window_types import Window
from tests.support.policies import load_policies

NIGHT = "{name: n, effect: allow, weekdays: [mon], start: '22:00', duration_min: 480"
HEAD = "apiVersion: balancer/v1\nkind: Policy\n"


def loaded(folder: Path, text: str) -> Policy:
    path = folder / "p.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return load_policies([str(path)])


def window(folder: Path, text: str) -> Window:
    (found,) = loaded(folder, f"windows:\n  - {text}\n").windows
    return found


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        loaded(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_the_forms_of_a_window(tmp_path: Path) -> None:
    night = window(tmp_path, f"{NIGHT}, time_zone: Europe/Zurich}}")
    days = window(tmp_path, "{name: d, effect: deny, from: 2026-12-24, until: 2026-12-24}")
    cron = window(tmp_path, "{name: c, effect: deny, cron: '0 0 L * *', duration_min: 10080}")

    assert (night.weekdays, night.start, night.duration_s) == (frozenset({0}), time(22), 28_800.0)
    assert (days.first, days.last) == (date(2026, 12, 24), date(2026, 12, 24))
    assert (cron.cron, cron.duration_s) == ("0 0 L * *", 604_800.0)


def test_settings_keep_what_is_given_and_cannot_be_changed(tmp_path: Path) -> None:
    given = "settings: {goals: {balance: false}, memory_metric: consumed, priorities: {rule: high}}"

    settings = window(tmp_path, f"{NIGHT}, {given}}}").settings

    assert settings == {
        "goals": {"balance": False},
        "memory_metric": "consumed",
        "priorities": {"rule": "high"},
    }
    assert isinstance(settings, MappingProxyType)
    inner: Mapping[str, object] = settings["goals"]  # type: ignore[assignment]
    assert isinstance(inner, MappingProxyType)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time_zone: Europe/Zurch", "did you mean 'Europe/Zurich'?"),
        ("time_zone: ../../etc/passwd", "the IANA name of a time zone"),
        ("cron: '0 0 30 2 *', duration_min: 5", "five fields of cron"),
        ("cron: '0 0 0 1 1 *', duration_min: 5", "five fields of cron: minute hour"),
        ("cron: '61 * * * *', duration_min: 5", "Bad minute"),
        ("cron: '0 0 * 2 sat#5,mon#9', duration_min: 5", "Bad day-of-week"),
        ("from: 2026-02-29, until: 2026-03-01", "a date such as 2026-12-24"),
        ("from: 9999-12-31, until: 9999-12-31", "from 2000 to 2099"),
        ("from: 2026-12-24, until: 2026-12-23", "not before 2026-12-24"),
        ("from: 2026-12-24", "its time as from; allowed: one of"),
        ("weekdays: [mon], start: '24:00', duration_min: 5", "a time of day such as 22:00"),
        ("weekdays: [], start: '22:00', duration_min: 5", "1 or more entries"),
        ("cron: '0 0 * * *', duration_min: 10081", "at most 10080"),
        ("effect: allow, mode: partial", "only with effect: deny"),
        ("effect: settings", "effect: settings needs some"),
        ("settings: {rules: []}", "unknown key 'rules'; allowed: migration_threshold, goals"),
        ("settings: {mode: manual}", "unknown key 'mode'"),
        ("settings: {goals: {balanse: true}}", "did you mean 'balance'?"),
        ("settings: {migration_threshold: 6}", "at most 5"),
        ("settings: {limits: {migrations_per_host: 9}}", "at most 8"),
        ("settings: [goals]", "a list; allowed: a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    given = {"effect": "deny"} if "effect" not in text else {}
    head = "".join(f", {key}: {value}" for key, value in given.items())

    found = problems(tmp_path, f"windows:\n  - {{name: w{head}, {text}}}\n")

    assert [line for line in found if words in line and line.startswith("p.yaml:4:")], found


@pytest.mark.parametrize(
    ("policy", "place", "words"),
    [
        pytest.param(
            "thresholds: {balance_target: 0.04}\nwindows:\n"
            f"  - {NIGHT}, settings: {{thresholds: {{balance_trigger: 0.03}}}}}}\n",
            "p.yaml:5:",
            "balance_trigger: 0.03, while thresholds.balance_target is 0.04 in the policy; "
            "allowed: more than balance_target",
            id="with the policy",
        ),
        pytest.param(
            f"windows:\n  - {NIGHT}, settings: {{thresholds: {{balance_target: 0.05}}}}}}\n",
            "p.yaml:4:",
            "balance_target: 0.05, while thresholds.balance_trigger is 0.05 in the policy; "
            "allowed: less than balance_trigger",
            id="with a default",
        ),
        pytest.param(
            "windows:\n"
            f"  - {NIGHT}, settings: {{limits: {{migrations_per_host: 4}}}}}}\n"
            "  - {name: x, effect: deny, cron: '0 0 * * *', duration_min: 5, "
            "settings: {limits: {migrations_per_cluster: 3}}}\n",
            "p.yaml:5:",
            "migrations_per_cluster: 3, while limits.migrations_per_host is 4 in window 'n'; "
            "allowed: at least migrations_per_host",
            id="with another window",
        ),
    ],
)
def test_settings_that_do_not_fit_what_is_around_them(
    tmp_path: Path, policy: str, place: str, words: str
) -> None:
    (found,) = problems(tmp_path, policy)

    assert found.startswith(place)
    assert words in found


def test_of_two_windows_the_later_one_wins_so_that_each_may_be_right_by_itself(
    tmp_path: Path,
) -> None:
    high = "settings: {thresholds: {balance_target: 0.3, balance_trigger: 0.4}}"
    low = "settings: {thresholds: {balance_target: 0.01, balance_trigger: 0.02}}"
    other = "{name: x, effect: deny, cron: '0 0 * * *', duration_min: 5"

    policy = loaded(tmp_path, f"windows:\n  - {NIGHT}, {high}}}\n  - {other}, {low}}}\n")

    assert [one.name for one in policy.windows] == ["n", "x"]
