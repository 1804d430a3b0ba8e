"""What a recording carries into a replay beside load: rules, settings, pools, states of hosts, and places."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.recording import Recorder
from balancer.adapters.simulated.trace import make_hosts, make_placement, make_trace
from balancer.adapters.traces import read_recording
from balancer.cli.validation_traces import examined_folder
from balancer.config.record import Record
from balancer.cycle import run_cycle
from balancer.lab.contenders import CONTENDERS
from balancer.lab.replay import replay, site_of
from balancer.lab.result import Run
from balancer.lab.scene import Scene
from balancer.lab.whatif_change import Change, NewVms
from balancer.lab.whatif_trace import change_scene
from balancer.lab.world import ReplayedVCenter
from balancer.model.host import HostState
from balancer.model.reasons import Reason
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Drs, ResourcePool, Snapshot
from balancer.model.units import HostId
from balancer.model.vm import Automation, Blocker, PowerState
from balancer.policy.types import Policy
from tests.support.builders import rule, vm
from tests.unit.lab import recorded
from tests.unit.lab.recorded import STEP_MIN, cluster, inputs, record

APART = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
KEY = Path("not-needed.key")
TO_HOST = rule("to-host", RuleType.VM_HOST_AFFINE, [1], on=[2])


def scene(folder: Path, begin: Snapshot, slots: int = 3, **later: recorded.Change) -> Scene:
    (one,) = inputs(record(folder, begin, slots=slots, **later)).scenes
    return one


def places(of: Scene, run: Run, at_s: float) -> dict[str, HostId]:
    """Return where each VM stands at a moment of a replay."""
    done = [move for move in run.moves if move.ended_s <= at_s and not move.fault]
    return dict(of.placement) | {move.vm: move.target for move in done}


def is_kept(one: Rule, at: dict[str, HostId]) -> bool:
    hosts = [at[f"vm{member.removeprefix('vm-')}"] for member in one.vms]
    if one.type is RuleType.ANTI_AFFINITY:
        return len(set(hosts)) == len(hosts)
    if one.type is RuleType.AFFINITY:
        return len(set(hosts)) == 1
    return all(map(one.allows_host, hosts))


def test_the_first_snapshot_is_what_the_replay_begins_with(tmp_path: Path) -> None:
    begin = cluster(
        [
            vm(
                1,
                1,
                tags=frozenset({"tier/gold"}),
                groups=frozenset({"web"}),
                memory_reservation_mib=512.0,
                cpu_limit_mhz=900.0,
                resource_pool="pool-1",
                blockers=(Blocker.USB_DEVICE,),
                automation=Automation.MANUAL,
                cpu_ready_percent=7.0,
                memory_ballooned_mib=64.0,
            ),
            vm(2, 2, power=PowerState.OFF, cpu_demand_mhz=None),
        ],
        [APART, rule("beside", RuleType.AFFINITY, [1, 2], mandatory=False)],
    )
    pools = (ResourcePool(id="pool-1", name="gold", memory_reservation_mib=256.0),)
    set_up = replace(begin.cluster, evc_mode="intel-skylake", drs=Drs(enabled=True))
    begin = replace(begin, resource_pools=pools, cluster=set_up)

    world = ReplayedVCenter(scene(tmp_path, begin), seed=0)
    seen = world.snapshot(world.ref)

    one, two = seen.vms
    assert (seen.rules, seen.resource_pools) == (begin.rules, pools)
    assert (seen.cluster.name, seen.cluster.evc_mode) == ("prod", "intel-skylake")
    assert not seen.cluster.drs.acts_alone
    for name in ("id", "tags", "groups", "memory_reservation_mib", "cpu_limit_mhz", "blockers"):
        assert getattr(one, name) == getattr(begin.vms[0], name)
    assert (one.resource_pool, one.automation) == ("pool-1", Automation.MANUAL)
    assert (one.cpu_ready_percent, one.memory_ballooned_mib) == (0.0, None)
    assert (two.host, two.power) == ("host-2", PowerState.OFF)


def test_what_changes_in_the_recording_changes_in_the_replay(tmp_path: Path) -> None:
    def ruled(now: Snapshot) -> Snapshot:
        tagged = replace(now.vms[0], tags=frozenset({"new"}))
        hosts = (replace(now.hosts[0], state=HostState.MAINTENANCE), *now.hosts[1:])
        return replace(now, rules=(APART,), vms=(tagged, now.vms[1]), hosts=hosts)

    of = scene(tmp_path, cluster([vm(1, 2), vm(2, 3)]), slots=4, at_2=ruled)
    world, seen = ReplayedVCenter(of, seed=0), []
    for _ in range(4):
        seen.append(world.snapshot(world.ref))
        world.clock.sleep(of.trace.step_s)

    assert [len(one.rules) for one in seen] == [0, 0, 0, 1]
    assert [one.vms[0].tags for one in seen] == [frozenset()] * 3 + [{"new"}]
    assert [one.hosts[0].state for one in seen] == [HostState.CONNECTED] * 3 + [
        HostState.MAINTENANCE
    ]


def test_a_host_that_was_emptied_must_be_emptied_in_the_replay(tmp_path: Path) -> None:
    def leaving(now: Snapshot) -> Snapshot:
        hosts = (replace(now.hosts[0], state=HostState.MAINTENANCE), *now.hosts[1:])
        moved = replace(now.vms[0], host=HostId("host-2"))
        return replace(now, hosts=hosts, vms=(moved, *now.vms[1:]))

    of = scene(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=6, at_2=leaving)
    run = replay(of, CONTENDERS["ours"])
    assert {move.vm: move.source for move in run.moves} == {"vm1": "host-1"}


def test_a_host_is_in_maintenance_too_when_its_last_vm_is_switched_off(tmp_path: Path) -> None:
    def leaving(now: Snapshot) -> Snapshot:
        hosts = (replace(now.hosts[0], state=HostState.ENTERING_MAINTENANCE), *now.hosts[1:])
        return replace(now, hosts=hosts)

    def ended(now: Snapshot) -> Snapshot:
        return replace(now, vms=now.vms[1:])

    of = scene(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=6, at_1=leaving, at_3=ended)
    states = [now.hosts[0].state for now in recorded.lived(of)]
    assert states[2:] == [HostState.ENTERING_MAINTENANCE] * 2 + [HostState.MAINTENANCE] * 2


@pytest.mark.parametrize("broken", [APART, TO_HOST, rule("both", RuleType.AFFINITY, [1, 3])])
def test_a_must_rule_that_is_broken_at_the_begin_is_mended_and_stays_kept(
    tmp_path: Path, broken: Rule
) -> None:
    of = scene(tmp_path, cluster([vm(1, 1), vm(2, 1), vm(3, 3)], [broken]), slots=6)
    run = replay(of, CONTENDERS["ours"])
    ends = [places(of, run, at_s) for at_s in (0.0, 900.0, 1800.0)]
    assert [is_kept(broken, at) for at in ends] == [False, True, True]
    assert len(run.moves) == 1


def test_a_site_that_plans_by_a_forecast_records_what_was_measured(tmp_path: Path) -> None:
    trace, hosts = make_trace(6, 8), make_hosts(2, cpu_mhz=1e6)
    lived = Scene(trace=trace, hosts=hosts, placement=make_placement(trace, hosts))
    world, recorder = ReplayedVCenter(lived, seed=0), Recorder(Record(folder=tmp_path), KEY, print)
    site = site_of(world, CONTENDERS["steady-level"], recorder.listeners_of("main", "prod")[0])
    for _ in range(trace.slots):
        world.clock.sleep(trace.step_s)
        run_cycle(site, cycle_id="1")
        recorder.write_waiting()

    again = read_recording(tmp_path).trace

    assert [vm.name for vm in again.vms] == [vm.name for vm in trace.vms]
    assert np.abs(again.cpu_mhz - trace.cpu_mhz).max() <= 1.0


def test_a_change_of_a_recording_keeps_its_rules_and_gives_new_vms_the_settings_of_their_model(
    tmp_path: Path,
) -> None:
    begin = cluster([vm(1, 1, tags=frozenset({"gold"})), vm(2, 2), vm(3, 3)], [APART, TO_HOST])
    change = Change(fail_hosts=("esx1",), add_vms=(NewVms(count=1, like="vm1"),))
    found = change_scene(scene(tmp_path, begin), change, Policy())
    world = ReplayedVCenter(found.scene, seed=0)
    after = world.snapshot(world.ref)

    (lost,) = found.unplaced
    assert (lost.name, {refusal.reason for refusal in lost.why}) == (
        "vm1",
        {Reason.ANTI_AFFINITY, Reason.VM_HOST_AFFINE},
    )
    assert [(one.id, one.tags) for one in after.vms] == [
        ("new-vm-1", {"gold"}),
        ("vm-2", frozenset()),
        ("vm-3", frozenset()),
    ]
    assert [rule.vms for rule in after.rules] == [("vm-2",), ()]


@pytest.mark.parametrize("number", range(3))
def test_no_contender_breaks_a_must_rule_that_was_recorded(tmp_path: Path, number: int) -> None:
    random = np.random.default_rng(number)
    vms = [
        vm(each, int(random.integers(1, 4)), cpu_demand_mhz=float(random.integers(100, 9000)))
        for each in range(1, 7)
    ]
    beside = rule("both", RuleType.AFFINITY, [3, 4])
    musts = [APART, rule("not-there", RuleType.VM_HOST_ANTI_AFFINE, [5, 6], on=[1]), beside]
    of = scene(tmp_path, cluster(vms, musts), slots=4)
    slots = [slot * of.trace.step_s for slot in range(of.trace.slots + 1)]
    for name in ("ours", "drs-5", "drs-cost-1", "chase", "reactive-70", "proxlb-memory"):
        run = replay(of, CONTENDERS[name])
        moments = sorted([*slots, *(move.ended_s for move in run.moves)])
        for must in musts:
            # two that must stay together move one after the other
            kept = [
                is_kept(must, places(of, run, at_s))
                for at_s in (slots if must is beside else moments)
            ]
            assert kept == sorted(kept), (name, must.name)  # once kept it stays so
            assert kept[-1] or name != "ours", must.name


def test_a_part_of_a_recording_begins_with_the_places_and_the_rules_of_its_day(
    tmp_path: Path,
) -> None:
    def later(now: Snapshot) -> Snapshot:
        moved = replace(now.vms[0], host=HostId("host-3"))
        new = vm(9, 2)
        return replace(now, rules=(APART,), vms=(moved, *now.vms[1:], new))

    folder = record(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=4, at_2=later)
    whole, part = (inputs(folder, from_day=day).scenes[0] for day in (0.0, 2 * STEP_MIN / 1440))

    assert dict(whole.placement) == {"vm1": "host-1", "vm2": "host-2", "vm9": "host-2"}
    assert dict(part.placement) == {"vm1": "host-3", "vm2": "host-2", "vm9": "host-2"}
    assert part.recorded is not None
    assert part.recorded.base.rules == (APART,)
    assert part.recorded.frames == ()


def test_validate_says_what_a_recording_brings(tmp_path: Path) -> None:
    def freed(now: Snapshot) -> Snapshot:
        return replace(now, rules=())

    folder = record(tmp_path, cluster([vm(1, 1), vm(2, 2)], [APART]), slots=3, at_1=freed)
    assert examined_folder(folder).summary == (
        "recording of cluster prod: 2 VMs, 3 steps of 300 s from 2026-11-22T12:00:00Z, 3 hosts, 1 rule, "
        "1 change of rules, pools, cluster or hosts"
    )
