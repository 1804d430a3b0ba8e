"""What a what-if assumes: hosts emptied, failed or added, VMs added; as asked for, and against a snapshot.

Owns the reading of names and the making of hosts and VMs that are not there. Everything that cannot be meant
is named at once. Pure; where the VMs go is `whatif_seats`, what comes of it is `whatif`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from balancer.expose.escape import visible
from balancer.model.errors import InputError, Problem
from balancer.model.host import Host, HostState
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mhz, Mib, VmId
from balancer.model.vm import PowerState, Vm

MOST_ADDED = 10_000
"""So many hosts or VMs are added at most by one option: above, a slip of the pen is more likely than a wish."""

_NAMES_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A VM by its figures: what it has and what it wants. All of its memory counts as in use."""

    vcpus: int
    memory_mib: Mib
    cpu_mhz: Mhz


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHosts:
    """Hosts to add. `like` is the name or id of a host of the snapshot, empty for the commonest one."""

    count: int
    like: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVms:
    """VMs to add: like one of the snapshot (name or id), by size, or, with neither, like the middle one."""

    count: int
    like: str = ""
    size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is assumed, in the words of who asks: hosts by name or id."""

    remove_hosts: tuple[str, ...] = ()
    fail_hosts: tuple[str, ...] = ()
    add_hosts: tuple[NewHosts, ...] = ()
    add_vms: tuple[NewVms, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """A change that makes sense for one snapshot.

    `snapshot` has the new hosts beside the old ones; its failed hosts do not answer, and their VMs still stand
    there. `new_vms` stand nowhere yet, whatever host they name; `models` tells of which VM each one is a copy,
    those of a given size are not in it. `told` says in words what was assumed.
    """

    snapshot: Snapshot
    removed: frozenset[HostId]
    failed: frozenset[HostId]
    new_hosts: tuple[HostId, ...]
    new_vms: tuple[Vm, ...]
    models: Mapping[VmId, VmId]
    told: tuple[str, ...]


def assume(snapshot: Snapshot, change: Change, *, source: str = "the snapshot") -> Assumed:
    """Return the change as it is meant for this snapshot, which errors call `source`.

    Raises:
        InputError: names that are not there or mean several, counts below 1 or too large, a host that is to be
            removed and to fail, no host left; all of them.
    """
    reader = _Reader(snapshot, source)
    removed = reader.hosts("--remove-host", change.remove_hosts)
    failed = reader.hosts("--fail-host", change.fail_hosts)
    new_hosts = [host for asked in change.add_hosts for host in reader.new_hosts(asked)]
    new_vms = [vm for asked in change.add_vms for vm in reader.new_vms(asked)]
    reader.check_both(removed, failed)
    reader.check_rest(removed | failed, new_hosts)
    if reader.problems:
        raise InputError("what-if", tuple(reader.problems))
    kept = (_failed(host) if host.id in failed else host for host in snapshot.hosts)
    flights = [f for f in snapshot.in_flight if not failed & {f.source, f.target}]
    return Assumed(
        snapshot=replace(snapshot, hosts=(*kept, *new_hosts), in_flight=tuple(flights)),
        removed=removed,
        failed=failed,
        new_hosts=tuple(host.id for host in new_hosts),
        new_vms=tuple(new_vms),
        models=reader.models,
        told=tuple(reader.told),
    )


def _failed(host: Host) -> Host:
    """Return a host that does not answer; what it used is not known any more."""
    return replace(host.without_usage(), state=HostState.NOT_RESPONDING)


class _Reader:
    """One reading of a change: what it cannot mean, and what it was taken for."""

    def __init__(self, snapshot: Snapshot, source: str) -> None:
        self._snapshot, self._source = snapshot, source
        things: list[Host | Vm] = [*snapshot.hosts, *snapshot.vms]
        self._used = {word for one in things for word in (one.id, one.name)}
        self.problems: list[Problem] = []
        self.told: list[str] = []
        self.models: dict[VmId, VmId] = {}

    def hosts(self, option: str, names: Sequence[str]) -> frozenset[HostId]:
        """Return the hosts that an option names, each once."""
        found = [self._host(option, name) for name in names]
        known = [host for host in found if host is not None]
        for key, count in sorted(Counter(host.id for host in known).items()):
            if count > 1:
                self._say(option, f"{key} is named {count} times", "each host once")
        verb = "emptied" if option == "--remove-host" else "failed"
        self.told += [f"host {host.name} {verb}" for host in known]
        return frozenset(host.id for host in known)

    def new_hosts(self, asked: NewHosts) -> Iterator[Host]:
        """Yield copies of a host: its sizes, tags, groups, networks and datastores, without load."""
        option = "--add-host"
        model = self._host(option, asked.like) if asked.like else self._commonest(option)
        if model is None or not self._is_count(option, asked.count):
            return
        self.told.append(f"{_counted(asked.count, 'host')} like {model.name} added")
        for _ in range(asked.count):
            name = self._fresh("new-host")
            yield replace(
                model.without_usage(),
                id=HostId(name),
                name=name,
                state=HostState.CONNECTED,
                sampled_at=None,
                is_asked_empty=False,
            )

    def new_vms(self, asked: NewVms) -> Iterator[Vm]:
        """Yield VMs: copies of one with its figures but none of its rules, or of the size that is given."""
        option, size = "--add-vms", asked.size
        model = self._commonest(option) if size else self._vm_like(asked)
        if model is None or not self._is_count(option, asked.count):
            return
        words = _size_words(size) if size else f"like {model.name}"
        self.told.append(f"{_counted(asked.count, 'VM')} {words} added")
        for _ in range(asked.count):
            name = self._fresh("new-vm")
            if isinstance(model, Vm):
                self.models[VmId(name)] = model.id
                yield _copied(name, model)
            elif size:
                yield _sized(name, model, size)

    def check_both(self, removed: frozenset[HostId], failed: frozenset[HostId]) -> None:
        """Name the hosts that would be emptied and fail."""
        for key in sorted(removed & failed):
            self._say("--fail-host", f"{key} is also to be removed", "one of the two")

    def check_rest(self, lost: frozenset[HostId], new_hosts: Sequence[Host]) -> None:
        """Refuse a change after which no host may run VMs."""
        serving = [host.id for host in self._snapshot.serving_hosts if host.id not in lost]
        if not serving and not new_hosts:
            self._say("the change", "no host that may run VMs is left", "at least one")

    def _host(self, option: str, name: str) -> Host | None:
        hosts = self._snapshot.hosts
        found = [host for host in hosts if name == host.id] or [h for h in hosts if name == h.name]
        if len(found) == 1:
            return found[0]
        self._unknown(option, name, "host", hosts, len(found))
        return None

    def _vm_like(self, asked: NewVms) -> Vm | None:
        vms = self._snapshot.vms
        if not asked.like:
            return self._middle()
        found = [vm for vm in vms if asked.like == vm.id] or [
            v for v in vms if asked.like == v.name
        ]
        if len(found) == 1:
            return found[0]
        self._unknown("--add-vms", asked.like, "VM", vms, len(found))
        return None

    def _commonest(self, option: str) -> Host | None:
        """Return the first serving host of the commonest size."""
        hosts = self._snapshot.serving_hosts or self._snapshot.hosts
        if not hosts:
            self._say(option, f"{self._source} has no host", "one with hosts")
            return None
        sizes = Counter((host.cpu_capacity_mhz, host.memory_capacity_mib) for host in hosts)
        most = max(sizes.values())
        return next(h for h in hosts if sizes[h.cpu_capacity_mhz, h.memory_capacity_mib] == most)

    def _middle(self) -> Vm | None:
        """Return the running VM that stands in the middle by memory."""
        vms = sorted(self._snapshot.running_vms, key=lambda vm: (vm.memory_mib, vm.id))
        if not vms:
            self._say("--add-vms", f"{self._source} has no running VM to copy", "one with VMs")
            return None
        return vms[len(vms) // 2]

    def _fresh(self, stem: str) -> str:
        number = 1
        while f"{stem}-{number}" in self._used:
            number += 1
        self._used.add(f"{stem}-{number}")
        return f"{stem}-{number}"

    def _is_count(self, option: str, count: int) -> bool:
        if 1 <= count <= MOST_ADDED:
            return True
        self._say(option, f"{count} are to be added", f"1 to {MOST_ADDED:,}")
        return False

    def _unknown(
        self, option: str, name: str, kind: str, known: Iterable[Host | Vm], count: int
    ) -> None:
        if count > 1:
            found = f"'{name}' is the name of {count} {kind}s"
            self._say(option, found, "one", "give its id instead")
            return
        names = sorted(one.name for one in known)
        more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
        allowed = f"names or ids such as {visible(', '.join(names[:_NAMES_SHOWN]))}{more}"
        self._say(option, f"{self._source} has no {kind} '{name}'", allowed)

    def _say(self, option: str, found: str, allowed: str, hint: str = "") -> None:
        self.problems.append(Problem(where=option, found=found, allowed=allowed, hint=hint))


def _copied(name: str, model: Vm) -> Vm:
    return replace(
        model,
        id=VmId(name),
        name=name,
        uuid=None,
        power=PowerState.ON,
        last_moved_at=None,
        blockers=(),
        config_version=None,
    )


def _sized(name: str, beside: Host, size: Size) -> Vm:
    """Return a VM of a size that stands nowhere yet; any processor, datastore and network suits it."""
    return Vm(
        id=VmId(name),
        name=name,
        host=beside.id,
        vcpus=size.vcpus,
        memory_mib=size.memory_mib,
        cpu_demand_mhz=size.cpu_mhz,
        memory_active_mib=size.memory_mib,
        memory_consumed_mib=size.memory_mib,
    )


def _size_words(size: Size) -> str:
    memory = f"{size.memory_mib / 1024:g} GiB"
    return f"of {_counted(size.vcpus, 'vCPU')}, {memory} and {size.cpu_mhz:g} MHz"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
