"""Sentences for people hold names and phrases; stable words stand in brackets or in fields of their own."""

import pytest

from balancer.model.blocker_words import BLOCKER_WORDS, blocker_words
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Datastore, Network
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker, PowerState
from balancer.rules import devices, network, storage
from balancer.rules.placement import Candidate
from tests.support.builders import host, placement, snapshot, vm

MOVE = Candidate(vm=VmId("vm-1"), target=HostId("host-2"))


@pytest.mark.parametrize("blocker", list(Blocker))
def test_every_blocker_has_a_phrase_without_its_stable_word(blocker: Blocker) -> None:
    assert "_" not in BLOCKER_WORDS[blocker]
    assert blocker.value != BLOCKER_WORDS[blocker]


def test_blockers_are_told_in_one_order_each_once() -> None:
    found = (Blocker.VGPU, Blocker.CPU_AFFINITY, Blocker.VGPU)
    assert blocker_words(found) == "pinned to processors of its host, holds a virtual GPU"


def test_what_holds_a_vm_is_told_in_words() -> None:
    where = placement(snapshot([host(1), host(2)], [vm(1, on=1, blockers=(Blocker.VGPU,))]))
    refusal = devices.judge(where, MOVE)
    assert refusal is not None
    assert (refusal.reason, refusal.detail) == (Reason.VGPU, "vm1: holds a virtual GPU")


@pytest.mark.parametrize(
    ("power", "words"),
    [(PowerState.OFF, "vm1 is powered off"), (PowerState.SUSPENDED, "vm1 is suspended")],
)
def test_a_vm_that_does_not_run_is_told_in_words(power: PowerState, words: str) -> None:
    where = placement(snapshot([host(1), host(2)], [vm(1, on=1, power=power)]))
    refusal = devices.judge(where, MOVE)
    assert refusal is not None
    assert refusal.detail == words


def test_places_that_are_not_reached_are_told_by_name_and_by_id_where_there_is_none() -> None:
    dark = host(2, datastores=frozenset(), networks=frozenset())
    needs = {"datastores": frozenset({"ds-2", "ds-1"}), "networks": frozenset({"n-1", "n-9"})}
    snap = snapshot(
        [host(1), dark],
        [vm(1, on=1, **needs)],
        datastores=[Datastore(id="ds-1", name="slow"), Datastore(id="ds-2", name="fast")],
        networks=[Network(id="n-1", name="prod")],
    )
    told = [law.judge(placement(snap), MOVE) for law in (storage, network)]
    assert [refusal and refusal.detail for refusal in told] == [
        "not on the target: fast, slow",
        "not on the target: n-9, prod",
    ]


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("1 of 3 hosts show no figures", "1 of 3 hosts show no figures [snapshot_partial]"),
        ("", "snapshot partial [snapshot_partial]"),
    ],
)
def test_a_refusal_is_told_with_its_stable_word_in_brackets(detail: str, told: str) -> None:
    assert Refusal.of(Reason.SNAPSHOT_PARTIAL, detail).told == told
