"""The form of an explanation: a verdict, facts and tables, and the names that stand in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from balancer.expose.report_view import natural, shared_domain
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings; the last column is words and may be long. `figures` counts those before it."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A verdict in a sentence, facts by label, and tables. Tables without rows are left out."""

    verdict: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]


class Names:
    """Names of VMs and hosts of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Find the shared domain once."""
        self._snapshot = snapshot
        self._domain = shared_domain([host.name for host in snapshot.hosts])

    def host(self, host: HostId) -> str:
        """Return a host's name without the domain that all share."""
        known = self._snapshot.host_by_id.get(host)
        name = known.name.strip().removesuffix(self._domain) if known else ""
        return name or host

    def full_host(self, host: HostId) -> str:
        """Return a host's whole name."""
        known = self._snapshot.host_by_id.get(host)
        return known.name if known else host

    def vm(self, vm: VmId) -> str:
        """Return a VM's name."""
        known = self._snapshot.vm_by_id.get(vm)
        return (known.name.strip() if known else "") or vm

    def vms(self, vms: Sequence[VmId]) -> list[str]:
        """Return the names of VMs in natural order."""
        named = {vm: self.vm(vm) for vm in vms}
        return [named[vm] for vm in sorted(vms, key=lambda vm: (natural(named[vm]), vm))]
