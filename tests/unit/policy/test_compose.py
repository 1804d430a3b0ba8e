from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from balancer.model.errors import InputError
from balancer.policy import load
from balancer.policy.compose import PolicySet, load_policy_set
from balancer.policy.mode import Mode
from balancer.policy.strictness import STRICTER
from balancer.policy.types import Limits

HEAD = "apiVersion: balancer/v1\nkind: Policy\n"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_site_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "SITE_FOLDER", tmp_path / "site")


@pytest.fixture
def together(tmp_path: Path):
    def composed(*bodies: str, **scope: str) -> PolicySet:
        for number, body in enumerate(bodies, start=1):
            (tmp_path / f"{number}.yaml").write_text(HEAD + body)
        names = [f"{number}.yaml" for number in range(1, len(bodies) + 1)]
        return load_policy_set(names, base=tmp_path, **scope)

    return composed


def test_a_later_file_wins_setting_by_setting(together) -> None:
    both = together(
        "name: a\nprices: {move_price: 1, per_second: 2}\n", "name: b\nprices: {move_price: 3}\n"
    )
    policy = both.at(NOON)
    assert (policy.name, policy.prices.move_price, policy.prices.per_second) == ("b", 3, 2)


@pytest.mark.parametrize("swapped", [False, True])
def test_of_limits_ceilings_and_modes_the_strictest_wins_in_any_order(together, swapped) -> None:
    strict = (
        "mode: partial\nlimits: {residence_s: 9000, moves_per_run_at_most: 5}\n"
        "thresholds: {memory_ceiling: 0.93, vms_per_host: 40}\n"
    )
    loose = (
        "mode: automatic\nlimits: {residence_s: 10, moves_per_run_at_most: 90}\n"
        "thresholds: {memory_ceiling: 1.0, vms_per_host: null}\n"
    )
    policy = together(*((loose, strict) if swapped else (strict, loose))).at(NOON)
    assert policy.mode is Mode.PARTIAL
    assert (policy.limits.residence_s, policy.limits.moves_per_run_at_most) == (9000, 5)
    assert (policy.thresholds.memory_ceiling, policy.thresholds.vms_per_host) == (0.93, 40)


def test_a_default_is_not_given_and_so_never_the_strictest(together) -> None:
    both = together("limits: {moves_per_run_at_most: 90}\n", "name: b\n")
    assert both.at(NOON).limits.moves_per_run_at_most == 90


def test_every_limit_has_a_stricter_side() -> None:
    named = {path[1] for path in STRICTER if path[0] == "limits"}
    assert named == {field.name for field in fields(Limits)}


def test_a_file_that_does_not_apply_is_left_out_and_told(together) -> None:
    both = together(
        "name: a\n",
        "name: b\napplies_to: {clusters: [prod-*]}\n",
        cluster="test-1",
    )
    assert both.at(NOON).name == "a"
    (told,) = both.left_out
    assert "it applies to cluster prod-*" in str(told)
    assert "2.yaml:4:24) and not to test-1" in str(told)


def test_no_file_that_applies_is_an_error(together) -> None:
    with pytest.raises(InputError) as caught:
        together("applies_to: {vcenters: [north]}\n", vcenter="south")
    assert "it applies to vCenter north" in str(caught.value)
