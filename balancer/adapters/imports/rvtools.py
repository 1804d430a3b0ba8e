"""RVTools exports as snapshots: which sheets are read, how they become a cluster, and what they do not say.

RVTools writes what a vCenter shows at one moment, without rules, reservations of pools, tags or statistics over
time. What is not there stays unknown, and is told beside the snapshot.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from balancer.adapters.imports.cells import Columns
from balancer.adapters.imports.columns import TABS
from balancer.adapters.imports.evc_modes import EVC_MODES
from balancer.adapters.imports.findings import Findings, ImportRefused, ImportRule
from balancer.adapters.imports.outcome import Imported, chosen
from balancer.adapters.imports.rvtools_clusters import Clusters
from balancer.adapters.imports.rvtools_hosts import HostRow, hosts_from
from balancer.adapters.imports.rvtools_parts import Parts, named
from balancer.adapters.imports.rvtools_units import check_units
from balancer.adapters.imports.rvtools_unplaced import is_without_places, told_of_elsewhere
from balancer.adapters.imports.rvtools_vms import RULE_NAMES, Around, Joined, vms_from
from balancer.adapters.imports.split_usage import split_usage
from balancer.adapters.imports.tables import read_sheets
from balancer.model.host import Host
from balancer.model.snapshot import (
    Cluster,
    Drs,
    Ha,
    Snapshot,
    Source,
    SourceKind,
    Statistics,
    TagsState,
)
from balancer.model.units import ClusterId
from balancer.model.vm import Automation, Vm

_NO_RULES = (
    "Not in an RVTools export, and so not in the snapshot: what DRS rules and groups ask for, DRS overrides, tags, "
    "resource pools, the speed of vMotion links (10 Gbit/s is assumed), how fast VMs dirty their memory"
)


_MOST_NAMES = 5
"""Names of files that a message lists."""


def import_rvtools(
    path: Path, cluster: str | None = None, *, split_host_usage: bool = False
) -> Imported:
    """Return one cluster of an export: an xlsx file, or csv files as a folder or zip.

    With `split_host_usage` VMs without figures get a share of what their host uses.

    Raises:
        ImportRefused: something cannot be mended; everything that was found is told.
        NotFound: no such cluster, or several and none was named.
        BalancerError: there is no such file.
    """
    findings = Findings()
    sheets = _columns(path, findings)
    clusters = _clusters(sheets)
    if not findings.refuses:
        clusters = clusters.narrowed(chosen(clusters.names, cluster, str(path)))
    read = _Export(path, sheets, clusters, findings)
    if findings.refuses:
        raise ImportRefused(str(path), findings)
    snapshot, notes = read.snapshot(), list(read.notes())
    if split_host_usage:
        snapshot, told = split_usage(snapshot)
        notes.append(told)
    return Imported(snapshot=snapshot, findings=findings, notes=(*_unknown(snapshot), *notes))


def _columns(path: Path, findings: Findings) -> Mapping[str, Columns]:
    """Return the sheets that have the columns which they need, by name in lower case."""
    sheets = read_sheets(path, findings)
    found = {name: Columns.of(sheet, findings) for name, sheet in sheets.items()}
    if not findings.refuses:
        for tab in TABS:
            if tab.is_required and tab.name.lower() not in sheets:
                there = ", ".join(sorted(sheet.name for sheet in sheets.values())) or "none"
                what = f"there is no sheet {tab.name}; of those that are read there are: {there}"
                what += _hint(path, has_any=bool(sheets))
                findings.tell(ImportRule.MISSING_PART, str(path), what)
    return {name: columns for name, columns in found.items() if columns.is_whole}


def _hint(path: Path, *, has_any: bool) -> str:
    """Return what may have been meant where sheets are missing."""
    if path.suffix.lower() == ".csv" and path.is_file():
        return "; one csv file is one sheet: name the folder, or a zip, that has all of them"
    if has_any or not path.is_dir():
        return ""
    names = sorted(file.name for file in path.iterdir() if file.suffix.lower() == ".csv")
    return (
        f"; the folder has {', '.join(names[:_MOST_NAMES])}, and files of RVTools are called vInfo.csv, "
        "tabvInfo.csv or RVTools_tabvInfo.csv"
    )


def _clusters(sheets: Mapping[str, Columns]) -> Clusters:
    hosts = sheets.get("vhost")
    return Clusters.of(hosts.lines() if hosts else ())


class _Export:
    """One cluster of an export, read. Nothing in it is looked at where its sheets are not whole."""

    def __init__(
        self, path: Path, sheets: Mapping[str, Columns], clusters: Clusters, findings: Findings
    ) -> None:
        self._path, self._sheets, self._clusters = path, sheets, clusters
        self._parts = Parts(sheets)
        self._hosts: tuple[HostRow, ...] = ()
        self._vms: tuple[Vm, ...] = ()
        self._unread = 0
        self._evc: str | None = None
        if "vhost" not in sheets or "vinfo" not in sheets:
            return
        stores = self._parts.host_datastores()
        self._hosts = hosts_from(sheets["vhost"], clusters, findings, datastores=stores)
        if is_without_places(sheets["vinfo"], sheets["vhost"], clusters, findings):
            return
        self._evc = _evc(self._hosts, findings)
        listed = {line.text("host") for line in sheets["vhost"].lines() if clusters.has(line)}
        around = Around(
            hosts={row.host.name: row for row in self._hosts},
            refused=listed - {row.host.name for row in self._hosts},
            cpu=Joined(sheets.get("vcpu")),
            memory=Joined(sheets.get("vmemory")),
            parts=self._parts,
            has_evc=self._evc is not None,
        )
        self._vms, self._unread = vms_from(sheets["vinfo"], clusters, around, findings)
        check_units(sheets, self._hosts, self._vms, findings)
        known = {key for line in sheets["vinfo"].lines() for key in named(line).keys}
        for columns in (sheets[name] for name in ("vcpu", "vmemory") if name in sheets):
            _tell_strangers(columns, known)

    def snapshot(self) -> Snapshot:
        """Return what was read."""
        networks = self._parts.host_networks()
        used = {store for vm in self._vms for store in vm.datastores}
        return Snapshot(
            taken_at=self._written_at() or self._changed_at(),
            source=self._source(),
            cluster=self._cluster(),
            hosts=tuple(_with_networks(row.host, networks) for row in self._hosts),
            vms=self._vms,
            datastores=tuple(s for s in self._parts.datastores if s.id in used or self._has(s.id)),
            networks=self._parts.networks(),
        )

    def notes(self) -> Iterator[str]:
        """Yield what the export does not say."""
        yield _NO_RULES
        if self._written_at() is None:
            yield (
                "There is no vMetaData with a time such as 2026-11-20 08:30:00: the export counts as written when "
                f"{self._path.name or self._path} was last changed, {self._changed_at():%Y-%m-%d %H:%M} UTC; "
                "a copy may have a later time"
            )
        ruled = sorted(
            {vm.attributes[RULE_NAMES] for vm in self._vms if RULE_NAMES in vm.attributes}
        )
        if ruled:
            count = sum(RULE_NAMES in vm.attributes for vm in self._vms)
            yield (
                f"{count:,} VMs are under DRS rules of which the export has only the names "
                f"({', '.join(ruled[:5])}{' and others' if len(ruled) > 5 else ''}): write these rules in a "
                f"policy; the VMs have the names in their attribute '{RULE_NAMES}'"
            )
        for sheet, meaning in (
            ("vcpu", "CPU use, reservations and limits of VMs are not known"),
            ("vmemory", "memory use, reservations and limits of VMs are not known"),
            ("vdatastore", "every host counts as reaching every datastore"),
            ("vnetwork", "every host counts as having every network"),
            ("vdisk", "disks on other datastores than the VM's own file are not known"),
            ("vcd", "connected drives do not hold a VM"),
            ("vusb", "USB devices do not hold a VM"),
            ("vcluster", "DRS and HA count as off"),
        ):
            if sheet not in self._sheets:
                name = next(tab.name for tab in TABS if tab.name.lower() == sheet)
                yield f"Without the sheet {name}: {meaning}"
        if self._clusters.is_ambiguous and "vcluster" in self._sheets:
            yield "vCluster does not say in which datacenter a cluster is: DRS and HA count as off"
        yield from _lacking(self._sheets)
        yield from told_of_elsewhere(self._sheets["vinfo"], self._sheets["vhost"])
        alone = [line for line in self._sheets["vhost"].lines() if not line.text("cluster")]
        if alone:
            yield f"Hosts outside of clusters are left out: {len(alone):,}"

    def _has(self, store: str) -> bool:
        return any(store in (row.host.datastores or ()) for row in self._hosts)

    def _written_at(self) -> datetime | None:
        """Return when the export was written by its own word, taken as UTC."""
        columns = self._sheets.get("vmetadata")
        for line in columns.lines() if columns else ():
            try:
                return datetime.fromisoformat(line.text("created")).replace(tzinfo=UTC)
            except ValueError:
                continue
        return None

    def _changed_at(self) -> datetime:
        """Return the time of the file or folder."""
        return datetime.fromtimestamp(self._path.stat().st_mtime, UTC).replace(microsecond=0)

    def _source(self) -> Source:
        first = next(iter(self._sheets["vinfo"].lines()), None)
        return Source(
            kind=SourceKind.FILE,
            name=(first.text("server") if first else "") or "RVTools export",
            instance_uuid=(first.text("server_uuid") if first else "") or None,
            rejected_objects=self._unread,
            statistics=Statistics.QUICK_STATS,
            tags=TagsState.UNSUPPORTED,
        )

    def _cluster(self) -> Cluster:
        modes, name = () if self._evc else EVC_MODES, self._clusters.wanted
        plain = Cluster(id=ClusterId(name), name=name, evc_mode=self._evc, evc_modes=modes)
        columns = self._sheets.get("vcluster")
        for line in columns.lines() if columns else ():
            if not self._clusters.has(line):
                continue
            rate, level = line.measured("rate"), line.measured("failover_level")
            word = line.text("automation")
            guards = line.flag("ha") and line.flag("admission")
            return replace(
                plain,
                id=ClusterId(line.text("id") or name),
                drs=Drs(
                    enabled=line.flag("drs"),
                    automation=Automation(word) if word in set(Automation) else None,
                    vmotion_rate=int(rate) if rate and 1 <= rate <= 5 else None,
                ),
                ha=Ha(
                    enabled=line.flag("ha"),
                    host_failures_to_tolerate=int(level or 0) if guards else 0,
                ),
            )
        return plain


def _lacking(sheets: Mapping[str, Columns]) -> Iterator[str]:
    """Yield the columns that sheets lack, of those that are read."""
    for tab in TABS:
        columns = sheets.get(tab.name.lower())
        missing = [c.names[0] for c in tab.columns if columns and not columns.has(c.key)]
        if missing:
            names = ", ".join(f"'{name}'" for name in missing)
            yield f"{tab.name} lacks columns, and what they tell is not known: {names}"


def _tell_strangers(columns: Columns, known: Set[str]) -> None:
    for line in columns.lines():
        if known.isdisjoint(named(line).keys):
            line.tell(ImportRule.ROW_WITHOUT_VM, "vm", f"'{line.text('vm')}' is not in vInfo")


def _evc(hosts: Sequence[HostRow], findings: Findings) -> str | None:
    """Return the cluster's EVC mode: the one that all hosts name.

    With EVC on, what runs on one host of the cluster runs on the others, so that the VMs' own modes are not needed.
    """
    modes = {row.evc for row in hosts}
    if len(modes) <= 1:
        return next(iter(modes), None)
    told = ", ".join(sorted(mode or "none" for mode in modes))
    findings.tell(ImportRule.EVC_DIFFERS, hosts[0].where, told)
    return None


def _with_networks(host: Host, networks: Mapping[str, frozenset[str]] | None) -> Host:
    return (
        host if networks is None else replace(host, networks=networks.get(host.name, frozenset()))
    )


def _unknown(snapshot: Snapshot) -> Iterator[str]:
    """Yield how many running VMs have no figures."""
    running = snapshot.running_vms
    if not running:
        yield "Of the VMs that were read none runs: there is nothing to move"
        return
    cpu = sum(vm.cpu_usage_mhz is None for vm in running)
    memory = sum(vm.memory_active_mib is None and vm.memory_consumed_mib is None for vm in running)
    told = _of(cpu, "CPU"), _of(memory, "memory")
    hint = "; --split-host-usage lets them share what their host uses" if cpu or memory else ""
    yield f"Of {len(running):,} running VMs {told[0]} and {told[1]}{hint}"


def _of(count: int, what: str) -> str:
    return f"{count:,} have no {what} figure" if count else f"all have a {what} figure"
