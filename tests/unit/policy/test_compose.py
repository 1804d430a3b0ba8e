from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from balancer.model.errors import InputError
from balancer.policy import load
from balancer.policy.compose import PolicySet, load_policy_set
from balancer.policy.mode import Mode
from balancer.policy.strictness import STRICTER, Stricter
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


@pytest.mark.parametrize("order", ["balanced 1.yaml", "1.yaml balanced"])
def test_the_shipped_balanced_policy_only_writes_out_defaults_and_binds_nobody(
    tmp_path: Path, order: str
) -> None:
    (tmp_path / "1.yaml").write_text(HEAD + "limits: {moves_per_run_at_most: 90}\n")
    both = load_policy_set(order.split(), base=tmp_path)
    assert both.at(NOON).limits.moves_per_run_at_most == 90
    assert both.conflicts == ()


def test_a_balanced_policy_of_the_sites_own_binds_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "balanced.yaml").write_text(HEAD + "limits: {moves_per_run_at_most: 20}\n")
    (tmp_path / "1.yaml").write_text(HEAD + "limits: {moves_per_run_at_most: 90}\n")
    both = load_policy_set(["balanced", "1.yaml"], base=tmp_path, folders=[tmp_path])
    assert both.at(NOON).limits.moves_per_run_at_most == 20


def test_every_limit_has_a_stricter_side() -> None:
    named = {path[1] for path in STRICTER if path[0] == "limits"}
    assert named == {field.name for field in fields(Limits)}


LOWER = Stricter.LOWER
HIGHER = Stricter.HIGHER
SIDES = {
    "moves_per_run_ratio": LOWER,
    "moves_per_run_at_least": LOWER,
    "moves_per_run_at_most": LOWER,
    "moves_per_hour_ratio": LOWER,
    "mandatory_moves_per_run": LOWER,
    "migrations_per_host": LOWER,
    "migrations_per_cluster": LOWER,
    "migrations_per_vcenter": LOWER,
    "moves_per_vm_per_day": LOWER,
    "residence_s": HIGHER,
    "failed_vm_hold_s": HIGHER,
    "failed_vm_quarantine_s": HIGHER,
    "failed_target_quarantine_s": HIGHER,
    "plan_age_s": LOWER,
    "snapshot_age_s": LOWER,
    "fresh_hosts_ratio": HIGHER,
    "fresh_vms_ratio": HIGHER,
    "sample_age_s": LOWER,
    "denied_objects_at_most": LOWER,
    "missing_objects_ratio": LOWER,
    "missing_hold_s": HIGHER,
    "clock_offset_s": LOWER,
    "clock_jump_s": LOWER,
    "lost_hosts_ratio": LOWER,
    "lost_hosts_at_most": LOWER,
    "migration_timeout_s": LOWER,
    "migration_timeout_factor": LOWER,
    "breaker_failures_in_row": LOWER,
    "breaker_failed_ratio": LOWER,
    "breaker_open_s": HIGHER,
    "breaker_open_at_most_s": HIGHER,
    "quiet_s": HIGHER,
    "quarantine_at_most_s": HIGHER,
    "residence_growth": HIGHER,
    "returns_at_most": LOWER,
    "moves_on_trial": LOWER,
    "worse_verdicts": LOWER,
    "verdict_after_s": HIGHER,
    "approval_s": LOWER,
    "approved_plan_age_s": LOWER,
}


@pytest.mark.parametrize("field", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_stricter_of_two_files_wins_for_each_limit(together, field: str, swapped: bool) -> None:
    default = getattr(Limits(), field)
    low, high = (0.5, 0.75) if field.endswith("ratio") else (default, default + 1)
    bodies = [f"limits: {{{field}: {value}}}\n" for value in (low, high)]
    limits = together(*(bodies[::-1] if swapped else bodies)).at(NOON).limits
    assert getattr(limits, field) == (low if SIDES[field] is LOWER else high)


@pytest.mark.parametrize("name", ["cpu_ceiling", "memory_ceiling", "vcpus_per_core"])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_lower_of_two_ceilings_wins(together, name: str, swapped: bool) -> None:
    bodies = [f"thresholds: {{{name}: {value}}}\n" for value in (0.97, 0.99)]
    policy = together(*(bodies[::-1] if swapped else bodies)).at(NOON)
    assert getattr(policy.thresholds, name) == 0.97


@pytest.mark.parametrize("key", ["mode", "outside_windows"])
def test_the_most_careful_of_two_modes_wins(together, key: str) -> None:
    for first, second in (("manual", "partial"), ("partial", "manual")):
        policy = together(f"{key}: {first}\n", f"{key}: {second}\n").at(NOON)
        assert getattr(policy, key) is Mode.MANUAL


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


NIGHT = (
    "windows:\n- {name: night, effect: settings, cron: 0 22 * * *, duration_min: 480, settings: "
)
IN_THE_NIGHT = NOON.replace(hour=23)


def test_settings_of_an_open_window_replace_those_of_their_own_file_alone(together) -> None:
    site = "limits: {moves_per_run_at_most: 40, residence_s: 60}\n"
    own = "limits: {moves_per_run_at_most: 10}\nprices: {move_price: 1}\n" + NIGHT
    both = together(site, own + "{limits: {moves_per_run_at_most: 90}, prices: {move_price: 2}}}\n")
    assert both.at(NOON).limits.moves_per_run_at_most == 10
    assert both.at(IN_THE_NIGHT).limits.moves_per_run_at_most == 40
    assert (both.at(NOON).prices.move_price, both.at(IN_THE_NIGHT).prices.move_price) == (1, 2)
    assert both.at(IN_THE_NIGHT).limits.residence_s == 60


def test_settings_that_do_not_fit_while_windows_of_two_files_are_open_are_refused(together) -> None:
    first = NIGHT + "{thresholds: {balance_target: 0.045}}}\n"
    second = NIGHT.replace("night", "late") + "{thresholds: {balance_trigger: 0.04}}}\n"
    with pytest.raises(InputError) as caught:
        together(first, second)
    assert [problem.found for problem in caught.value.problems] == [
        "0.045, while thresholds.balance_trigger is 0.04"
    ]


def test_too_many_windows_in_all_files_together_are_an_error_and_no_surprise(together) -> None:
    many = "windows:\n" + "".join(
        f"- {{name: w{n}, effect: allow, cron: 0 22 * * *, duration_min: 60}}\n" for n in range(60)
    )
    with pytest.raises(InputError) as caught:
        together(many, many.replace("name: w", "name: v"))
    (problem,) = caught.value.problems
    assert problem.found == "120 windows in all files of the cluster together"


def test_two_rules_of_one_name_in_two_files_are_an_error_that_names_both_places(together) -> None:
    web = "rules:\n- {name: web, type: affinity, vms: {glob: 'web-*'}}\n"
    with pytest.raises(InputError) as caught:
        together(web, web.replace("web-*", "www-*"))
    (problem,) = caught.value.problems
    assert problem.where.endswith("2.yaml:4:10: rules[0].name")
    assert problem.found.startswith("'web' says something else in ")
    assert problem.found.endswith("1.yaml:4:3")


def test_the_same_rule_in_two_files_is_one_rule(together) -> None:
    web = "rules:\n- {name: web, type: affinity, vms: {glob: 'web-*'}}\n"
    both = together(web, web.replace("name: web,", "name: web, description: again,"))
    (rule,) = both.at(NOON).rules
    assert rule.origin.endswith("1.yaml:4:3")


def test_where_each_value_comes_from_is_told_and_defaults_come_from_nowhere(together) -> None:
    web = "rules:\n- {name: web, type: affinity, vms: {glob: 'web-*'}}\n"
    both = together("prices: {move_price: 1}\n" + web, "prices: {move_price: 2}\nmode: partial\n")
    told = {path: place.rsplit("/", 1)[-1] for path, place in both.origins.items()}
    assert told == {
        "prices.move_price": "2.yaml:3:22: prices.move_price",
        "mode": "2.yaml:4:7: mode",
        "rules.web": "1.yaml:5:3",
    }


def test_where_a_value_of_an_open_window_comes_from_is_told(together) -> None:
    alone = together(NIGHT + "{prices: {move_price: 2}}}\n")
    assert "prices.move_price" not in alone.origins
    place = alone.origins_at(IN_THE_NIGHT)["prices.move_price"]
    assert place.endswith("windows[0].settings.prices.move_price")


def test_a_migration_threshold_is_the_origin_of_what_it_stands_for(together) -> None:
    alone = together("migration_threshold: 5\nprices: {move_price: 1}\n")
    assert alone.origins["thresholds.balance_trigger"].endswith("1.yaml:3:22: migration_threshold")
    assert alone.at(NOON).prices.move_price == 1


def test_conflicts_name_what_counts_and_why(together) -> None:
    both = together(
        "limits: {residence_s: 60}\nprices: {move_price: 1}\nidle_memory_share: 0.5\n",
        "limits: {residence_s: 30}\nprices: {move_price: 2}\nidle_memory_share: 0.5\n",
    )
    lines = [str(conflict) for conflict in both.conflicts]
    assert len(lines) == 2
    assert lines[0].startswith("limits.residence_s is 60 in ")
    assert lines[0].endswith("2.yaml:3:23: limits.residence_s: the stricter one (higher) counts")
    assert lines[1].startswith("prices.move_price is 2 in ")
    assert lines[1].endswith("1.yaml:4:22: prices.move_price: the later file counts")


def test_modes_of_vms_of_all_files_count(together) -> None:
    modes = "vm_modes: [{vms: {name: web-1}, mode: manual}]\n"
    assert len(together(modes, modes.replace("web-1", "web-2")).at(NOON).vm_modes) == 2
