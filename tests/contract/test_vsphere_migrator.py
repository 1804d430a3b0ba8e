"""A vMotion is asked for once, whatever happens to the answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.model.errors import SubmitNotSent, SubmitRefused, SubmitUnknown
from balancer.model.outcome import MigrationOrder, TaskState
from balancer.model.plan import Priority
from balancer.model.units import ClusterId, HostId, VmId
from balancer.ports import ClusterRef
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vcenter_control import wait_for
from tests.support.vsphere import HeardRequests, settings_for
from tests.support.wire import document, host_row, vm_row, write

pytestmark = pytest.mark.wire

METHOD = "RelocateVM_Task"
CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")


@contextmanager
def served(
    directory: Path, observer: HeardRequests | None = None, **settings: Any
) -> Iterator[tuple[VCenterProcess, VsphereConnection]]:
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1), vm_row(2, 1)])
    with (
        start_vcenter(write(directory, doc)) as server,
        connect(settings_for(server, **settings), observer=observer) as vcenter,
    ):
        yield server, vcenter


def order(vm: str = "vm-1", target: str = "host-2", **facts: Any) -> MigrationOrder:
    priority = facts.get("priority", Priority.DEFAULT)
    return MigrationOrder(
        vm=VmId(vm), vm_name=f"name of {vm}", target=HostId(target), priority=priority
    )


def sent(server: VCenterProcess) -> int:
    """Count the calls that were executed; a dropped request was not."""
    return server.control.calls().calls.get(METHOD, 0)


def test_a_submitted_migration_brings_the_vm_to_its_target(tmp_path: Path) -> None:
    with served(tmp_path) as (server, vcenter):
        task = vcenter.migrator().submit(order())
        wait_for(
            lambda: vcenter.inventory.tasks([task])[task].state,
            lambda state: state is TaskState.SUCCESS,
            what="the migration to end",
        )
        assert vcenter.inventory.snapshot(CLUSTER).vm_by_id[VmId("vm-1")].host == "host-2"
        assert sent(server) == 1


@pytest.mark.parametrize("priority", list(Priority))
def test_the_priority_is_asked_for(tmp_path: Path, priority: Priority) -> None:
    with served(tmp_path) as (server, vcenter):
        vcenter.migrator().submit(order(priority=priority))
        (line,) = server.control.relocations()
        assert line.priority == f"{priority}Priority"


def test_a_fault_at_the_call_is_a_refusal_with_its_name(tmp_path: Path) -> None:
    with served(tmp_path) as (server, vcenter):
        server.control.set_migration_seconds(30.0)
        vcenter.migrator().submit(order())
        with pytest.raises(SubmitRefused, match="name of vm-1") as caught:
            vcenter.migrator().submit(order())
        assert caught.value.fault == "TaskInProgress"
        assert sent(server) == 2  # two orders, each sent once


def test_a_vm_that_is_gone_is_a_refusal(tmp_path: Path) -> None:
    with served(tmp_path) as (_, vcenter), pytest.raises(SubmitRefused) as caught:
        vcenter.migrator().submit(order("vm-99"))
    assert caught.value.fault == "ManagedObjectNotFound"


def test_a_lost_reply_is_unknown_and_the_call_is_not_sent_again(tmp_path: Path) -> None:
    with served(tmp_path) as (server, vcenter):
        server.control.drop_reply(METHOD)
        with pytest.raises(SubmitUnknown, match="no answer came back"):
            vcenter.migrator().submit(order())
        assert sent(server) == 1
        assert len(server.control.relocations()) == 1


def test_a_request_that_was_cut_is_unknown_and_not_sent_again(tmp_path: Path) -> None:
    with served(tmp_path) as (server, vcenter):
        server.control.drop_request(METHOD)
        with pytest.raises(SubmitUnknown):
            vcenter.migrator().submit(order())
        assert (sent(server), server.control.calls().dropped[METHOD]) == (0, 1)
        assert server.control.relocations() == ()


def test_no_connection_means_not_sent(tmp_path: Path) -> None:
    with served(tmp_path) as (server, vcenter):
        server.control.outage(30.0)
        with pytest.raises(SubmitNotSent, match="name of vm-1"):
            vcenter.migrator().submit(order())
        assert sent(server) == 0


def test_a_wrong_password_means_not_sent(tmp_path: Path) -> None:
    with served(tmp_path, password="wrong") as (server, vcenter):
        with pytest.raises(SubmitNotSent, match="the server refused"):
            vcenter.migrator().submit(order())
        assert sent(server) == 0


def test_a_connection_that_died_of_idleness_is_found_before_the_submit(tmp_path: Path) -> None:
    heard = HeardRequests()
    with served(tmp_path, heard) as (server, vcenter):
        migrator = vcenter.migrator()
        migrator.submit(order("vm-1"))
        server.control.outage(0.0)  # every open connection is closed under us
        migrator.submit(order("vm-2"))
        assert sent(server) == 2
        assert heard.requests["CurrentTime", "broken"] >= 1
        assert heard.requests[METHOD, "broken"] == 0


def test_an_expired_session_is_renewed_before_the_submit(tmp_path: Path) -> None:
    heard = HeardRequests()
    with served(tmp_path, heard) as (server, vcenter):
        migrator = vcenter.migrator()
        migrator.submit(order("vm-1"))
        server.control.expire_sessions()
        migrator.submit(order("vm-2"))
        assert heard.logins["ok"] == 2
        assert sent(server) == 2


def test_only_the_inventory_logs_in_while_nothing_is_moved(tmp_path: Path) -> None:
    heard = HeardRequests()
    with served(tmp_path, heard) as (_, vcenter):
        vcenter.inventory.snapshot(CLUSTER)
        assert heard.logins["ok"] == 1


def test_after_a_connection_that_took_too_long_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path) as (server, vcenter):
        monkeypatch.setattr("balancer.adapters.vsphere.migrator.PROBE_WITHIN_S", 0.0)
        with pytest.raises(SubmitNotSent, match="0 s are allowed"):
            vcenter.migrator().submit(order())
        assert sent(server) == 0
