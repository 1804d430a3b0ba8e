import pytest

from balancer.adapters.files.snapshot_checks import snapshot_warnings
from balancer.model.host import HostState
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.vm import PowerState, Profile
from tests.support import builders

TOGETHER, APART = RuleType.AFFINITY, RuleType.ANTI_AFFINITY
ON, OFF = RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE


def cluster(*rules: Rule, **facts: object) -> Snapshot:
    hosts = [builders.host(1), builders.host(2), builders.host(3, state=HostState.MAINTENANCE)]
    return builders.snapshot(hosts, [builders.vm(n, 1) for n in (1, 2, 3)], rules, **facts)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(
            [builders.rule("a", TOGETHER, [1, 2]), builders.rule("b", APART, [2, 1, 3])],
            [
                "rules[0] and rules[1]: 'a' keeps together what 'b' keeps apart: vm-1, vm-2",
                "rules[1].vms: 'b' keeps 3 running VMs apart, but only 2 hosts may run VMs",
            ],
            id="together and apart",
        ),
        pytest.param(
            [builders.rule("a", APART, [1, 2, 3], most=2)],
            [],
            id="three VMs for two hosts of two",
        ),
        pytest.param(
            [builders.rule("a", APART, [1, 2, 3], most=2, domains=[[1, 2]])],
            [
                (
                    "rules[0].vms: 'a' keeps 3 running VMs apart, but only 2 hosts may run VMs, "
                    "which have 2 places for them"
                )
            ],
            id="three VMs for one domain of two",
        ),
        pytest.param(
            [builders.rule("a", TOGETHER, [1, 2]), builders.rule("b", APART, [2, 3])],
            [],
            id="together and apart over one shared VM",
        ),
        pytest.param(
            [
                builders.rule("a", TOGETHER, [1, 2], mandatory=False),
                builders.rule("b", APART, [1, 2]),
            ],
            [],
            id="a should-rule contradicts nothing",
        ),
        pytest.param(
            [
                builders.rule("a", TOGETHER, [1, 2], enabled=False),
                builders.rule("b", APART, [1, 2]),
            ],
            [],
            id="a rule that is off contradicts nothing",
        ),
        pytest.param(
            [builders.rule("a", ON, [1, 2], on=[1]), builders.rule("b", OFF, [1, 2], on=[1])],
            ["rules[0] and rules[1]: vm-1 may run on no host: 'a', 'b'"],
            id="on and off the same host",
        ),
        pytest.param(
            [builders.rule("a", ON, [1], on=[])],
            ["rules[0]: vm-1 may run on no host: 'a'"],
            id="an empty host group",
        ),
        pytest.param(
            [builders.rule("a", ON, [1], on=[1, 2]), builders.rule("b", OFF, [1], on=[1])],
            [],
            id="one host is left",
        ),
        pytest.param(
            [builders.rule("a", APART, [1, 2]), builders.rule("a", APART, [2, 3])],
            ["rules[1].name: 'a' is also the name of rules[0]"],
            id="one name twice",
        ),
    ],
)
def test_rules_that_contradict_each_other_are_warned_of(
    rules: list[Rule], expected: list[str]
) -> None:
    assert [str(warning) for warning in snapshot_warnings(cluster(*rules))] == expected


def test_vms_that_are_off_need_no_host_of_their_own() -> None:
    vms = [builders.vm(n, 1, power=PowerState.OFF if n > 2 else PowerState.ON) for n in (1, 2, 3)]
    hosts = [builders.host(1), builders.host(2)]
    snap = builders.snapshot(hosts, vms, [builders.rule("a", APART, [1, 2, 3])])
    assert snapshot_warnings(snap) == ()


def test_profiles_without_the_length_of_a_slot_are_warned_of() -> None:
    vms = [builders.vm(1, 1, profile=Profile(cpu_demand_mhz=(1.0,)))]
    snap = builders.snapshot([builders.host(1)], vms)
    (warning,) = snapshot_warnings(snap)
    assert warning.where == "profile_slot_seconds"


def test_a_past_without_the_length_of_its_steps_is_told() -> None:
    snap = builders.snapshot([builders.host(1, recent_cpu_mhz=(1.0,))], [])
    (warning,) = snapshot_warnings(snap)
    assert warning.where == "recent_step_seconds"
