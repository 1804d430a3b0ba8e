"""The only part that moves a VM: one `RelocateVM_Task`, sent once, with the host as the only change.

Owns the mutating session. Must never send a request a second time: a lost reply is unknown, and what
became of it is looked up by others. Right before each submit the connection is probed with a read, so
that a connection that died of idleness is found before anything is asked.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import threading
import time

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.facts import object_id
from balancer.adapters.vsphere.faults import fault_keys, fault_line, fault_name
from balancer.adapters.vsphere.reading import ReadClient
from balancer.adapters.vsphere.session import Opened, Session
from balancer.adapters.vsphere.stub import CallFailed, NotConnected
from balancer.model.errors import SourceError, SubmitNotSent, SubmitRefused, SubmitUnknown
from balancer.model.outcome import MigrationOrder
from balancer.model.plan import Priority
from balancer.model.units import Seconds

PROBE_WITHIN_S: Seconds = 5.0
"""After a probe (and a login, where one is needed) that took longer, nothing is sent: the lease under which
the move was allowed may end while the connection is being made."""

_MovePriority = vim.VirtualMachine.MovePriority
_PRIORITIES = {
    Priority.HIGH: _MovePriority.highPriority,
    Priority.DEFAULT: _MovePriority.defaultPriority,
    Priority.LOW: _MovePriority.lowPriority,
}


class VsphereMigrator:
    """Implements `ports.Migrator`. Submits are sent one after another."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reads = ReadClient(session)
        self._lock = threading.Lock()

    def submit(self, order: MigrationOrder) -> str:
        """Ask once for one vMotion and return the task's id; see `ports.Migrator`.

        The VM keeps its resource pool and its datastores: with `host` alone in the specification no
        further privilege is needed than `Resource.ColdMigrate` and `Resource.HotMigrate`.
        Source: vSphere API, `RelocateVM_Task`, `VirtualMachineRelocateSpec.pool`.
        """
        with self._lock:
            opened = self._probed(order)
            return self._sent(opened, order)

    def close(self) -> None:
        """Log out."""
        self._session.close()

    def _probed(self, order: MigrationOrder) -> Opened:
        begun_s = time.monotonic()
        try:
            opened = self._reads.run("prepare a migration", _alive)
        except SourceError as err:
            raise SubmitNotSent(f"{_subject(order)} was not sent. {err}") from err
        took_s = time.monotonic() - begun_s
        if took_s > PROBE_WITHIN_S:
            raise SubmitNotSent(
                f"{_subject(order)} was not sent: the connection to {self._session.settings.where} took"
                f" {took_s:.1f} s to answer, {PROBE_WITHIN_S:.0f} s are allowed. It is planned anew."
            )
        return opened

    def _sent(self, opened: Opened, order: MigrationOrder) -> str:
        vm = vim.VirtualMachine(order.vm, opened.stub)
        spec = vim.vm.RelocateSpec(host=vim.HostSystem(order.target, opened.stub))
        where = self._session.settings.where
        try:
            task = vm.RelocateVM_Task(spec, _PRIORITIES[order.priority])
        except vmodl.MethodFault as err:
            text = f"{_subject(order)} was refused by {where}: {fault_line(err)}"
            raise SubmitRefused(text, fault=fault_name(err), message_keys=fault_keys(err)) from err
        except NotConnected as err:
            text = f"{_subject(order)} was not sent: no connection to {where} ({err.cause})"
            raise SubmitNotSent(text) from err
        except CallFailed as err:
            raise SubmitUnknown(
                f"{_subject(order)} was sent to {where} and no answer came back ({err.cause}). It"
                " may be running; it is looked up and not sent again."
            ) from err
        key = object_id(task)
        if key is None:
            raise SubmitUnknown(f"{_subject(order)} was sent to {where}, and no task came back.")
        return key


def _alive(opened: Opened) -> Opened:
    opened.service().CurrentTime()
    return opened


def _subject(order: MigrationOrder) -> str:
    return f"The migration of {order.vm_name} ({order.vm}) to {order.target}"
