"""vCenter's own check is asked once for a VM and a class of hosts, and anew after every change."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from balancer.execute.server_checks import KEPT_S, ServerChecks
from balancer.model.host import HostState
from balancer.model.insight import ServerAnswer
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker
from tests.support.builders import host, snapshot, vm
from tests.support.fakes import FakeClock, ScriptedVCenter

VM = VmId("vm-1")
BASE = snapshot([host(n) for n in (1, 2, 3)], [vm(1, on=1, config_version="a"), vm(2, on=1)])


class Counted(ScriptedVCenter):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__(BASE, FakeClock())
        self.asked: list[str] = []

    def check(self, vm: VmId, target: HostId) -> ServerAnswer:
        self.asked.append(f"{vm} to {target}")
        return super().check(vm, target)


class Desk:
    """One cache and the vCenter behind it."""

    def __init__(self, no: Reason | None = None) -> None:
        self.vcenter, self.checks, self.now_s = Counted(), ServerChecks(), 1_000.0
        if no is not None:
            self.vcenter.check_refusals[VM] = (Refusal.of(no, "no", vm=VM, host="host-2"),)

    def ask(self, target: int, fresh: Snapshot = BASE, *, of: VmId = VM) -> tuple[Refusal, ...]:
        return self.answer(target, fresh, of=of).refusals

    def answer(self, target: int, fresh: Snapshot = BASE, *, of: VmId = VM) -> ServerAnswer:
        return self.checks.ask(
            of, HostId(f"host-{target}"), fresh=fresh, inventory=self.vcenter, now_s=self.now_s
        )


def with_vm(**facts: Any) -> Snapshot:
    vms = [replace(v, **facts) if v.id == VM else v for v in BASE.vms]
    return replace(BASE, vms=tuple(vms))


def with_host(number: int, **facts: Any) -> Snapshot:
    hosts = [replace(h, **facts) if h.id == f"host-{number}" else h for h in BASE.hosts]
    return replace(BASE, hosts=tuple(hosts))


def test_a_yes_counts_for_every_host_of_the_class() -> None:
    desk = Desk()
    assert [desk.ask(2), desk.ask(2), desk.ask(3)] == [(), (), ()]
    assert desk.vcenter.asked == ["vm-1 to host-2"]


def test_another_vm_is_asked_about_by_itself() -> None:
    desk = Desk()
    desk.ask(2)
    desk.ask(2, of=VmId("vm-2"))
    assert desk.vcenter.asked == ["vm-1 to host-2", "vm-2 to host-2"]


@pytest.mark.parametrize("reason", [Reason.CPU_FEATURES, Reason.DATASTORE, Reason.USB_DEVICE])
def test_a_no_that_lies_in_the_class_or_the_vm_counts_for_the_class(reason: Reason) -> None:
    desk = Desk(reason)
    desk.ask(2)
    (refusal,) = desk.ask(3)
    assert (refusal.reason, refusal.host) == (reason, "host-3")
    assert "esx2" in refusal.detail
    assert len(desk.vcenter.asked) == 1


def test_warnings_are_kept_with_the_answer_and_tell_of_whom_they_were_said() -> None:
    desk = Desk()
    warning = Refusal.of(Reason.SERVER_CHECK, "NoGuestHeartbeat", vm=VM, host="host-2")
    desk.vcenter.check_warnings[VM] = (warning,)
    assert desk.answer(2) == desk.answer(2) == ServerAnswer(warnings=(warning,))
    (kept,) = desk.answer(3).warnings
    assert (kept.reason, kept.host) == (Reason.SERVER_CHECK, "host-3")
    assert "esx2" in kept.detail
    assert len(desk.vcenter.asked) == 1


@pytest.mark.parametrize("reason", [Reason.SERVER_CHECK, Reason.MEMORY_RESERVATION])
def test_a_no_that_may_lie_in_the_host_counts_for_that_host_alone(reason: Reason) -> None:
    desk = Desk(reason)
    desk.ask(2)
    desk.ask(2)
    assert desk.vcenter.asked == ["vm-1 to host-2"]
    desk.ask(3)
    assert desk.vcenter.asked == ["vm-1 to host-2", "vm-1 to host-3"]


@pytest.mark.parametrize(
    "changed",
    [
        lambda: with_vm(config_version="b"),
        lambda: with_vm(uuid="another"),
        lambda: with_vm(blockers=(Blocker.USB_DEVICE,)),
        lambda: with_vm(datastores=frozenset({"datastore-9"})),
        lambda: with_host(2, state=HostState.QUARANTINE),
        lambda: with_host(2, datastores=frozenset({"datastore-9"})),
        lambda: with_host(2, max_evc_mode="intel-haswell"),
        lambda: with_host(1, networks=frozenset()),
    ],
    ids=[
        "the vm was reconfigured",
        "another vm has its id",
        "the vm has a device",
        "the vm has a disk elsewhere",
        "the target's state",
        "the target's datastores",
        "the target's processors",
        "the source's networks",
    ],
)
def test_after_a_change_the_server_is_asked_anew_and_also_when_it_is_undone(
    changed: Callable[[], Snapshot],
) -> None:
    desk = Desk()
    desk.ask(2)
    desk.ask(2, changed())
    assert len(desk.vcenter.asked) == 2
    desk.ask(2)
    assert len(desk.vcenter.asked) == 3


def test_load_that_comes_and_goes_is_no_change() -> None:
    desk = Desk()
    desk.ask(2)
    desk.ask(2, with_vm(cpu_demand_mhz=5.0, memory_consumed_mib=9.0))
    desk.ask(2, with_host(2, cpu_usage_mhz=77.0))
    assert len(desk.vcenter.asked) == 1


@pytest.mark.parametrize(
    ("later_s", "calls"), [(KEPT_S - 0.1, 1), (KEPT_S, 2), (-1.0, 2)], ids=["young", "old", "back"]
)
def test_no_answer_is_older_than_five_minutes(later_s: float, calls: int) -> None:
    desk = Desk()
    desk.ask(2)
    desk.now_s += later_s
    desk.ask(2)
    assert len(desk.vcenter.asked) == calls
