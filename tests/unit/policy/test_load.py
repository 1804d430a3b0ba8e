import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from balancer.model.errors import InputError
from balancer.model.plan import MoveReason, Priority
from balancer.policy import load
from balancer.policy.document import policy_schema
from balancer.policy.load import packaged_folder, policy_names
from balancer.policy.types import Policy
from tests.support.policies import load_policies

HEAD = "apiVersion: balancer/v1\nkind: Policy\n"
SHIPPED = (
    "aggressive",
    "balanced",
    "business-hours",
    "conservative",
    "consolidate",
    "licence-pinning",
    "rules-and-maintenance-only",
    "steady",
    "stretched-cluster",
)


@pytest.fixture(autouse=True)
def _no_site_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "SITE_FOLDER", tmp_path / "site")


def write(folder: Path, name: str, body: str, *, head: str = HEAD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(head + body)
    return path


def problems_of(*names: str, folders: tuple[Path, ...] = ()) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_policies(names, folders=folders)
    return [str(problem) for problem in caught.value.problems]


def test_the_shipped_policies_are_found_by_name() -> None:
    assert policy_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_policy_loads_under_its_own_name_and_fits_the_schema(name: str) -> None:
    assert load_policies([name]).name == name
    data = yaml.safe_load((packaged_folder() / f"{name}.yaml").read_text())
    jsonschema.Draft202012Validator(policy_schema()).validate(data)


def test_balanced_writes_out_every_default() -> None:
    written = load_policies(["balanced"])
    assert written == Policy(description=written.description)
    data = yaml.safe_load((packaged_folder() / "balanced.yaml").read_text())
    for section in ("goals", "thresholds", "prices", "limits"):
        assert set(data[section]) == set(getattr(Policy(), section).__dataclass_fields__)
    assert set(data["priorities"]) == set(MoveReason)


def test_no_name_means_balanced() -> None:
    assert load_policies([]) == load_policies(["balanced"])


def test_conservative_moves_less_and_aggressive_more_than_balanced() -> None:
    low, middle, high = (load_policies([n]) for n in ("conservative", "balanced", "aggressive"))
    runs = [p.limits.moves_per_run_at_most for p in (low, middle, high)]
    triggers = [p.thresholds.balance_trigger for p in (high, middle, low)]
    prices = [p.prices.move_price for p in (high, middle, low)]
    assert runs == sorted(runs)
    assert triggers == sorted(triggers)
    assert prices == sorted(prices)


def test_later_files_win_setting_by_setting(tmp_path: Path) -> None:
    first = write(tmp_path, "a.yaml", "limits: {residence_s: 10, moves_per_vm_per_day: 7}\n")
    second = write(tmp_path, "b.yaml", "name: b\nlimits: {residence_s: 20}\n")
    policy = load_policies([str(first), str(second)])
    assert (policy.name, policy.limits.residence_s, policy.limits.moves_per_vm_per_day) == (
        "b",
        20,
        7,
    )


def test_one_priority_can_be_changed_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "priorities: {balance: high}\n")
    priorities = load_policies([str(path)]).priorities
    assert priorities[MoveReason.BALANCE] is Priority.HIGH
    assert priorities[MoveReason.CONSOLIDATE] is Priority.LOW


def test_a_configured_folder_comes_before_the_site_and_the_site_before_the_shipped(
    tmp_path: Path,
) -> None:
    write(tmp_path / "site", "balanced.yaml", "name: site\n")
    assert load_policies([]).name == "site"
    write(tmp_path / "own", "balanced.yml", "name: own\n")
    assert load_policies([], folders=[tmp_path / "own"]).name == "own"


def test_a_path_is_relative_to_the_given_base(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "name: a\n")
    assert load_policies(["./a.yaml"], base=tmp_path).name == "a"
    assert load_policies(["a.yaml"], base=tmp_path).name == "a"


def test_a_misspelt_name_is_answered_with_the_nearest_and_all_others() -> None:
    (problem,) = problems_of("balanse")
    assert problem.startswith("policy 'balanse': not found in ")
    assert problem.endswith(
        f"allowed: a path, or one of {', '.join(SHIPPED)}; did you mean 'balanced'?"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            "tresholds: {}\n",
            "3:1: tresholds: unknown key 'tresholds'; did you mean 'thresholds'?",
            id="unknown section",
        ),
        pytest.param(
            "limits:\n  residence: 5\n",
            "4:3: limits.residence: unknown key 'residence'; did you mean 'residence_s'?",
            id="unknown setting",
        ),
        pytest.param(
            "goals:\n  speed: true\n",
            "4:3: goals.speed: unknown key 'speed'; allowed: evacuation, rules, contention, balance, vm_count, "
            "consolidation",
            id="unknown setting with nothing near",
        ),
        pytest.param(
            "memory_metric: activ\n",
            "3:16: memory_metric: 'activ'; allowed: 'active', 'consumed' or 'granted'; "
            "did you mean 'active'?",
            id="misspelt word",
        ),
        pytest.param(
            "goals: {balance: no}\n",
            "3:18: goals.balance: 'no'; allowed: true or false",
            id="no is text",
        ),
        pytest.param(
            "limits: {residence_s: -1}\n",
            "3:23: limits.residence_s: -1; allowed: at least 0",
            id="negative",
        ),
        pytest.param(
            "thresholds: {cpu_ceiling: 95}\n",
            "3:27: thresholds.cpu_ceiling: 95; allowed: at most 1",
            id="percent for a ratio",
        ),
        pytest.param(
            "limits: {moves_per_run_at_most: 2.5}\n",
            "3:33: limits.moves_per_run_at_most: 2.5; allowed: a whole number",
            id="half a move",
        ),
        pytest.param(
            "limits:\n",
            "3:8: limits: null; allowed: a mapping; leave the key out where there is nothing to say",
            id="empty section",
        ),
        pytest.param(
            "thresholds: {balance_target: 0.2}\n",
            "3:30: thresholds.balance_target: 0.2, while thresholds.balance_trigger is 0.05; "
            "allowed: less than balance_trigger; see the default of thresholds.balance_trigger",
            id="target above the trigger",
        ),
        pytest.param(
            "limits: {moves_per_run_at_least: 30}\n",
            "3:34: limits.moves_per_run_at_least: 30, while limits.moves_per_run_at_most is 20; "
            "allowed: at most moves_per_run_at_most; see the default of limits.moves_per_run_at_most",
            id="at least above at most",
        ),
        pytest.param(
            "thresholds: {balance_trigger: 0.01}\n",
            "3:31: thresholds.balance_trigger: 0.01, while thresholds.balance_target is 0.025; "
            "allowed: more than balance_target; see the default of thresholds.balance_target",
            id="trigger below the target that nobody wrote",
        ),
        pytest.param(
            "limits: {moves_per_run_at_most: 1}\n",
            "3:33: limits.moves_per_run_at_most: 1, while limits.moves_per_run_at_least is 2; "
            "allowed: at least moves_per_run_at_least; "
            "see the default of limits.moves_per_run_at_least",
            id="at most below the at least that nobody wrote",
        ),
    ],
)
def test_a_mistake_is_named_with_line_column_and_setting(
    tmp_path: Path, body: str, expected: str
) -> None:
    path = write(tmp_path, "p.yaml", body)
    assert problems_of(str(path)) == [f"{path}:{expected}"]


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "p.yaml", "apiVersion: balancer/v2\nname: x\n", head="")
    assert problems_of(str(path)) == [
        f"{path}:1:1: 'kind' is missing; allowed: it must be given",
        (
            f"{path}:1:13: apiVersion: 'balancer/v2'; allowed: 'balancer/v1'; "
            "did you mean 'balancer/v1'?"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [("", ": the file is empty"), ("- a\n", ":1:1: a list")],
    ids=["empty", "a list"],
)
def test_a_file_without_settings_is_refused(tmp_path: Path, text: str, found: str) -> None:
    path = write(tmp_path, "p.yaml", text, head="")
    assert problems_of(str(path)) == [f"{path}{found}; allowed: a mapping"]


def test_settings_that_contradict_each_other_across_files_name_both_places(tmp_path: Path) -> None:
    first = write(tmp_path, "a.yaml", "thresholds: {balance_trigger: 0.02, balance_target: 0.01}\n")
    second = write(tmp_path, "b.yaml", "thresholds: {balance_target: 0.03}\n")
    (problem,) = problems_of(str(first), str(second))
    assert problem == (
        f"{second}:3:30: thresholds.balance_target: 0.03, while thresholds.balance_trigger is 0.02; "
        f"allowed: less than balance_trigger; see {first}:3:31: thresholds.balance_trigger"
    )


def test_all_problems_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    first = write(tmp_path, "a.yaml", "x: 1\ny: 2\nthresholds: {balance_target: 0.2}\n")
    second = write(tmp_path, "b.yaml", "name: [\n")
    assert len(problems_of(str(first), str(second), "nowhere")) == 5


def test_contradictions_and_unknown_keys_of_a_file_are_told_in_its_order(tmp_path: Path) -> None:
    body = "lim: {}\nthresholds: {balance_trigger: 0.02, balance_target: 0.3}\ngoal: {}\n"
    path = write(tmp_path, "a.yaml", body)
    lines = [line.split("; ")[0].removeprefix(f"{path}:") for line in problems_of(str(path))]
    assert lines == [
        "3:1: lim: unknown key 'lim'",
        "4:53: thresholds.balance_target: 0.3, while thresholds.balance_trigger is 0.02",
        "5:1: goal: unknown key 'goal'",
    ]


def test_a_section_that_is_none_does_not_hide_the_contradictions_of_another_file(
    tmp_path: Path,
) -> None:
    first = write(tmp_path, "a.yaml", "thresholds: {balance_target: 0.2}\n")
    second = write(tmp_path, "b.yaml", "thresholds: 5\n")
    contradiction, shape = problems_of(str(first), str(second))
    assert contradiction.startswith(f"{first}:3:30: thresholds.balance_target: 0.2, while")
    assert shape == f"{second}:3:13: thresholds: 5; allowed: a mapping"


def test_a_policy_named_twice_tells_its_problems_once(tmp_path: Path) -> None:
    path = str(write(tmp_path, "a.yaml", "goal: {}\n"))
    assert len(problems_of(path, path)) == 1


def test_thousands_of_unknown_keys_are_counted_in_seconds(tmp_path: Path) -> None:
    body = "".join(f"{n}: 1\n" for n in range(20_000))
    path, start = str(write(tmp_path, "a.yaml", body)), time.process_time()
    assert problems_of(path)[-1] == "and: 19800 more problems"
    assert time.process_time() - start < 15
