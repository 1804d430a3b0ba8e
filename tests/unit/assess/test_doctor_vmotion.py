"""What the doctor makes of hosts' vMotion set-up, and of port groups and datastores that differ."""

from typing import Any

import pytest

from balancer.model.checkup import Unread, VmotionSetup
from balancer.model.finding import Check, Finding, Outcome
from balancer.model.host import HostState, VmotionLink
from balancer.model.snapshot import Datastore, Network
from tests.support import builders
from tests.support.checkups import adapter, diagnosis, of, setup, small_cluster

OFF = VmotionLink(enabled=False)


def cluster_of(count: int, *, lame: int = 0, **facts: Any) -> Any:
    """Return a cluster of `count` hosts, the first `lame` of them not ready for vMotion."""
    hosts = [
        builders.host(
            n,
            cpu_vendor="intel",
            max_evc_mode="intel-icelake",
            vmotion=OFF if n <= lame else VmotionLink(),
        )
        for n in range(1, count + 1)
    ]
    return small_cluster(**({"hosts": hosts, "vms": []} | facts))


def found(check: Check, *setups: VmotionSetup) -> tuple[Finding, ...]:
    return of(check, diagnosis(snapshot=cluster_of(len(setups)), setups=setups))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"is_supported": False}, "the host does not support it"),
        ({"adapters": ()}, "no vmkernel adapter is selected"),
        ({"adapters": (adapter(1, links_mbps=(0.0, 0.0)),)}, "every link behind"),
        ({}, "it is switched off"),
    ],
    ids=["not supported", "no adapter", "links down", "off"],
)
def test_a_host_that_is_not_ready_is_told_with_the_reason(
    facts: dict[str, Any], words: str
) -> None:
    setups = (setup(1, **facts), setup(2), setup(3))
    (finding,) = of(Check.VMOTION, diagnosis(snapshot=cluster_of(3, lame=1), setups=setups))
    assert finding.outcome is Outcome.PROBLEM
    assert words in finding.found
    assert (finding.objects, finding.blocks) == (("esx1",), False)


def test_with_fewer_than_two_ready_hosts_nothing_can_act() -> None:
    result = diagnosis(snapshot=cluster_of(2, lame=1), setups=(setup(1), setup(2)))
    *_, last = of(Check.VMOTION, result)
    assert (last.outcome, last.blocks) == (Outcome.PROBLEM, True)
    (verdict,) = of(Check.AUTOMATIC_MODE, result)
    assert "vmotion" in verdict.found


def test_hosts_that_are_out_of_reach_are_not_judged() -> None:
    hosts = [
        builders.host(1, max_evc_mode="intel-icelake"),
        builders.host(2, max_evc_mode="intel-icelake"),
        builders.host(3, state=HostState.NOT_RESPONDING, vmotion=OFF),
    ]
    setups = (setup(1), setup(2), setup(3, adapters=()))
    (finding,) = of(Check.VMOTION, diagnosis(snapshot=small_cluster(hosts=hosts), setups=setups))
    assert finding.outcome is Outcome.OK


def test_a_host_whose_set_up_is_not_shown_is_not_passed_over() -> None:
    result = diagnosis(snapshot=cluster_of(3, lame=1), setups=(setup(2),))
    (lame,) = of(Check.VMOTION, result)
    assert "the server does not show why" in lame.found
    unchecked, _ = of(Check.VMOTION_SPEED, result)
    assert (unchecked.outcome, unchecked.objects) == (Outcome.UNCHECKED, ("esx1", "esx3"))


def test_unread_set_ups_leave_readiness_to_the_snapshot() -> None:
    result = diagnosis(snapshot=cluster_of(2), setups=Unread("the server refused"))
    assert [f.outcome for f in of(Check.VMOTION, result)] == [Outcome.OK]
    (speed,) = of(Check.VMOTION_SPEED, result)
    assert (speed.outcome, speed.found) == (Outcome.UNCHECKED, "the server refused")


@pytest.mark.parametrize(
    ("adapters", "outcome", "objects"),
    [
        ({"address": None}, Outcome.PROBLEM, ("esx1 vmk1",)),
        ({"address": "169.254.7.1"}, Outcome.PROBLEM, ("esx1 vmk1",)),
        ({"address": "192.0.2.2"}, Outcome.PROBLEM, ("esx1 vmk1", "esx2 vmk1")),
        ({"address": "198.51.100.1"}, Outcome.ADVICE, ("esx1",)),
        ({"netmask": "255.255.255.128"}, Outcome.ADVICE, ("esx1",)),
        ({"stack": "vmotion"}, Outcome.ADVICE, ("esx1",)),
    ],
    ids=["none", "no DHCP", "used twice", "another network", "another mask", "another stack"],
)
def test_addresses_that_cannot_work_are_told(
    adapters: dict[str, Any], outcome: Outcome, objects: tuple[str, ...]
) -> None:
    setups = (setup(1, adapters=(adapter(1, **adapters),)), setup(2), setup(3))
    (finding,) = found(Check.VMOTION_ADDRESS, *setups)
    assert (finding.outcome, finding.objects) == (outcome, objects)


def test_a_second_network_beside_the_common_one_is_no_matter() -> None:
    two = (adapter(1), adapter(1, device="vmk2", address="198.51.100.1"))
    assert found(Check.VMOTION_ADDRESS, setup(1, adapters=two), setup(2)) == ()


def with_links(number: int, *mbps: float, **facts: Any) -> VmotionSetup:
    return setup(number, adapters=(adapter(number, links_mbps=mbps),), **facts)


def test_links_of_one_gigabit_are_advised_against() -> None:
    slow, *_ = found(Check.VMOTION_SPEED, with_links(1, 1_000.0), with_links(2, 10_000.0))
    assert (slow.outcome, slow.objects) == (Outcome.ADVICE, ("esx1",))
    assert "four at a time" in slow.mend


def test_ten_gigabit_is_enough() -> None:
    (speed,) = found(Check.VMOTION_SPEED, with_links(1, 10_000.0), with_links(2, 10_000.0))
    assert (speed.outcome, speed.found) == (Outcome.OK, "10 Gb/s")


def test_hosts_of_different_speeds_are_told() -> None:
    setups = (with_links(1, 10_000.0), with_links(2, 25_000.0), with_links(3, 25_000.0))
    (finding,) = found(Check.VMOTION_MIXED_SPEED, *setups)
    assert finding.objects == ("esx1",)
    assert "1 with 10 Gb/s, 2 with 25 Gb/s" in finding.found


def test_a_host_with_links_of_different_speeds_is_told_and_one_that_is_down_is_not() -> None:
    setups = (with_links(1, 10_000.0, 25_000.0), with_links(2, 25_000.0, 0.0))
    (finding,) = found(Check.VMOTION_MIXED_SPEED, *setups)
    assert finding.objects == ("esx1",)


def test_different_frame_sizes_are_told_with_the_common_one() -> None:
    setups = (setup(1, adapters=(adapter(1, mtu=1500),)), setup(2), setup(3))
    (finding,) = found(Check.VMOTION_MTU, *setups)
    assert finding.objects == ("esx1",)
    assert "most have 9000" in finding.mend


@pytest.mark.parametrize(
    ("version", "adapters", "helpers", "advised"),
    [
        ((7, 0, 1), 1, "0", True),
        ((6, 7, 0), 2, "0", True),
        ((7, 0, 1), 3, "0", False),
        ((7, 0, 1), 1, "3", False),
        ((7, 0, 2), 1, "0", False),
        ((), 1, "0", False),
    ],
    ids=["one", "two", "three", "streams by hand", "7.0 U2", "unknown version"],
)
def test_one_adapter_on_a_fast_link_is_too_few_before_7_0_u2(
    version: tuple[int, ...], adapters: int, helpers: str, advised: bool
) -> None:
    nics = tuple(
        adapter(1, device=f"vmk{n}", address=f"192.0.2.{n}", links_mbps=(40_000.0,))
        for n in range(1, adapters + 1)
    )
    options = {"Migrate.VMotionStreamHelpers": helpers}
    old = setup(1, version=version, adapters=nics, options=options)
    result = found(Check.VMOTION_ADAPTERS, old, setup(2))
    assert [f.objects for f in result] == ([("esx1",)] if advised else [])
    assert all("3 vmkernel adapters" in f.mend for f in result)


@pytest.mark.parametrize(
    ("version", "value", "advised"),
    [((7, 0, 2), "2", True), ((8, 0, 3), "0", False), ((7, 0, 1), "2", False)],
    ids=["from 7.0 U2 on", "default", "before"],
)
def test_old_tuning_is_to_be_taken_back(
    version: tuple[int, ...], value: str, advised: bool
) -> None:
    tuned = setup(1, version=version, options={"Migrate.VMotionStreamHelpers": value})
    result = found(Check.VMOTION_TUNING, tuned, setup(2))
    advice = [f for f in result if f.outcome is Outcome.ADVICE]
    assert [f.objects for f in advice] == ([("esx1",)] if advised else [])


def test_an_option_that_differs_from_the_neighbours_is_told() -> None:
    odd = setup(1, options={"Migrate.Enabled": "0", "Migrate.Vmknic": "vmk3"})
    setups = (odd, setup(2, options={"Migrate.Enabled": "1", "Migrate.Vmknic": "vmk2"}), setup(3))
    advice, ok = found(Check.VMOTION_TUNING, *setups)
    assert advice.found == "Migrate.Enabled is not 1 as on 2 of 3 hosts"
    assert advice.objects == ("esx1",)
    assert ok.outcome is Outcome.OK


def test_options_that_are_not_shown_are_unchecked() -> None:
    setups = (setup(1, options=Unread("NoPermission")), setup(2))
    (finding,) = found(Check.VMOTION_TUNING, *setups)
    assert (finding.outcome, finding.objects) == (Outcome.UNCHECKED, ("esx1",))


def places(check: Check, *hosts: Any, **facts: Any) -> tuple[Finding, ...]:
    snapshot = small_cluster(**({"hosts": list(hosts), "vms": []} | facts))
    setups = tuple(setup(n) for n in range(1, len(hosts) + 1))
    return of(check, diagnosis(snapshot=snapshot, setups=setups))


def host_at(number: int, **facts: Any) -> Any:
    return builders.host(number, max_evc_mode="intel-icelake", **facts)


def test_port_groups_that_a_host_lacks_are_told_by_name() -> None:
    both, one = frozenset({"net-1", "net-2"}), frozenset({"net-1"})
    hosts = (host_at(1, networks=both), host_at(2, networks=both), host_at(3, networks=one))
    names = (Network(id="net-1", name="prod"), Network(id="net-2", name="backup"))
    (finding,) = places(Check.HOST_NETWORKS, *hosts, networks=names)
    assert finding.found == "port group backup on 2 of 3 hosts, not on these"
    assert finding.objects == ("esx3",)


def test_what_few_hosts_have_is_told_by_those() -> None:
    hosts = [
        host_at(n, networks=frozenset({"net-1"} | ({"odd"} if n == 2 else set())))
        for n in (1, 2, 3)
    ]
    (finding,) = places(Check.HOST_NETWORKS, *hosts)
    assert finding.found == "port group odd on 1 of 3 hosts, on these alone"
    assert finding.objects == ("esx2",)


def test_equal_hosts_are_told_as_such() -> None:
    networks = frozenset({"net-1", "net-2"})
    (finding,) = places(
        Check.HOST_NETWORKS, host_at(1, networks=networks), host_at(2, networks=networks)
    )
    assert (finding.outcome, finding.found) == (Outcome.OK, "2 port groups, on every host")


def test_a_hosts_own_disk_is_no_difference_but_running_vms_on_it_are_told() -> None:
    hosts = [host_at(n, datastores=frozenset({"shared", f"local-{n}"})) for n in (1, 2)]
    stores = (Datastore(id="shared", name="vmfs"), Datastore(id="local-1", name="esx1-disk"))
    (same,) = places(Check.HOST_DATASTORES, *hosts, datastores=stores)
    assert (same.outcome, same.found) == (Outcome.OK, "1 datastore, on every host")
    vms = [
        builders.vm(1, 1, datastores=frozenset({"local-1"})),
        builders.vm(2, 1, datastores=frozenset({"shared"})),
    ]
    _, bound = places(Check.HOST_DATASTORES, *hosts, datastores=stores, vms=vms)
    assert bound.objects == ("vm1",)
    assert "esx1-disk" in bound.found


def test_hosts_of_which_no_places_are_known_say_nothing() -> None:
    assert places(Check.HOST_DATASTORES, host_at(1), host_at(2)) == ()
    bare = [host_at(n, datastores=frozenset()) for n in (1, 2)]
    assert places(Check.HOST_DATASTORES, *bare) == ()
