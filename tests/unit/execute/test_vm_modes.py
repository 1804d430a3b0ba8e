"""Modes of single VMs: what is admitted is what the most careful mode of all that move together allows."""

from collections.abc import Mapping, Sequence

import pytest

from balancer.execute.budgets import admit
from balancer.model.plan import Move, MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits
from tests.support.builders import NOON, rule
from tests.unit.execute.stage import cluster, move, vm_id


def admitted(
    moves: Sequence[Move],
    modes: Mapping[int, Mode],
    snap: Snapshot | None = None,
    *,
    mode: Mode = Mode.AUTOMATIC,
) -> tuple[list[str], tuple[Refusal, ...]]:
    by_id = {vm_id(number): own for number, own in modes.items()}
    snap = snap or cluster(vms=100)
    in_force = InForce(mode=mode, vm_modes=by_id)
    marked, waiting = admit(moves, snap, Limits(), (), now=NOON, in_force=in_force)
    return [m.vm for m in marked if m.this_run], waiting


@pytest.mark.parametrize(
    ("own", "reason", "is_sent"),
    [
        (Mode.OBSERVE, MoveReason.EVACUATE, False),
        (Mode.MANUAL, MoveReason.EVACUATE, False),
        (Mode.PARTIAL, MoveReason.EVACUATE, True),
        (Mode.PARTIAL, MoveReason.RULE, True),
        (Mode.PARTIAL, MoveReason.BALANCE, False),
        (Mode.PARTIAL, MoveReason.CONSOLIDATE, False),
        (Mode.AUTOMATIC, MoveReason.BALANCE, True),
    ],
)
def test_a_vm_is_moved_as_far_as_its_own_mode_allows(
    own: Mode, reason: MoveReason, is_sent: bool
) -> None:
    sent, waiting = admitted([move(1, 1, 2, reason=reason), move(2, 1, 2)], {1: own})
    assert sent == ["vm-1", "vm-2"] if is_sent else ["vm-2"]
    why = Reason.NOT_APPROVED if own is Mode.MANUAL else Reason.OBSERVE_MODE
    assert [(w.reason, w.vm) for w in waiting] == ([] if is_sent else [(why, "vm-1")])


def test_the_refusal_names_the_vm_and_its_mode() -> None:
    _, (told,) = admitted([move(1, 1, 2)], {1: Mode.OBSERVE})
    assert told.detail == "the policy sets vm1 to mode observe"


def test_the_mode_of_a_vm_never_frees_it_from_that_of_the_cluster() -> None:
    sent, _ = admitted([move(1, 1, 2)], {1: Mode.AUTOMATIC}, mode=Mode.PARTIAL)
    assert sent == []


def test_a_partner_of_an_affinity_rule_drags_its_mode_along() -> None:
    pair = rule("pair", RuleType.AFFINITY, [1, 2])
    snap = cluster(vms=100, rules=[pair])
    sent, _ = admitted([move(1, 1, 2), move(2, 1, 2), move(3, 1, 2)], {2: Mode.OBSERVE}, snap)
    assert sent == ["vm-3"]


def test_a_move_does_not_bring_one_along_that_may_not_be_made() -> None:
    first = move(1, 1, 2)
    second = move(2, 2, 1, wave=2, after=(1,))
    assert admitted([first, second], {1: Mode.OBSERVE})[0] == []
    assert admitted([first, second], {})[0] == ["vm-1", "vm-2"]


def test_a_partial_vm_may_move_for_an_evacuation_that_waits_for_it() -> None:
    room = move(1, 1, 2)
    evacuation = move(2, 2, 1, wave=2, after=(1,), reason=MoveReason.EVACUATE)
    assert admitted([room, evacuation], {1: Mode.PARTIAL})[0] == ["vm-1", "vm-2"]
