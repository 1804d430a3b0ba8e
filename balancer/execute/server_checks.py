"""The answers of vCenter's own check, kept for a short time by VM and class of hosts.

Hosts are of one class where nothing that the check looks at tells them apart: state, processors, vMotion,
datastores, networks. A "yes", and a "no" that lies in the VM or in what the class has, hold for every host
of it; any other "no" for the one host. What differs between hosts of a class (room, rules) is judged by our
own laws on fresh facts each time. Nothing is kept over a change of the VM or of a host that was asked about.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace

from balancer.model.host import Host
from balancer.model.insight import ServerAnswer
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds, VmId
from balancer.model.vm import Blocker, Vm
from balancer.ports import Inventory

KEPT_S: Seconds = 300.0
"""No answer is older than this: devices and mounts may change without a trace in what we read."""

_OF_THE_CLASS = frozenset(
    {Reason.CPU_FEATURES, Reason.EVC, Reason.CPU_VENDOR, Reason.DATASTORE, Reason.NETWORK}
    | {Reason(word.value) for word in Blocker}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What was said of a VM's way to `target`, and when. `classes` are those of source and target."""

    at_s: Seconds
    target: HostId
    classes: frozenset[Hashable]
    said: ServerAnswer

    def holds_for(self, target: HostId) -> bool:
        """Whether the answer counts for another host of the same class."""
        return target == self.target or all(r.reason in _OF_THE_CLASS for r in self.said.refusals)


class ServerChecks:
    """Asks the server's check, and does not ask again what it knows. For one cluster and one thread."""

    def __init__(self, kept_s: Seconds = KEPT_S) -> None:
        self._kept_s = kept_s
        self._answers: dict[VmId, tuple[Hashable, dict[Hashable, list[_Answer]]]] = {}
        self._classes: dict[HostId, Hashable] = {}

    def ask(
        self, vm: VmId, target: HostId, *, fresh: Snapshot, inventory: Inventory, now_s: Seconds
    ) -> ServerAnswer:
        """Return the server's refusals and warnings of a migration; `fresh` must have been read for it.

        Raises:
            SourceError: vCenter could not be asked.
        """
        facts = fresh.vm_by_id[vm]
        ends = tuple(self._noted(fresh.host_by_id[host]) for host in (facts.host, target))
        book = self._book_of(facts, now_s)
        known = [a for a in book.get(ends, ()) if a.holds_for(target)]
        if known:
            said = known[-1].said
            return replace(
                said,
                refusals=tuple(_about(no, target, fresh) for no in said.refusals),
                warnings=tuple(_about(warning, target, fresh) for warning in said.warnings),
            )
        said = inventory.check(vm, target)
        answer = _Answer(at_s=now_s, target=target, classes=frozenset(ends), said=said)
        book.setdefault(ends, []).append(answer)
        return said

    def _book_of(self, vm: Vm, now_s: Seconds) -> dict[Hashable, list[_Answer]]:
        """Return the VM's answers that still count; none where the VM is not what it was."""
        state = _state_of(vm)
        known_state, book = self._answers.get(vm.id, (state, {}))
        kept = {
            ends: [a for a in answers if 0 <= now_s - a.at_s < self._kept_s]
            for ends, answers in (book.items() if known_state == state else ())
        }
        self._answers[vm.id] = (state, kept)
        return kept

    def _noted(self, host: Host) -> Hashable:
        """Return the host's class; where it has changed, drop what was said of the old and the new one."""
        now = _class_of(host)
        before = self._classes.get(host.id, now)
        self._classes[host.id] = now
        if before != now:
            self._drop({before, now})
        return now

    def _drop(self, classes: set[Hashable]) -> None:
        for _, book in self._answers.values():
            for ends, answers in book.items():
                book[ends] = [a for a in answers if not a.classes & classes]


def _about(refusal: Refusal, target: HostId, fresh: Snapshot) -> Refusal:
    if refusal.host is None or refusal.host == target:
        return refusal
    other = fresh.host_by_id.get(refusal.host)
    detail = f"{refusal.detail} (said of {other.name if other else refusal.host}, which is like it)"
    return Refusal.of(refusal.reason, detail, vm=refusal.vm or "", host=target)


def _class_of(host: Host) -> Hashable:
    return (
        host.state,
        host.cpu_vendor,
        host.max_evc_mode,
        frozenset(host.cpu_features.items()),
        host.vmotion,
        host.max_running_vms,
        host.datastores,
        host.networks,
        host.groups,
        host.swap_datastore,
        host.unshared_swap_supported,
    )


def _state_of(vm: Vm) -> Hashable:
    """Return what the check looks at in a VM. `config_version` changes with every reconfiguration."""
    return (
        vm.config_version,
        vm.uuid,
        vm.host,
        vm.power,
        vm.vcpus,
        vm.memory_mib,
        vm.cpu_reservation_mhz,
        vm.memory_reservation_mib,
        vm.resource_pool,
        vm.min_evc_mode,
        vm.evc_mode,
        frozenset(vm.cpu_features.items()),
        vm.datastores,
        vm.networks,
        vm.groups,
        vm.blockers,
        vm.encryption,
        vm.swap_placement,
    )
