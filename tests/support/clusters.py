"""Hypothesis strategy for small clusters in which every law can bite."""

from typing import Any

from hypothesis import strategies as st

from balancer.model.host import Host, HostState, VmotionLink
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Ha, ResourcePool, Snapshot
from balancer.model.vm import Automation, Blocker, Encryption, PowerState, Vm
from balancer.policy.types import Policy, Thresholds
from tests.support.builders import host, rule, snapshot, vm

POLICY = Policy(
    thresholds=Thresholds(cpu_ceiling=0.9, memory_ceiling=0.9, vcpus_per_core=3.0, vms_per_host=3)
)

MODES = (None, "intel-haswell", "intel-skylake", "intel-icelake", "amd-unknown")
REACH = (None, frozenset({"a"}), frozenset({"a", "b"}), frozenset({"b", "c"}))
NEEDS: tuple[frozenset[str], ...] = (frozenset(), frozenset({"a"}), frozenset({"a", "b"}))
POOLS = ("gold", "silver")
STATES = (*([HostState.CONNECTED] * 8), *HostState)
OFTEN = 12
"""How much more often a usual value is drawn than an unusual one."""


def usually(value: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Draw `value` most of the time."""
    return st.sampled_from([value] * OFTEN + list(others))


@st.composite
def clusters(
    draw: st.DrawFn, *, most_hosts: int = 5, most_vms: int = 12, is_plain: bool = False
) -> Snapshot:
    """Draw a snapshot; a plain one has no odd hardware, so that more moves are legal."""
    hosts = [draw(_hosts(n, is_plain)) for n in range(1, draw(st.integers(1, most_hosts)) + 1)]
    count = draw(st.integers(0, most_vms))
    vms = [draw(_vms(n, len(hosts), is_plain)) for n in range(1, count + 1)]
    rules = draw(st.lists(_rules(count, len(hosts)), max_size=4)) if count else []
    spare = frozenset(h.id for h in hosts[1:] if draw(usually(False, True)))
    cluster = {"ha": Ha(failover_hosts=spare), "evc_mode": draw(usually(None, "intel-skylake"))}
    pools = draw(st.tuples(*(_pools(name) for name in POOLS)))
    return snapshot(hosts, vms, rules, cluster=cluster, resource_pools=pools)


def _hosts(number: int, is_plain: bool) -> st.SearchStrategy[Host]:
    facts: dict[str, st.SearchStrategy[Any]] = {
        "cpu_capacity_mhz": st.sampled_from([8000.0, 10_000.0, 16_000.0]),
        "memory_capacity_mib": st.sampled_from([20_000.0, 30_000.0]),
        "state": st.sampled_from(STATES),
        "max_running_vms": usually(None, 3, 5),
        "cpu_cores": st.sampled_from([None, 2, 4]),
        "numa_nodes": usually(None, 2),
    }
    if not is_plain:
        facts |= {
            "max_evc_mode": st.sampled_from(MODES),
            "cpu_vendor": usually("intel", "amd", None),
            "cpu_features": usually({}, {"cpuid.avx": "Bool:1"}, {"cpuid.x": "odd"}),
            "datastores": st.sampled_from(REACH),
            "networks": st.sampled_from(REACH),
            "vmotion": usually(
                VmotionLink(), VmotionLink(enabled=False), VmotionLink(encrypted_supported=False)
            ),
        }
    return st.fixed_dictionaries(facts).map(lambda drawn: host(number, **drawn))


def _vms(number: int, hosts: int, is_plain: bool) -> st.SearchStrategy[Vm]:
    facts: dict[str, st.SearchStrategy[Any]] = {
        "memory_mib": st.sampled_from([1000.0, 4000.0, 9000.0]),
        "cpu_demand_mhz": st.sampled_from([0.0, 500.0, 2000.0, 4000.0, None]),
        "vcpus": st.sampled_from([1, 2, 4]),
        "resource_pool": st.sampled_from([None, None, *POOLS]),
        "cpu_reservation_mhz": usually(0.0, 3000.0),
        "memory_reservation_mib": usually(0.0, 6000.0),
        "power": usually(PowerState.ON, PowerState.OFF),
        "automation": usually(None, Automation.MANUAL, Automation.DISABLED),
        "blockers": usually((), (Blocker.VGPU,), (Blocker.USB_DEVICE, Blocker.AGENT_VM)),
    }
    if not is_plain:
        facts |= {
            "evc_mode": st.sampled_from(MODES),
            "min_evc_mode": usually(None, "intel-haswell"),
            "cpu_features": usually({}, {"cpuid.avx": "Bool:Min:1"}, {"cpuid.x": "Bool:Min:1"}),
            "datastores": st.sampled_from(NEEDS),
            "networks": st.sampled_from(NEEDS),
            "encryption": usually(None, Encryption.REQUIRED),
        }
    on = st.integers(1, hosts)
    return st.tuples(on, st.fixed_dictionaries(facts)).map(lambda drawn: _vm(number, *drawn))


def _vm(number: int, on: int, facts: dict[str, Any]) -> Vm:
    automation = facts.pop("automation")
    return vm(number, on=on, **facts, **({"automation": automation} if automation else {}))


def _pools(name: str) -> st.SearchStrategy[ResourcePool]:
    """Draw a pool; the silver one lies in the golden one or beside it."""
    return st.builds(
        ResourcePool,
        id=st.just(name),
        name=st.just(name),
        parent=st.sampled_from([None, "gold"]) if name == "silver" else st.none(),
        cpu_reservation_mhz=st.sampled_from([None, None, 12_000.0, 30_000.0]),
        memory_reservation_mib=st.sampled_from([None, None, 20_000.0, 50_000.0]),
        cpu_limit_mhz=usually(None, 3000.0),
        memory_limit_mib=usually(None, 6000.0),
    )


def _rules(vms: int, hosts: int) -> st.SearchStrategy[Rule]:
    members = st.lists(st.integers(1, vms), min_size=1, max_size=4, unique=True)
    return st.builds(
        lambda kind, of, on, mandatory, weight, most, domains: rule(
            f"{kind} {of}",
            kind,
            of,
            on=on,
            mandatory=mandatory,
            weight=weight,
            most=most,
            domains=domains,
        ),
        st.sampled_from(RuleType),
        members,
        st.lists(st.integers(1, hosts), max_size=hosts, unique=True),
        usually(True, False),
        usually(1.0, 0.5, 3.0),
        st.sampled_from([1, 1, 2, 3]),
        domains(hosts),
    )


def domains(hosts: int) -> st.SearchStrategy[list[list[int]]]:
    """Draw groups of hosts that share none; often no group at all, and hosts in none beside some."""
    racks = st.lists(st.integers(0, 2), min_size=hosts, max_size=hosts)
    return st.one_of(st.just([]), racks.map(_grouped))


def _grouped(rack_of: list[int]) -> list[list[int]]:
    numbered = list(enumerate(rack_of, start=1))
    return [[host for host, rack in numbered if rack == wanted] for wanted in (1, 2)]
