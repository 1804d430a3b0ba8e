"""A host that fails in a recording fails in the replay: what goes down, where it is started, what it costs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from balancer.lab.contenders import CONTENDERS
from balancer.lab.outages import outages_of
from balancer.lab.replay import replay
from balancer.lab.scene import Scene
from balancer.lab.score import bound_of
from balancer.model.host import HostState
from balancer.model.rule import RuleType
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HostId
from balancer.model.vm import Blocker, PowerState, Vm
from tests.support.builders import host, rule, vm
from tests.unit.lab.recorded import Change, cluster, inputs, lived, record

H1, H2, H3 = (HostId(f"host-{number}") for number in (1, 2, 3))
SILENT = HostState.NOT_RESPONDING


def shows(state: HostState, *moved: int, to: HostId = H2) -> Change:
    """Return that host-1 shows a state, and that VMs of these numbers stand on another host."""

    def change(now: Snapshot) -> Snapshot:
        hosts = (replace(now.hosts[0], state=state), *now.hosts[1:])
        names = {f"vm-{number}" for number in moved}
        vms = tuple(replace(each, host=to) if each.id in names else each for each in now.vms)
        return replace(now, hosts=hosts, vms=vms)

    return change


def begin(*vms: Vm, has_ha: bool = True, **facts: object) -> Snapshot:
    now = cluster(vms, **facts)  # type: ignore[arg-type]
    return replace(now, cluster=replace(now.cluster, ha=Ha(enabled=has_ha)))


def scene(folder: Path, now: Snapshot, slots: int = 6, **later: Change) -> Scene:
    (one,) = inputs(record(folder, now, slots=slots, **later)).scenes
    return one


def places(now: Snapshot) -> list[tuple[str, PowerState]]:
    return [(each.host.removeprefix("host-"), each.power) for each in now.vms]


def test_its_vms_are_started_elsewhere_and_it_comes_back_empty(tmp_path: Path) -> None:
    of = scene(
        tmp_path,
        begin(vm(1, 1), vm(2, 2), vm(3, 3)),
        at_2=shows(SILENT, 1),
        at_4=shows(HostState.CONNECTED),
    )
    states = [now.hosts[0].state for now in lived(of)]
    assert states == [HostState.CONNECTED] * 2 + [SILENT] * 2 + [HostState.CONNECTED] * 2
    assert [places(now)[0] for now in lived(of)] == [("1", PowerState.ON)] * 2 + [
        ("2", PowerState.ON)
    ] * 4

    run = replay(of, CONTENDERS["nothing"])

    (down,) = run.downs
    assert (down.vm, down.source, down.since_s, down.target) == ("vm1", H1, 600.0, H2)
    assert down.until_s == 720.0
    assert run.score.restarts == 1
    assert run.score.down_ghz_h == pytest.approx(120 / 3600)  # 1 GHz for two minutes
    assert run.score.unmet_ghz_h == pytest.approx(run.score.down_ghz_h)
    load = run.curves.host_load * np.float32(of.hosts[1].usable_cpu_mhz)
    assert load[2, 1] == pytest.approx(1000.0 * (2.0 - 0.4), rel=1e-5)
    assert load[3:, 1] == pytest.approx(np.full(3, 2000.0), rel=1e-5)
    assert run.curves.host_load[2:, 0].tolist() == [0.0] * 4


@pytest.mark.parametrize("name", ["nothing", "ours"])
def test_what_is_started_after_the_last_cycle_is_told(tmp_path: Path, name: str) -> None:
    of = scene(tmp_path, begin(vm(1, 1), vm(2, 2)), slots=3, at_2=shows(SILENT, 1))
    (down,) = replay(of, CONTENDERS[name]).downs
    assert (down.target, down.until_s) == (H3, 720.0)


def test_what_finds_no_memory_stays_off_and_counts_until_its_host_is_back(tmp_path: Path) -> None:
    small = [host(number, cpu_cores=8, memory_capacity_mib=8192.0) for number in (1, 2)]
    of = scene(
        tmp_path,
        begin(
            vm(1, 1),
            vm(2, 1, memory_mib=3000.0),
            vm(3, 2),
            vm(9, 1, power=PowerState.OFF),
            hosts=small,
        ),
        at_1=shows(SILENT, 1),
        at_4=shows(HostState.CONNECTED),
    )
    of = replace(of, idle_consumed=1.0)
    run = replay(of, CONTENDERS["nothing"])
    told = {down.vm: (down.target, down.until_s, down.was_started) for down in run.downs}
    assert told == {
        "vm1": (H2, 420.0, True),
        "vm2": (H1, 1320.0, True),
        "vm9": (H1, 1320.0, False),
    }
    assert run.score.restarts == 2
    assert run.score.down_ghz_h == pytest.approx((120 + 1020) / 3600)


def test_rules_and_devices_keep_vms_from_being_started_elsewhere(tmp_path: Path) -> None:
    musts = [
        rule("apart", RuleType.ANTI_AFFINITY, [1, 2]),
        rule("not-there", RuleType.VM_HOST_ANTI_AFFINE, [1], on=[3]),
    ]
    bound = vm(4, 1, blockers=(Blocker.PASSTHROUGH_DEVICE,))
    now = begin(vm(1, 1), vm(2, 2), vm(3, 1), bound, rules=musts)
    last = lived(scene(tmp_path, now, at_1=shows(SILENT, 3)))[-1]
    off = ("1", PowerState.OFF)
    assert places(last) == [off, ("2", PowerState.ON), ("3", PowerState.ON), off]


@pytest.mark.parametrize(
    ("state", "has_ha", "moved", "has_failed"),
    [
        pytest.param(SILENT, True, (1,), True, id="its VMs were started elsewhere"),
        pytest.param(SILENT, True, (), False, id="HA left its VMs where they were"),
        pytest.param(SILENT, False, (), True, id="no HA that could prove anything"),
        pytest.param(HostState.DISCONNECTED, False, (), False, id="a person took it out"),
        pytest.param(HostState.DISCONNECTED, True, (1,), True, id="disconnected, VMs elsewhere"),
    ],
)
def test_a_host_that_does_not_answer_has_failed_where_its_vms_do_not_run_on(
    tmp_path: Path, state: HostState, has_ha: bool, moved: tuple[int, ...], has_failed: bool
) -> None:
    now = begin(vm(1, 1), vm(2, 2), has_ha=has_ha)
    of = scene(tmp_path, now, slots=4, at_1=shows(state, *moved))
    (outage,) = outages_of(of)
    assert outage.has_failed is has_failed
    seen = lived(of)
    assert [each.hosts[0].state for each in seen[1:]] == [state] * 3
    expected = {True: ("3" if moved else "1", PowerState.ON if moved else PowerState.OFF)}
    assert places(seen[-1])[0] == expected.get(has_failed, ("1", PowerState.ON))


def test_a_host_that_is_being_worked_on_has_not_failed(tmp_path: Path) -> None:
    maintained = shows(HostState.MAINTENANCE, 1)
    of = scene(tmp_path, begin(vm(1, 1)), at_1=maintained, at_2=shows(SILENT))
    assert outages_of(of) == ()
    assert {now.hosts[0].state for now in lived(of)} == {
        HostState.CONNECTED,
        HostState.ENTERING_MAINTENANCE,
    }


def test_a_part_that_begins_in_a_failure_begins_with_it(tmp_path: Path) -> None:
    folder = record(tmp_path, begin(vm(1, 1), vm(2, 2)), slots=4, at_1=shows(SILENT, 1))
    (of,) = inputs(folder, from_day=2 * 5 / 1440).scenes
    (outage,) = outages_of(of)
    assert (outage.silence.since, outage.silence.until) == (0, None)
    assert lived(of)[0].hosts[0].state is SILENT


def test_the_bound_counts_on_no_host_that_has_failed(tmp_path: Path) -> None:
    hosts = [host(number, cpu_cores=1, cpu_capacity_mhz=2500.0) for number in (1, 2)]
    now = begin(vm(1, 1, cpu_demand_mhz=2000.0), vm(2, 2, cpu_demand_mhz=2000.0), hosts=hosts)
    bound = bound_of(scene(tmp_path, now, slots=4, at_2=shows(SILENT, 1)))
    assert bound.unmet_ghz_h == pytest.approx(1.5 * 600 / 3600)
