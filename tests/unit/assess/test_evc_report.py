"""Which EVC modes a cluster could be set to, and what stands in the way."""

from typing import Any

import pytest

from balancer.assess.evc_report import report_evc, required_mode
from balancer.model.evc import EvcMode
from balancer.model.evc_report import ModeAnswer, ModeState
from balancer.model.host import HostState
from balancer.model.snapshot import Snapshot
from balancer.model.vm import PowerState
from tests.support import builders

AMD = EvcMode(key="amd-zen", vendor="amd", tier=9, track=frozenset({"amd-zen"}))
ZEN3 = EvcMode(key="amd-zen3", vendor="amd", tier=11, track=frozenset({"amd-zen", "amd-zen3"}))


def cluster(
    hosts: list[str | None], vms: list[dict[str, Any]], mode: str | None = None
) -> Snapshot:
    """Return hosts at the given maxima, all VMs on the first."""
    return builders.snapshot(
        [
            builders.host(n, cpu_vendor="intel", max_evc_mode=most)
            for n, most in enumerate(hosts, start=1)
        ],
        [builders.vm(n, 1, **facts) for n, facts in enumerate(vms, start=1)],
        cluster={"evc_mode": mode, "evc_modes": (*builders.INTEL_MODES, AMD)},
    )


def answers(snapshot: Snapshot) -> dict[str, ModeAnswer]:
    return {answer.mode.key: answer for answer in report_evc(snapshot).modes}


def test_only_modes_of_the_hosts_maker_are_listed_lowest_first() -> None:
    report = report_evc(cluster(["intel-icelake"], []))
    assert [answer.mode.key for answer in report.modes] == [m.key for m in builders.INTEL_MODES]


def test_hosts_below_a_mode_stand_in_its_way() -> None:
    found = answers(cluster(["intel-icelake", "intel-skylake"], []))
    assert found["intel-skylake"].state is ModeState.POSSIBLE
    assert found["intel-cascadelake"].hosts == ("host-2",)
    assert found["intel-cascadelake"].state is ModeState.BLOCKED


def test_a_host_out_of_reach_stands_in_the_way_of_every_mode() -> None:
    hosts = [
        builders.host(1, max_evc_mode="intel-icelake"),
        builders.host(2, max_evc_mode="intel-icelake", state=HostState.DISCONNECTED),
        builders.host(3, state=HostState.NOT_RESPONDING),
    ]
    found = answers(builders.snapshot(hosts, []))
    assert {answer.hosts for answer in found.values()} == {("host-2", "host-3")}
    assert {answer.unknown_hosts for answer in found.values()} == {()}


def test_vms_that_need_more_than_a_mode_stand_in_its_way() -> None:
    vms = [
        {"min_evc_mode": "intel-icelake"},
        {"min_evc_mode": "intel-haswell"},
        {"min_evc_mode": "intel-icelake", "power": PowerState.OFF},
        {"min_evc_mode": "intel-icelake", "power": PowerState.SUSPENDED},
    ]
    found = answers(cluster(["intel-icelake"], vms))
    assert found["intel-skylake"].vms == ("vm-1", "vm-4")
    assert found["intel-icelake"].vms == ()


def test_the_own_mode_of_a_vm_wins_over_its_minimum() -> None:
    vms = [{"min_evc_mode": "intel-icelake", "evc_mode": "intel-haswell"}]
    found = answers(cluster(["intel-icelake"], vms))
    assert found["intel-haswell"].state is ModeState.POSSIBLE
    assert required_mode(builders.vm(1, 1, **vms[0])) == "intel-haswell"


@pytest.mark.parametrize(
    ("hosts", "vms", "unknown"),
    [
        ([None], [], ("hosts", "host-1")),
        (["intel-icelake"], [{}], ("vms", "vm-1")),
        (["intel-icelake"], [{"min_evc_mode": "intel-future"}], ("vms", "vm-1")),
        (["intel-future"], [], ("hosts", "host-1")),
    ],
    ids=["host not told", "vm not told", "vm's mode not listed", "host's mode not listed"],
)
def test_what_cannot_be_told_leaves_a_mode_undecided(
    hosts: list[str | None], vms: list[dict[str, Any]], unknown: tuple[str, str]
) -> None:
    answer = answers(cluster(hosts, vms))["intel-skylake"]
    assert answer.state is ModeState.UNDECIDED
    kind, key = unknown
    assert {"hosts": answer.unknown_hosts, "vms": answer.unknown_vms}[kind] == (key,)


def test_a_blocked_mode_is_blocked_whatever_is_unknown() -> None:
    found = answers(cluster(["intel-haswell", None], [{}]))
    assert found["intel-skylake"].state is ModeState.BLOCKED


def test_the_present_mode_is_told_and_not_offered() -> None:
    report = report_evc(cluster(["intel-icelake"], [], mode="intel-skylake"))
    assert report.current == "intel-skylake"
    assert report.possible == (
        "intel-haswell",
        "intel-broadwell",
        "intel-cascadelake",
        "intel-icelake",
    )


def test_modes_that_are_no_chain_are_compared_by_their_tracks() -> None:
    odd = EvcMode(key="amd-odd", vendor="amd", tier=10, track=frozenset({"amd-odd"}))
    snapshot = builders.snapshot(
        [builders.host(1, cpu_vendor="amd", max_evc_mode="amd-zen3")],
        [],
        cluster={"evc_modes": (AMD, odd, ZEN3)},
    )
    found = answers(snapshot)
    assert found["amd-zen"].state is ModeState.POSSIBLE
    assert found["amd-odd"].state is ModeState.BLOCKED


def test_without_makers_every_mode_is_listed_and_without_modes_none() -> None:
    hosts = [builders.host(1, max_evc_mode="amd-zen")]
    assert (
        len(report_evc(builders.snapshot(hosts, [], cluster={"evc_modes": (AMD, ZEN3)})).modes) == 2
    )
    assert report_evc(builders.snapshot(hosts, [], cluster={"evc_modes": ()})).modes == ()
