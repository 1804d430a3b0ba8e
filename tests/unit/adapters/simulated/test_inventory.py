"""Generated clusters look as the spec says and obey the laws they are made to obey."""

import time
from dataclasses import replace

import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.spec import LoadRange, RuleShares, VmShares
from balancer.model.host import HostState
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.rules.judge import ALL_LAWS
from balancer.rules.placement import Candidate, Placement
from balancer.rules.violations import violations
from tests.support.builders import placement

SIZES = [(4, 40), (8, 100), (16, 400), (32, 1000)]
SEEDS = [1, 2, 3]


def configured_ratio(snapshot: Snapshot) -> list[float]:
    held = dict.fromkeys(snapshot.host_by_id, 0.0)
    for vm in snapshot.vms:
        held[vm.host] += vm.memory_mib
    return [held[host.id] / host.usable_memory_mib for host in snapshot.hosts]


def mean_ratios(snapshot: Snapshot) -> tuple[float, float]:
    arrays = placement(snapshot).host_arrays()
    cpu, memory = arrays.load.sum(axis=0) / arrays.capacity.sum(axis=0)
    return float(cpu), float(memory)


def test_equal_arguments_give_equal_snapshots() -> None:
    spec = InventorySpec.sized(8, 100)
    assert generate(spec, 7) == generate(spec, 7)


def test_another_seed_gives_another_cluster() -> None:
    spec = InventorySpec.sized(8, 100)
    assert generate(spec, 7).vms != generate(spec, 8).vms


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("hosts", "vms"), SIZES)
def test_only_the_broken_pairs_break_a_must_rule(hosts: int, vms: int, seed: int) -> None:
    snapshot = generate(InventorySpec.sized(hosts, vms), seed)
    broken = [v.rule for v in violations(placement(snapshot)) if v.mandatory]
    assert broken == ["apart-pair-1", "apart-pair-2"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("hosts", "vms"), SIZES)
def test_no_host_holds_more_configured_memory_than_the_ceiling(
    hosts: int, vms: int, seed: int
) -> None:
    assert max(configured_ratio(generate(InventorySpec.sized(hosts, vms), seed))) <= 0.96


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("hosts", "vms"), SIZES)
def test_mean_load_is_what_the_spec_asks_for(hosts: int, vms: int, seed: int) -> None:
    cpu, memory = mean_ratios(generate(InventorySpec.sized(hosts, vms), seed))
    assert cpu == pytest.approx(0.50, abs=0.01)
    assert memory == pytest.approx(0.53, abs=0.02)


def test_the_start_is_uneven_in_both_resources() -> None:
    ratio = placement(generate(InventorySpec.sized(32, 1000), 1)).host_arrays().ratio
    assert ratio.std(axis=0).min() > 0.10


@pytest.mark.parametrize("evc", [False, True], ids=["evc off", "evc on"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_vm_may_run_where_it_stands(seed: int, evc: bool) -> None:
    """Each is asked to come to its host from another one, on an otherwise empty copy of the cluster."""
    snapshot = generate(replace(InventorySpec.sized(16, 400), evc=evc, rules=_NO_RULES), seed)
    laws = [law for law in ALL_LAWS if law.name in ("evc", "storage", "network", "vm_host")]
    here: Placement = placement(snapshot)
    for vm in snapshot.vms:
        asked = Candidate(vm=vm.id, target=vm.host)
        assert [law.judge(here, asked) for law in laws] == [None] * len(laws)


_NO_RULES = RuleShares(
    triples_apart=0.0, pairs_together=0.0, pinned=0.0, broken_pairs=0, should_rules=0
)


def test_a_spec_without_rules_has_none() -> None:
    assert generate(InventorySpec(hosts=8, vms=100, rules=_NO_RULES), 1).rules == ()


def test_rules_share_no_vm() -> None:
    rules = generate(InventorySpec.sized(32, 1000), 1).rules
    members = [vm for rule in rules for vm in rule.vms]
    assert len(members) == len(set(members))


@pytest.mark.parametrize(
    ("prefix", "kind", "vms"),
    [
        ("apart-", RuleType.ANTI_AFFINITY, 3 * 13 + 2 * 2),
        ("together-", RuleType.AFFINITY, 2 * 10),
        ("licensed-", RuleType.VM_HOST_AFFINE, 20),
    ],
    ids=["1 % in triples and two pairs", "0.5 % in pairs", "0.5 % pinned"],
)
def test_rule_shares_are_kept(prefix: str, kind: RuleType, vms: int) -> None:
    rules = generate(InventorySpec.sized(64, 4000), 1).rules
    named = [rule for rule in rules if rule.name.startswith(prefix)]
    assert {rule.type for rule in named} == {kind}
    assert sum(len(rule.vms) for rule in named) == vms


def test_one_host_stands_at_the_cpu_ratio_asked_for() -> None:
    snapshot = generate(InventorySpec(hosts=16, vms=400, hottest_cpu=0.97), 1)
    ratio = placement(snapshot).host_arrays().ratio[:, 0]
    assert ratio.max() == pytest.approx(0.97, abs=0.001)


def test_a_host_entering_maintenance_holds_only_vms_that_can_leave() -> None:
    snapshot = generate(InventorySpec(hosts=16, vms=400, entering_maintenance=1), 1)
    leaving = [h.id for h in snapshot.hosts if h.state is HostState.ENTERING_MAINTENANCE]
    vms = [vm for vm in snapshot.vms if vm.host in leaving]
    assert len(leaving) == 1
    assert vms
    assert not any(vm.blockers for vm in vms)


def test_with_evc_off_only_vms_on_newer_hosts_need_the_newer_mode() -> None:
    snapshot = generate(InventorySpec.sized(16, 400), 1)
    hosts = {vm.host for vm in snapshot.vms if vm.min_evc_mode == "intel-icelake"}
    assert hosts
    assert {snapshot.host_by_id[host].max_evc_mode for host in hosts} == {"intel-icelake"}


def test_with_evc_on_every_vm_runs_at_the_cluster_mode() -> None:
    snapshot = generate(InventorySpec(hosts=8, vms=100, evc=True), 1)
    assert {vm.min_evc_mode for vm in snapshot.vms} == {snapshot.cluster.evc_mode}


def test_powered_off_vms_have_no_demand() -> None:
    spec = InventorySpec(hosts=8, vms=200, shares=VmShares(powered_off=0.2))
    off = [vm for vm in generate(spec, 1).vms if not vm.is_running]
    assert off
    assert {vm.cpu_demand_mhz for vm in off} == {None}


def test_ids_of_two_clusters_do_not_meet() -> None:
    one, two = (generate(InventorySpec(hosts=4, vms=40, number=n), 1) for n in (1, 2))
    assert not one.vm_by_id.keys() & two.vm_by_id.keys()
    assert not one.host_by_id.keys() & two.host_by_id.keys()
    assert one.cluster.id != two.cluster.id


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"hosts": 1}, "2 hosts"),
        ({"hosts": 8, "vms": 4}, "a VM for each"),
        ({"number": 0}, "number"),
        ({"hosts": 4, "vms": 40, "entering_maintenance": 1}, "evacuation"),
        ({"hosts": 4, "vms": 40, "entering_maintenance": 4}, "maintenance"),
    ],
    ids=["one host", "fewer VMs than hosts", "no number", "too full to evacuate", "no host stays"],
)
def test_a_spec_that_cannot_be_generated_is_refused(facts: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InventorySpec(**facts)  # type: ignore[arg-type]


def test_a_load_range_without_room_for_its_mean_is_refused() -> None:
    with pytest.raises(ValueError, match="low < mean < high"):
        LoadRange(mean=0.5, low=0.6, high=0.9)


def test_the_largest_size_is_generated_in_seconds() -> None:
    start = time.monotonic()
    snapshot = generate(InventorySpec.sized(96, 10_000), 1)
    assert len(snapshot.vms) == 10_000
    assert time.monotonic() - start < 20.0
