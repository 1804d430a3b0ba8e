"""An RVTools export of which no VM stands on a host that vHost lists: refused, and not read as an empty cluster.

A cluster without VMs is one that has nothing to balance, which is not to be said where vInfo and vHost only call
the hosts by different names.
"""

from collections.abc import Iterable, Iterator, Sequence

from balancer.adapters.imports.cells import Columns, Line
from balancer.adapters.imports.findings import Findings, ImportRule
from balancer.adapters.imports.rvtools_clusters import Clusters

NAMES_SHOWN = 3
"""So many names of hosts of each sheet are shown."""


def is_without_places(
    vinfo: Columns, vhost: Columns, clusters: Clusters, findings: Findings
) -> bool:
    """Refuse VMs none of which has a listed host, and return whether that is so.

    Meant are the VMs that vInfo gives to the cluster, or all where none of the whole sheet has a listed host. A
    cluster without VMs in an export of several is none of this.
    """
    listed = {name: clusters.has(line) for line in vhost.lines() if (name := line.text("host"))}
    vms = [line for line in vinfo.lines() if _is_vm(line)]
    if any(listed.get(line.text("host")) for line in vms):
        return False
    unlisted = [line for line in vms if line.text("host") not in listed]
    lost = unlisted if len(unlisted) == len(vms) else [v for v in unlisted if clusters.has(v)]
    if not lost or not listed:
        return False
    hosts = [name for name, is_here in listed.items() if is_here] or list(listed)
    found = (
        f"rows {lost[0].number} to {lost[-1].number}: none of {len(lost):,} VMs stands on a host that "
        f"{vhost.sheet.label} lists. VMs stand on {_some(line.text('host') for line in lost)}; "
        f"{vhost.place('host')} has {_some(hosts)}; allowed: the names in {vhost.sheet.label}"
    )
    findings.tell(ImportRule.NO_VM_PLACED, vinfo.place("host"), found)
    return True


def told_of_elsewhere(vinfo: Columns, vhost: Columns) -> Iterator[str]:
    """Yield how many VMs are in no cluster and on no host that vHost lists: they are left out of each cluster."""
    hosts = {line.text("host") for line in vhost.lines()}
    clusters = {line.text("cluster") for line in vhost.lines()} - {""}
    lost = [
        line
        for line in vinfo.lines()
        if _is_vm(line) and line.text("host") not in hosts and line.text("cluster") not in clusters
    ]
    if lost:
        yield (
            f"VMs left out, as vHost lists neither their host nor their cluster: {len(lost):,}, the first at "
            f"{lost[0].where()}; hosts {_some(line.text('host') for line in lost)}, "
            f"clusters {_some(line.text('cluster') for line in lost)}"
        )


def _is_vm(line: Line) -> bool:
    return bool(line.text("vm")) and not line.flag("template") and not line.flag("placeholder")


def _some(names: Iterable[str]) -> str:
    """Return the first of the different names, as in `'a', 'b', 'c', ...`."""
    known: Sequence[str] = tuple(dict.fromkeys(names))
    shown = ", ".join(f"'{name[:60]}'" for name in known[:NAMES_SHOWN])
    return shown + (", ..." if len(known) > NAMES_SHOWN else "")
