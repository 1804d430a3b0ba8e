"""What-if: changes assumed on a snapshot, where VMs go, what it costs, and what is said of what does not fit."""

from dataclasses import replace
from typing import Any

import pytest

from balancer.lab.whatif import Answer, NotFit, what_if
from balancer.lab.whatif_change import Change, NewHosts, NewVms, Size
from balancer.model.errors import InputError
from balancer.model.host import HostState, VmotionLink
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot, Source
from balancer.model.units import HostId
from balancer.model.vm import Automation, Blocker, PowerState
from balancer.plan import PlanSettings
from balancer.policy.types import Policy
from tests.support.builders import host, rule, snapshot, vm


def asked(snap: Snapshot, **change: Any) -> Answer:
    return what_if(snap, Policy(), Change(**change), settings=PlanSettings())


def three(*vms: Any, **facts: Any) -> Snapshot:
    return snapshot([host(1), host(2), host(3)], vms, **facts)


def targets(answer: Answer) -> dict[str, str]:
    return {seat.vm: seat.target for seat in answer.seats}


def test_an_emptied_host_is_left_by_its_vms_and_no_other_is_touched() -> None:
    answer = asked(three(vm(1, 1), vm(2, 2), vm(3, 3)), remove_hosts=("esx1",))
    assert answer.fits
    assert [move.vm for move in answer.plan.moves] == ["vm-1"]
    assert answer.cost.moves == answer.cost.mandatory == 1
    assert answer.cost.memory_mib == 4096.0
    assert answer.cost_without.moves == 0


def test_a_vm_that_cannot_leave_an_emptied_host_is_named_with_its_reason() -> None:
    answer = asked(three(vm(1, 1, blockers=(Blocker.USB_DEVICE,))), remove_hosts=("host-1",))
    assert not answer.fits
    assert [left.name for left in answer.left] == ["vm1"]
    assert any("vm-1" in conflict.vms for conflict in answer.conflicts)


def test_vms_of_a_failed_host_start_where_memory_is_freest_and_its_load_is_gone() -> None:
    snap = three(vm(1, 1), vm(2, 1), vm(3, 2, memory_mib=60_000.0))
    answer = asked(snap, fail_hosts=("esx1",))
    assert targets(answer) == {"vm-1": "host-3", "vm-2": "host-3"}
    assert answer.fits
    failed = next(row for row in answer.hosts if row.id == "host-1")
    assert failed.before is not None
    assert failed.before.vms == 2
    assert failed.after is None


def test_what_holds_a_running_vm_does_not_hold_one_that_is_started() -> None:
    pinned = vm(1, 1, automation=Automation.DISABLED, blockers=(Blocker.TOOLS_INSTALLING,))
    hosts = [host(1), host(2, vmotion=VmotionLink(enabled=False))]
    answer = asked(snapshot(hosts, [pinned]), fail_hosts=("esx1",))
    assert targets(answer) == {"vm-1": "host-2"}
    started = answer.snapshot.vm_by_id[pinned.id]
    assert (started.automation, started.blockers) == (pinned.automation, pinned.blockers)


def test_a_vm_bound_to_a_device_of_the_failed_host_is_not_started() -> None:
    answer = asked(three(vm(1, 1, blockers=(Blocker.PASSTHROUGH_DEVICE,))), fail_hosts=("esx1",))
    assert not answer.fits
    assert [one.why[0].reason for one in answer.unplaced] == [Reason.PASSTHROUGH_DEVICE]
    assert answer.snapshot.vm_by_id[answer.unplaced[0].vm].power is PowerState.OFF


def test_a_vm_that_fits_nowhere_says_why_with_the_number_of_hosts() -> None:
    big = vm(1, 1, memory_mib=90_000.0)
    others = [vm(2, 2, memory_mib=50_000.0), vm(3, 3, memory_mib=50_000.0)]
    answer = asked(three(big, *others), fail_hosts=("esx1",))
    (lost,) = answer.unplaced
    assert (lost.name, lost.source) == ("vm1", "host-1")
    assert [(no.reason, no.count) for no in lost.why] == [(Reason.MEMORY_CEILING, 2)]


def test_vms_kept_apart_are_started_apart_also_when_several_hosts_fail() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2, 3])
    snap = snapshot([host(n) for n in range(1, 5)], [vm(1, 1), vm(2, 2), vm(3, 3)], [apart])
    answer = asked(snap, fail_hosts=("esx1", "esx2"))
    assert targets(answer) == {"vm-1": "host-4"}
    assert [one.name for one in answer.unplaced] == ["vm2"]


def test_vms_kept_together_are_started_beside_each_other() -> None:
    together = rule("together", RuleType.AFFINITY, [1, 2])
    answer = asked(three(vm(1, 1), vm(2, 1), vm(3, 1), rules=[together]), fail_hosts=("esx1",))
    at = targets(answer)
    assert at["vm-1"] == at["vm-2"] != at["vm-3"]


def test_no_vm_is_started_on_a_host_that_is_emptied_too() -> None:
    answer = asked(three(vm(1, 1), vm(2, 2)), fail_hosts=("esx1",), remove_hosts=("esx2",))
    assert targets(answer) == {"vm-1": "host-3"}
    assert {move.target for move in answer.plan.moves} == {"host-3"}


def test_a_new_host_is_like_the_commonest_and_takes_load() -> None:
    large = host(9, cpu_capacity_mhz=90_000.0)
    snap = snapshot([large, host(1), host(2)], [vm(n, 1, cpu_demand_mhz=4000.0) for n in range(5)])
    answer = asked(snap, add_hosts=(NewHosts(count=1),))
    added = answer.snapshot.host_by_id[HostId("new-host-1")]
    assert (added.cpu_capacity_mhz, added.state) == (20_000.0, HostState.CONNECTED)
    assert answer.change.told == ("1 host like esx1 added",)


def test_new_vms_take_room_one_after_the_other_until_there_is_none() -> None:
    size = Size(vcpus=2, memory_mib=40_000.0, cpu_mhz=100.0)
    answer = asked(three(), add_vms=(NewVms(count=7, size=size),))
    assert len(answer.seats) == 6
    assert [one.name for one in answer.unplaced] == ["new-vm-7"]
    assert len(answer.snapshot.vms) == 6


def test_new_vms_like_one_have_its_figures_and_none_of_its_identity() -> None:
    model = vm(1, 1, uuid="u-1", cpu_demand_mhz=777.0, blockers=(Blocker.USB_DEVICE,))
    answer = asked(three(model, vm(2, 2)), add_vms=(NewVms(count=1, like="vm1"),))
    (seat,) = answer.seats
    added = answer.snapshot.vm_by_id[seat.vm]
    assert (added.cpu_demand_mhz, added.uuid, added.blockers) == (777.0, None, ())


def test_cpu_demand_above_all_capacity_does_not_fit() -> None:
    busy = [vm(n, n, cpu_demand_mhz=14_000.0) for n in (1, 2, 3)]
    answer = asked(three(*busy), fail_hosts=("esx3",))
    assert not answer.unplaced
    assert answer.unmet_cpu_mhz == pytest.approx(8000.0)
    assert not answer.fits


def test_what_could_not_be_met_before_is_not_blamed_on_the_change() -> None:
    snap = snapshot(
        [host(1), host(2)],
        [vm(1, 1), vm(2, 1), vm(3, 2)],
        [rule("apart", RuleType.ANTI_AFFINITY, [1, 2, 3])],
    )
    answer = asked(snap, add_hosts=(NewHosts(count=1),))
    assert answer.plan_without.conflicts
    assert answer.fits


def test_one_more_failure_is_told_whether_or_not_ha_is_on() -> None:
    halves = [vm(n, n, memory_mib=60_000.0) for n in (1, 2)]
    answer = asked(three(*halves), fail_hosts=("esx3",))
    assert not answer.losses_before
    assert {loss.host for loss in answer.losses} == {"host-1", "host-2"}


def test_room_is_what_the_serving_hosts_have_left() -> None:
    answer = asked(three(vm(1, 1), vm(2, 2)), remove_hosts=("esx3",))
    assert answer.room_before.cpu_mhz == pytest.approx(58_000.0)
    assert answer.room.cpu_mhz == pytest.approx(38_000.0)
    assert answer.room.cpu_ratio == pytest.approx(0.95)


def test_everything_that_cannot_be_meant_is_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        asked(
            three(vm(1, 1)),
            remove_hosts=("esx1", "esx1", "esx2", "esx3", "esx8"),
            fail_hosts=("esx2",),
            add_vms=(NewVms(count=0, like="vm1"), NewVms(count=1, like="vm9")),
        )
    told = [str(problem) for problem in caught.value.problems]
    for part in (
        "no host 'esx8'",
        "host-1 is named 2 times",
        "host-2 is also to be removed",
        "no host that may run VMs is left",
        "0 are to be added",
        "no VM 'vm9'",
    ):
        assert any(part in line for line in told), part


def test_a_name_of_two_vms_asks_for_the_id() -> None:
    twins = [vm(1, 1, name="twin"), vm(2, 2, name="twin")]
    with pytest.raises(InputError, match=r"'twin' is the name of 2 VMs.*give its id"):
        asked(three(*twins), add_vms=(NewVms(count=1, like="twin"),))


def test_a_snapshot_without_figures_is_refused_with_what_to_do() -> None:
    blind = vm(1, 1, cpu_demand_mhz=None, memory_active_mib=None, memory_consumed_mib=None)
    with pytest.raises(NotFit, match="--split-host-usage"):
        asked(three(blind), remove_hosts=("esx1",))


def test_a_snapshot_with_too_many_unread_objects_is_refused_for_these() -> None:
    snap = three(vm(1, 1), source=Source(rejected_objects=3))
    with pytest.raises(NotFit, match="3 hosts and VMs could not be read"):
        asked(snap, remove_hosts=("esx1",))


def test_equal_questions_have_equal_answers() -> None:
    snap = three(*(vm(n, 1 + n % 2, cpu_demand_mhz=900.0 + n) for n in range(8)))
    first, second = (asked(snap, fail_hosts=("esx2",)) for _ in range(2))
    assert first.seats == second.seats
    assert replace(first.plan, stage_seconds={}) == replace(second.plan, stage_seconds={})


def test_a_start_asks_for_the_vms_own_evc_mode_and_not_for_the_processor_it_ran_on() -> None:
    hosts = [
        host(1, cpu_vendor="intel", max_evc_mode="intel-icelake"),
        host(2, cpu_vendor="amd", max_evc_mode=None),
        host(3, cpu_vendor="intel", max_evc_mode="intel-haswell"),
    ]
    vms = [
        vm(1, 1, min_evc_mode="intel-icelake", memory_mib=90_000.0),
        vm(2, 1, evc_mode="intel-icelake", memory_mib=80_000.0),
    ]
    answer = asked(snapshot(hosts, vms), fail_hosts=("esx1",))
    assert targets(answer) == {"vm-1": "host-2"}
    assert {no.reason for no in answer.unplaced[0].why} == {Reason.EVC_UNKNOWN, Reason.EVC}
