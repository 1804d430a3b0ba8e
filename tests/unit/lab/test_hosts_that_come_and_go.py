"""A host that is added or removed in a recording is so in the replay: what it takes, what it gives, what counts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.traces import read_recording
from balancer.cli.validation_traces import examined_folder
from balancer.lab.contenders import CONTENDERS
from balancer.lab.errands import result_of
from balancer.lab.replay import replay
from balancer.lab.result import Run
from balancer.lab.scene import Scene
from balancer.lab.score import bound_of
from balancer.lab.whatif_change import Change as Assumption
from balancer.lab.whatif_change import NewHosts, NewVms
from balancer.lab.whatif_trace import change_scene
from balancer.model.host import HostState
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HostId
from balancer.model.vm import Blocker, PowerState, Vm
from balancer.policy.types import Policy
from tests.support.builders import host, rule, vm
from tests.unit.lab.recorded import STEP_MIN, Change, added, cluster, inputs, lived, record, removed

H1, H2, H3, H4 = (HostId(f"host-{number}") for number in range(1, 5))
DAY = STEP_MIN / 1440
STEP_S = 60.0 * STEP_MIN
PLAYERS = ("ours", "drs-5", "reactive-70")


def shows(number: int, state: HostState) -> Change:
    def change(now: Snapshot) -> Snapshot:
        name = f"host-{number}"
        hosts = (replace(each, state=state) if each.id == name else each for each in now.hosts)
        return replace(now, hosts=tuple(hosts))

    return change


def moved(number: int, to: int) -> Change:
    def change(now: Snapshot) -> Snapshot:
        there = HostId(f"host-{to}")
        vms = (replace(v, host=there) if v.id == f"vm-{number}" else v for v in now.vms)
        return replace(now, vms=tuple(vms))

    return change


def ruled(*rules: Rule) -> Change:
    return lambda now: replace(now, rules=rules)


def both(*changes: Change) -> Change:
    def change(now: Snapshot) -> Snapshot:
        for each in changes:
            now = each(now)
        return now

    return change


def switched(number: int, power: PowerState) -> Change:
    def change(now: Snapshot) -> Snapshot:
        demand = 1000.0 if power is PowerState.ON else None
        return replace(
            now,
            vms=tuple(
                replace(each, power=power, cpu_demand_mhz=demand, cpu_usage_mhz=demand)
                if each.id == f"vm-{number}"
                else each
                for each in now.vms
            ),
        )

    return change


def scene(
    folder: Path, now: Snapshot, slots: int = 8, *, from_slot: int = 0, **at: Change
) -> Scene:
    (one,) = inputs(record(folder, now, slots=slots, **at), from_day=from_slot * DAY).scenes
    return one


def parks(of: Scene) -> list[list[str]]:
    """Return the numbers of the hosts that show at the end of each slot."""
    return [[one.id.removeprefix("host-") for one in now.hosts] for now in lived(of)]


def targets(run: Run) -> set[HostId]:
    return {move.target for move in run.moves}


def hot(count: int, on: int, *, mhz: float = 4500.0) -> Sequence[Vm]:
    """Return VMs that want more together than their host of 20,800 MHz gives."""
    return [vm(number, on, vcpus=4, cpu_demand_mhz=mhz) for number in range(1, count + 1)]


def test_a_host_that_is_added_shows_from_its_time_on(tmp_path: Path) -> None:
    of = scene(tmp_path, cluster([vm(1, 1)]), slots=5, at_2=added(4))
    assert parks(of) == [["1", "2", "3"]] * 3 + [["1", "2", "3", "4"]] * 2


@pytest.mark.parametrize("name", PLAYERS)
def test_it_takes_vms_from_then_on_and_not_before(tmp_path: Path, name: str) -> None:
    crowd = cluster(hot(6, 1), hosts=[host(1, cpu_cores=8)])
    of = scene(tmp_path, crowd, slots=12, at_4=added(4))
    run = replay(of, CONTENDERS[name])
    assert targets(run) == {H4}
    assert min(move.begun_s for move in run.moves) >= 5 * STEP_S


def test_a_vm_that_is_first_seen_on_it_starts_on_it(tmp_path: Path) -> None:
    of = scene(tmp_path, cluster([vm(1, 1)]), slots=5, at_2=added(4, vm(9, 4)))
    seen = lived(of)
    assert [one.name for one in seen[2].vms] == ["vm1"]
    assert [(one.name, one.host, one.power) for one in seen[3].vms if one.host == H4] == [
        ("vm9", H4, PowerState.ON)
    ]
    load = replay(of, CONTENDERS["nothing"]).curves.host_load[:, 3]
    assert (load > 0.0).tolist() == [False, False, True, True, True]
    assert read_recording(tmp_path).mends == ()


@pytest.mark.parametrize("name", PLAYERS)
def test_a_host_that_is_removed_is_emptied_and_goes(tmp_path: Path, name: str) -> None:
    begin = cluster([vm(1, 1), vm(2, 1), vm(3, 2), vm(4, 3, cpu_demand_mhz=9000.0)])
    of = scene(tmp_path, begin, slots=10, at_3=removed(1))
    run = replay(of, CONTENDERS[name])
    left = {move.vm for move in run.moves if move.source == H1}
    assert left == {"vm1", "vm2"}
    assert H1 not in targets(run)
    assert run.curves.host_load[6:, 0].tolist() == [0.0] * 4


def test_it_shows_as_entering_maintenance_while_vms_stand_on_it(tmp_path: Path) -> None:
    of = scene(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=5, at_2=removed(1))
    states = [[one.state for one in now.hosts if one.id == H1] for now in lived(of)]
    assert states == [[HostState.CONNECTED]] * 3 + [[HostState.ENTERING_MAINTENANCE]] * 2


def test_it_goes_at_once_where_it_is_empty_and_when_its_last_vm_ends(tmp_path: Path) -> None:
    def ended(now: Snapshot) -> Snapshot:
        return replace(now, vms=now.vms[1:])

    of = scene(
        tmp_path,
        cluster([vm(1, 1), vm(2, 2)]),
        slots=7,
        at_1=removed(3),
        at_2=removed(1),
        at_4=ended,
    )
    assert parks(of) == [["1", "2", "3"]] * 2 + [["1", "2"]] * 3 + [["2"]] * 2


def test_maintenance_comes_first_where_it_was_recorded(tmp_path: Path) -> None:
    maintained = both(removed(1), added(1, state=HostState.MAINTENANCE))
    of = scene(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=10, at_1=maintained, at_6=removed(1))
    run = replay(of, CONTENDERS["ours"])
    assert [move.vm for move in run.moves] == ["vm1"]
    assert run.moves[0].ended_s < 6 * STEP_S


def test_a_host_can_come_back(tmp_path: Path) -> None:
    of = scene(tmp_path, cluster([vm(1, 2)]), slots=6, at_1=removed(1), at_3=added(1))
    assert [sorted(park) for park in parks(of)] == [
        *([["1", "2", "3"]] * 2),
        *([["2", "3"]] * 2),
        *([["1", "2", "3"]] * 2),
    ]


def test_a_vm_that_was_off_when_its_host_went_starts_where_it_was_seen(tmp_path: Path) -> None:
    begin = cluster([vm(1, 1, power=PowerState.OFF, cpu_demand_mhz=None), vm(2, 2)])
    of = scene(tmp_path, begin, slots=8, at_2=removed(1, to=3), at_5=switched(1, PowerState.ON))
    seen = lived(of)
    assert H1 not in seen[-1].host_by_id
    assert seen[-1].vm_by_id[of.recorded.base.vms[0].id].host == H3  # type: ignore[union-attr]
    for name in ("nothing", "ours"):
        run = replay(of, CONTENDERS[name])
        assert run.curves.host_load[:, 0].tolist() == [0.0] * 8
        assert (run.curves.host_load[:, 2] > 0.0).tolist() == [False] * 5 + [True] * 3


def test_a_failed_host_that_is_removed_never_comes_back(tmp_path: Path) -> None:
    bound = vm(2, 1, blockers=(Blocker.PASSTHROUGH_DEVICE,))
    begin = cluster([vm(1, 1), bound, vm(3, 2)])
    begin = replace(begin, cluster=replace(begin.cluster, ha=Ha(enabled=True)))
    dead = both(removed(1), added(1, state=HostState.NOT_RESPONDING))
    of = scene(tmp_path, begin, slots=8, at_2=dead, at_4=removed(1))
    run = replay(of, CONTENDERS["nothing"])
    assert {down.vm: down.target for down in run.downs} == {"vm1": H3, "vm2": None}
    assert [now.hosts[0].state for now in lived(of)][2:4] == [HostState.NOT_RESPONDING] * 2
    assert all(H1 not in now.host_by_id for now in lived(of)[5:])


def test_a_vm_of_a_failed_host_without_ha_starts_where_it_was_registered_again(
    tmp_path: Path,
) -> None:
    def gone(now: Snapshot) -> Snapshot:
        return replace(now, vms=now.vms[1:])

    def back(now: Snapshot) -> Snapshot:
        return replace(now, vms=(vm(1, 3), *now.vms))

    dead = both(shows(1, HostState.NOT_RESPONDING), switched(1, PowerState.OFF))
    at = {"at_2": dead, "at_6": both(gone, removed(1)), "at_12": back}
    run = replay(scene(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=14, **at), CONTENDERS["ours"])
    assert [down.was_started for down in run.downs] == [False]
    assert (run.curves.host_load[:, 2] > 0.0).tolist() == [False] * 12 + [True] * 2
    assert run.score.unmet_ghz_h == 0.0


def test_vms_of_a_host_that_was_only_out_of_sight_can_leave_it_once_it_is_removed(
    tmp_path: Path,
) -> None:
    out = shows(1, HostState.DISCONNECTED)
    at = {"at_1": moved(1, 2), "at_2": out, "at_4": removed(1)}
    of = scene(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=10, **at)
    run = replay(of, CONTENDERS["ours"])
    assert run.downs == ()
    assert [(move.vm, move.begun_s >= 4 * STEP_S) for move in run.moves] == [("vm1", True)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("ours", {"vm1": H4, "vm2": H3}, id="ours mends and keeps rules"),
        pytest.param("drs-5", {"vm2": H3}, id="a rival keeps them"),
    ],
)
def test_rules_act_on_the_hosts_that_are_there(
    tmp_path: Path, name: str, expected: dict[str, HostId]
) -> None:
    to_new = rule("to-new", RuleType.VM_HOST_AFFINE, [1], on=[4])
    to_old = rule("to-old", RuleType.VM_HOST_AFFINE, [2], on=[2])
    freed = replace(to_old, name="freed", hosts=frozenset({H3}))
    of = scene(
        tmp_path,
        cluster([vm(1, 1), vm(2, 2)], [to_old]),
        slots=14,
        at_2=both(added(4), ruled(to_new, to_old)),
        at_7=both(removed(2, to=3), ruled(to_new, freed)),
    )
    run = replay(of, CONTENDERS[name])
    assert {move.vm: move.target for move in run.moves} == expected
    earliest = {"vm1": 3 * STEP_S, "vm2": 8 * STEP_S}
    assert all(move.begun_s >= earliest[move.vm] for move in run.moves)


def test_a_part_begins_with_the_hosts_of_its_day(tmp_path: Path) -> None:
    now = cluster([vm(1, 1), vm(2, 2)])
    at = {"at_2": added(4, vm(9, 4)), "at_4": removed(1)}
    whole, before, between, after = (
        scene(tmp_path / str(first), now, slots=8, from_slot=first, **at) for first in (0, 1, 3, 5)
    )
    assert parks(before)[0] == ["1", "2", "3"]
    assert parks(between) == [["1", "2", "3", "4"]] * 5
    assert parks(after) == [["2", "3", "4"]] * 3
    assert after.placement == {"vm1": H2, "vm2": H2, "vm9": H4}
    assert [one.name for one in whole.hosts] == [one.name for one in after.hosts]
    run = replay(after, CONTENDERS["ours"])
    assert run.score.host_slots == 3 * 3


def test_scores_count_a_host_while_it_is_there(tmp_path: Path) -> None:
    begin = cluster([vm(1, 2), vm(2, 3)], hosts=[host(number, cpu_cores=8) for number in (1, 2, 3)])
    of = scene(tmp_path, begin, slots=6, at_2=removed(1))
    run = replay(of, CONTENDERS["nothing"])
    assert run.score.host_slots == 6 * 3 - 4
    assert run.curves.spread[2:] == pytest.approx(np.zeros(4), abs=1e-7)
    assert (run.curves.spread[:2] > 0.01).all()
    assert bound_of(of).host_slots == run.score.host_slots


def test_a_host_that_is_not_left_counts_on(tmp_path: Path) -> None:
    of = scene(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=6, at_2=removed(1))
    assert replay(of, CONTENDERS["nothing"]).score.host_slots == 6 * 3
    assert bound_of(of).host_slots == 6 * 3 - 4


def test_the_bound_has_only_hosts_that_are_there(tmp_path: Path) -> None:
    small = [host(1, cpu_cores=1, cpu_capacity_mhz=2500.0)]
    begin = cluster([vm(1, 1, cpu_demand_mhz=4000.0)], hosts=small)
    grown = added(4, cpu_capacity_mhz=2500.0)
    of = scene(tmp_path, begin, slots=4, at_2=grown)
    bound = bound_of(of)
    assert bound.unmet_ghz_h == pytest.approx(1.5 * 2 * STEP_S / 3600)
    assert (bound.slots_over_100, bound.slots_over_80) == (2, 2)


def test_a_replaced_host_of_the_same_name_is_told_apart(tmp_path: Path) -> None:
    swapped = both(removed(1), added(4, name="esx1"))
    of = scene(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=8, at_2=swapped)
    assert {one.name for now in lived(of) for one in now.hosts} == {"esx1", "esx2", "esx3"}
    runs = [replay(of, CONTENDERS["ours"])]
    result = result_of(of, runs, digest="", interval_s=300.0)
    assert result.hosts == ("esx1 (host-1)", "esx2", "esx3", "esx1 (host-4)")
    assert {move.source for move in result.runs[0].moves} == {"esx1 (host-1)"}


def test_digests_tell_recordings_apart_whose_hosts_came_at_other_times(tmp_path: Path) -> None:
    now = cluster([vm(1, 1)])
    folders = [
        record(tmp_path / name, now, slots=4, **changes)
        for name, changes in {
            "never": {},
            "added": {"at_2": added(4)},
            "later": {"at_3": added(4)},
            "in maintenance": {"at_2": both(removed(1), added(1, state=HostState.MAINTENANCE))},
            "removed": {"at_2": removed(1)},
        }.items()
    ]
    told = [inputs(folder).digests for folder in folders]
    assert len({tuple(sorted(one.items())) for one in told}) == len(folders)


@pytest.mark.parametrize("of_slot", [0, 5])
def test_a_what_if_takes_the_park_of_its_begin(tmp_path: Path, of_slot: int) -> None:
    now = cluster([vm(1, 1), vm(2, 2), vm(3, 3)])
    of = scene(tmp_path, now, slots=8, from_slot=of_slot, at_2=added(4), at_4=removed(1))
    change = Assumption(
        remove_hosts=("esx2",), add_hosts=(NewHosts(count=1),), add_vms=(NewVms(count=1),)
    )
    found = change_scene(of, change, Policy())
    there = {0: {H1, H3}, 5: {H3, H4}}[of_slot] | {HostId("new-host-1")}
    assert found.unplaced == ()
    assert {seat.target for seat in found.seats} <= there
    run = replay(found.scene, CONTENDERS["ours"])
    assert targets(run) <= {H3, H4, HostId("new-host-1")}


def test_validate_says_which_hosts_came_and_went(tmp_path: Path) -> None:
    now = cluster([vm(1, 1), vm(2, 2)])
    folder = record(tmp_path, now, slots=5, at_1=added(4), at_3=removed(1))
    summary = examined_folder(folder).summary
    assert "3 hosts, 1 host added, 1 host removed, 0 rules" in summary


def test_hosts_of_a_placement_that_are_not_there_are_left_first(tmp_path: Path) -> None:
    of = scene(tmp_path, cluster([vm(1, 1), vm(2, 2)]), slots=6, at_4=added(4))
    of = replace(of, placement={"vm1": H4, "vm2": H2})
    run = replay(of, CONTENDERS["ours"])
    assert [(move.vm, move.source) for move in run.moves] == [("vm1", H4)]
