"""What happened to hosts between two looks, and for how long the cluster is left in peace."""

from datetime import timedelta

import pytest

from balancer.execute.disturbance import disturbances, known_hosts, new_ones, quiet_until
from balancer.model.host import HostState
from balancer.model.past import Disturbance, DisturbanceKind, KnownHost, Past
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits
from tests.support.builders import NOON, host, snapshot, vm

UP, GONE, SILENT = HostState.CONNECTED, HostState.DISCONNECTED, HostState.NOT_RESPONDING
ENTERING, IN = HostState.ENTERING_MAINTENANCE, HostState.MAINTENANCE


def cluster(*states: HostState, vm_on: int = 1) -> Snapshot:
    hosts = [host(n, state=state) for n, state in enumerate(states, 1)]
    return snapshot(hosts, [vm(1, on=vm_on)])


def seen(
    before: tuple[KnownHost, ...], now: Snapshot, places: dict[VmId, HostId] | None = None
) -> list[tuple[DisturbanceKind, str]]:
    found = disturbances(now, before, vcenter="vc1", places=places or {}, now=NOON)
    return [(one.kind, one.subject) for one in found]


def looks(*states: HostState) -> list[DisturbanceKind]:
    """Return what looks at host-2 in these states find, one after another."""
    known: tuple[KnownHost, ...] = ()
    found: list[DisturbanceKind] = []
    for state in states:
        snap = cluster(UP, state)
        found += [kind for kind, _ in seen(known, snap)]
        known = known_hosts(snap, known)
    return found


LOST, BACK = DisturbanceKind.HOST_LOST, DisturbanceKind.HOST_BACK


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param((SILENT,), [], id="the first look has nothing to compare with"),
        pytest.param((UP, UP), [], id="nothing happened"),
        pytest.param((UP, SILENT), [LOST], id="lost"),
        pytest.param((UP, GONE, GONE), [LOST], id="lost once"),
        pytest.param((UP, SILENT, UP), [LOST, BACK], id="lost and back"),
        pytest.param((ENTERING, SILENT), [LOST], id="lost while it is emptied"),
        pytest.param((UP, ENTERING, IN, UP), [], id="maintenance is a person's doing"),
        pytest.param((UP, ENTERING, IN, SILENT, IN, UP), [], id="patched and restarted"),
        pytest.param((UP, ENTERING, IN, SILENT, UP), [], id="patched, seen when it serves again"),
        pytest.param((UP, SILENT, IN, UP), [LOST, BACK], id="back in maintenance"),
    ],
)
def test_what_a_host_does_between_looks(
    states: tuple[HostState, ...], expected: list[DisturbanceKind]
) -> None:
    assert looks(*states) == expected


def test_hosts_that_come_and_go_are_told() -> None:
    two, three = cluster(UP, UP), cluster(UP, UP, UP)
    assert seen(known_hosts(two, ()), three) == [(DisturbanceKind.HOST_JOINED, "host-3")]
    assert seen(known_hosts(three, ()), two) == [(DisturbanceKind.HOST_LEFT, "host-3")]


def test_vms_that_left_a_lost_host_were_started_elsewhere_by_ha() -> None:
    before = known_hosts(cluster(UP, SILENT), ())
    now = cluster(UP, SILENT, vm_on=1)
    at_2, at_1 = {VmId("vm-1"): HostId("host-2")}, {VmId("vm-1"): HostId("host-1")}
    assert seen(before, now, at_2) == [(DisturbanceKind.HA_RESTARTS, "host-2")]
    assert seen(before, now, at_1) == []


def test_vms_that_left_a_host_that_answers_were_migrated() -> None:
    before = known_hosts(cluster(UP, UP), ())
    assert seen(before, cluster(UP, UP, vm_on=1), {VmId("vm-1"): HostId("host-2")}) == []


def lost(minutes_ago: float, kind: DisturbanceKind = LOST) -> Disturbance:
    snap = cluster(UP, UP)
    return Disturbance(
        vcenter="vc1",
        cluster=snap.cluster.id,
        kind=kind,
        at=NOON - timedelta(minutes=minutes_ago),
        detail="esx2 does not answer vCenter any more",
        subject="host-2",
    )


def test_what_a_look_wrote_before_it_was_cut_short_is_not_written_twice() -> None:
    assert new_ones([lost(0.0)], Past(disturbances=(lost(1.0),))) == ()
    back = Past(disturbances=(lost(9.0), lost(5.0, BACK)))
    assert new_ones([lost(0.0)], back) == (lost(0.0),)


@pytest.mark.parametrize(("minutes", "is_quiet"), [(9.9, True), (10.0, False)])
def test_ten_minutes_are_left_in_peace(minutes: float, is_quiet: bool) -> None:
    found = quiet_until([lost(minutes), lost(50.0)], Limits(), now=NOON)
    assert (found is not None) is is_quiet
