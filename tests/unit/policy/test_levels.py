"""What the migration threshold stands for, and what wins over it."""

from pathlib import Path

import pytest

from balancer.model.errors import InputError
from balancer.policy.levels import LEVELS, level_settings
from balancer.policy.types import Goals, Policy, Prices, Thresholds
from tests.support.policies import load_policies

HEAD = "apiVersion: balancer/v1\nkind: Policy\n"


def policy_of(tmp_path: Path, *texts: str) -> Policy:
    paths = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(HEAD + text, encoding="utf-8")
    return load_policies([str(path) for path in paths])


def test_level_3_is_the_defaults(tmp_path: Path) -> None:
    assert policy_of(tmp_path, "migration_threshold: 3\n") == policy_of(tmp_path, "")


def test_every_level_sets_the_same_settings_so_that_one_replaces_another() -> None:
    keys = [{section: set(values) for section, values in level_settings(n).items()} for n in LEVELS]
    assert all(one == keys[0] for one in keys)


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_what_the_loaded_policy_holds(tmp_path: Path, level: int) -> None:
    policy = policy_of(tmp_path, f"migration_threshold: {level}\n")
    sections = {"goals": Goals, "thresholds": Thresholds, "prices": Prices}
    wanted = {key: kind(**level_settings(level)[key]) for key, kind in sections.items()}
    assert {key: getattr(policy, key) for key in sections} == wanted
    assert policy.migration_threshold == level


def test_a_setting_of_the_same_file_wins_over_its_level(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "migration_threshold: 1\ngoals: {contention: true}\n")
    assert (policy.goals.contention, policy.goals.balance) == (True, False)


def test_a_setting_of_a_later_file_wins_over_an_earlier_level(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "migration_threshold: 5\n", "thresholds: {balance_target: 0.01}\n")
    assert policy.thresholds == Thresholds(balance_trigger=0.015, balance_target=0.01)


def test_the_level_of_a_later_file_wins_over_the_settings_of_an_earlier_one(
    tmp_path: Path,
) -> None:
    earlier = "thresholds: {balance_trigger: 0.4, balance_target: 0.2, cpu_contention: 0.7}\n"
    policy = policy_of(tmp_path, earlier, "migration_threshold: 5\n")
    assert policy.thresholds == Thresholds(
        balance_trigger=0.015, balance_target=0.0075, cpu_contention=0.7
    )


def test_a_target_above_the_trigger_of_a_level_is_told_with_the_place_of_the_level(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError) as found:
        policy_of(tmp_path, "migration_threshold: 5\nthresholds: {balance_target: 0.02}\n")
    (problem,) = found.value.problems
    assert "0.02" in problem.found
    assert "0.015" in problem.found
    assert "0.yaml:3" in problem.hint


@pytest.mark.parametrize("level", ["0", "6", "high"])
def test_what_is_no_level_is_refused_once(tmp_path: Path, level: str) -> None:
    with pytest.raises(InputError) as found:
        policy_of(tmp_path, f"migration_threshold: {level}\n")
    assert len(found.value.problems) == 1
