"""First goal: hosts that must be left are emptied, broken must-rules are mended, what cannot be is named."""

import pytest

from balancer.model.host import HostState
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Ha, InFlight
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker
from balancer.policy.types import Goals, Policy
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.plan.support import draft_of, moves_of, state_after

ENTERING = HostState.ENTERING_MAINTENANCE


def test_every_vm_leaves_a_host_that_enters_maintenance() -> None:
    snap = snapshot([host(1, state=ENTERING), host(2), host(3)], [vm(n, on=1) for n in range(1, 7)])
    draft = draft_of(snap)
    assert len(draft.moves) == 6
    assert {move.reason for move in draft.moves} == {MoveReason.EVACUATE}
    assert sorted(moves_of(draft).values()) == ["host-2"] * 3 + ["host-3"] * 3
    assert draft.conflicts == ()


def test_the_sentence_of_an_evacuation_names_both_hosts_with_figures() -> None:
    snap = snapshot([host(1, state=ENTERING), host(2)], [vm(1, on=1)])
    assert (
        draft_of(snap).moves[0].why == "esx1 is entering maintenance; esx2 goes from 0 % to 5 % CPU"
    )


def test_a_quarantined_host_takes_evacuated_vms_only_when_nothing_else_can() -> None:
    hosts = [host(1, state=ENTERING), host(2, state=HostState.QUARANTINE), host(3)]
    assert moves_of(draft_of(snapshot(hosts, [vm(1, on=1)]))) == {"vm-1": "host-3"}
    assert moves_of(draft_of(snapshot(hosts[:2], [vm(1, on=1)]))) == {"vm-1": "host-2"}


def test_a_vm_that_cannot_leave_is_a_conflict_that_names_it_and_the_mend() -> None:
    vms = [vm(1, on=1, blockers=(Blocker.VGPU,)), vm(2, on=1)]
    draft = draft_of(snapshot([host(1, state=ENTERING), host(2)], vms))
    assert moves_of(draft) == {"vm-2": "host-2"}
    (conflict,) = draft.conflicts
    assert conflict.message.startswith(
        "vm1 cannot leave esx1, which is to be empty: vm1: holds a virtual GPU"
    )
    assert conflict.relax.startswith("remove what ties vm1 to its host")
    assert (conflict.vms, conflict.hosts) == (("vm-1",), ("host-1",))
    assert [r.reason for r in draft.refusals if r.vm == "vm-1"] == [Reason.VGPU]


@pytest.mark.parametrize(
    ("memory_mib", "mend"),
    [
        (11_100.0, "free 0.4 GiB on esx2, or raise memory_ceiling from 96.0 % to 99.1 %"),
        (11_000.0, "free 0.5 GiB on esx2, or raise memory_ceiling from 96.0 % to 100.0 %"),
        (10_000.0, "free 1.4 GiB on esx2"),
    ],
    ids=["a ceiling within what is allowed", "all of the host", "more than all of the host"],
)
def test_a_vm_that_fits_nowhere_gets_the_ceiling_at_which_it_would_if_a_policy_may_have_it(
    memory_mib: float, mend: str
) -> None:
    snap = snapshot(
        [host(1, state=ENTERING), host(2, memory_capacity_mib=memory_mib)],
        [vm(1, on=1, memory_mib=6000.0), vm(2, on=2, memory_mib=5000.0)],
    )
    (conflict,) = draft_of(snap).conflicts
    assert "memory is full on esx2" in conflict.message
    assert conflict.relax == mend


def test_room_is_made_by_moving_a_small_vm_aside() -> None:
    hosts = [host(1, state=ENTERING), *(host(n, memory_capacity_mib=10_000.0) for n in (2, 3))]
    vms = [
        vm(1, on=1, memory_mib=6000.0),
        vm(2, on=2, memory_mib=5000.0),
        vm(3, on=3, memory_mib=4500.0),
    ]
    draft = draft_of(snapshot(hosts, vms))
    reasons = {move.vm: move.reason for move in draft.moves}
    assert draft.conflicts == ()
    assert reasons["vm-1"] is MoveReason.EVACUATE
    assert MoveReason.MAKE_ROOM in reasons.values()
    room = next(move for move in draft.moves if move.reason is MoveReason.MAKE_ROOM)
    assert "makes room on esx" in room.why
    assert "vm1" in room.why


@pytest.mark.parametrize("target_held", [False, True])
def test_held_targets_take_no_evacuated_vm(target_held: bool) -> None:
    snap = snapshot([host(1, state=ENTERING), host(2), host(3)], [vm(1, on=1), vm(2, on=3)])
    held = {HostId("host-2"): Refusal.of(Reason.TARGET_FAILED_RECENTLY)} if target_held else {}
    expected = "host-3" if target_held else "host-2"
    assert moves_of(draft_of(snap, targets=held)) == {"vm-1": expected}


def test_a_vm_held_for_time_leaves_for_an_evacuation_and_a_pinned_one_does_not() -> None:
    snap = snapshot([host(1, state=ENTERING), host(2)], [vm(1, on=1), vm(2, on=1)])
    moved = Refusal.of(Reason.RECENTLY_MOVED, vm="vm-1")
    unknown = Refusal.of(Reason.IN_FLIGHT, "its migration has no known end", vm="vm-2")
    draft = draft_of(snap, vms={VmId("vm-1"): moved}, pinned={VmId("vm-2"): unknown})
    assert moves_of(draft) == {"vm-1": "host-2"}
    assert "its migration has no known end" in draft.conflicts[0].message


def test_a_running_migration_is_left_alone_and_charged_on_its_target() -> None:
    hosts = [host(n, memory_capacity_mib=10_000.0) for n in (1, 2, 3)]
    hosts[0] = host(1, state=ENTERING)
    vms = [vm(1, on=1, memory_mib=6000.0), vm(2, on=3, memory_mib=6000.0)]
    flight = InFlight(vm=VmId("vm-2"), source=HostId("host-3"), target=HostId("host-2"))
    draft = draft_of(snapshot(hosts, vms, in_flight=(flight,)))
    assert draft.moves == ()
    assert draft.conflicts[0].vms == ("vm-1",)


def apart(*vms: int, **facts: object) -> object:
    return rule("web apart", RuleType.ANTI_AFFINITY, vms, **facts)


def test_a_broken_pair_is_parted_with_one_move_that_says_why() -> None:
    snap = snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=1)], [apart(1, 2)])
    draft = draft_of(snap)
    (move,) = draft.moves
    assert (move.reason, move.target) == (MoveReason.RULE, "host-2")
    assert move.why == "shares esx1 with vm2 against rule 'web apart'"


def test_a_group_larger_than_the_cluster_is_spread_evenly_and_named() -> None:
    hosts = [host(n) for n in (1, 2, 3)]
    snap = snapshot(hosts, [vm(n, on=1) for n in range(1, 6)], [apart(1, 2, 3, 4, 5)])
    draft = draft_of(snap)
    after = sorted(load.vms for load in state_after(snap, draft).hosts)
    assert after == [1, 2, 2]
    assert {rule for conflict in draft.conflicts for rule in conflict.rules} == {"web apart"}


def test_a_scattered_family_is_gathered_where_the_fewest_have_to_move() -> None:
    kept = rule("app with db", RuleType.AFFINITY, [1, 2, 3])
    snap = snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=2), vm(3, on=2)], [kept])
    draft = draft_of(snap)
    assert moves_of(draft) == {"vm-1": "host-2"}
    assert draft.moves[0].why == "rule 'app with db' keeps its VMs together; esx2 takes all"


def test_a_family_leaves_a_host_as_one() -> None:
    kept = rule("app with db", RuleType.AFFINITY, [1, 2])
    snap = snapshot(
        [host(1, state=ENTERING), host(2), host(3)], [vm(1, on=1), vm(2, on=1), vm(3, on=2)], [kept]
    )
    assert moves_of(draft_of(snap)) == {"vm-1": "host-3", "vm-2": "host-3"}


@pytest.mark.parametrize(
    ("kind", "hosts"),
    [(RuleType.VM_HOST_AFFINE, [2]), (RuleType.VM_HOST_ANTI_AFFINE, [1])],
    ids=["must run on", "must not run on"],
)
def test_a_vm_on_a_wrong_host_goes_to_a_right_one(kind: RuleType, hosts: list[int]) -> None:
    snap = snapshot([host(1), host(2)], [vm(1, on=1)], [rule("licence", kind, [1], on=hosts)])
    draft = draft_of(snap)
    assert moves_of(draft) == {"vm-1": "host-2"}
    assert draft.moves[0].why.startswith("rule 'licence' does not allow esx1")


def test_rules_that_contradict_each_other_end_in_conflicts_not_in_moves() -> None:
    rules = [rule("together", RuleType.AFFINITY, [1, 2]), apart(1, 2)]
    draft = draft_of(snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=2)], rules))
    assert draft.moves == ()
    assert draft.conflicts[0].rules == ("together", "web apart")


def test_failover_hosts_take_nothing() -> None:
    hosts = [host(1, state=ENTERING), host(2)]
    spare = {"ha": Ha(failover_hosts=frozenset({HostId("host-2")}))}
    draft = draft_of(snapshot(hosts, [vm(1, on=1)], cluster=spare))
    assert draft.moves == ()
    assert "esx2 is kept free for HA" in draft.conflicts[0].message


def test_goals_that_are_off_leave_hosts_and_rules_as_they_are() -> None:
    off = Policy(goals=Goals(evacuation=False, rules=False))
    snap = snapshot(
        [host(1, state=ENTERING), host(2), host(3)],
        [vm(1, on=1), vm(2, on=2), vm(3, on=2)],
        [apart(2, 3)],
    )
    draft = draft_of(snap, off)
    assert not [move for move in draft.moves if move.reason.is_mandatory]
    assert draft.conflicts == ()
