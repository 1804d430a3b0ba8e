"""Dumps of `govc object.save` as snapshots: which files are read, what is wrong in them, and which cluster.

The translation of objects is the same as for a live vCenter (`adapters.vsphere`); here it is only told, object by
object, what could not be used.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from balancer.adapters.imports.archive import Piece, pieces
from balancer.adapters.imports.evc_modes import EVC_MODES
from balancer.adapters.imports.findings import Findings, ImportRefused, ImportRule
from balancer.adapters.imports.outcome import Imported, chosen
from balancer.adapters.vsphere.dump import PATHS, SERVICE, About, BrokenFile, Read, read_object
from balancer.adapters.vsphere.dump_snapshot import Dump, snapshot_of
from balancer.adapters.vsphere.facts import Facts
from balancer.model.snapshot import Snapshot

_NAME = re.compile(r"^\d+-(?P<kind>[A-Za-z]+)-.+\.xml$")
_VM, _HOST, _CLUSTER = "VirtualMachine", "HostSystem", "ClusterComputeResource"
_NOTES = (
    (
        "Not in a dump of govc object.save, and so not in the snapshot: tags, statistics over time, how fast VMs "
        "dirty their memory, and figures that are 0, which govc leaves out: these are not known"
    ),
    "The order of EVC modes is that of the published list, as the server's own is not in the dump",
)

# Least and greatest value that is believed; what is outside is refused or unknown. Source of the greatest sizes:
# VMware, "ESXi configuration maximums", vSphere 8.
_BELIEVED: Mapping[str, Mapping[str, tuple[float, float]]] = {
    _HOST: {
        "summary.hardware.cpuMhz": (400, 10_000),
        "summary.hardware.numCpuCores": (1, 2048),
        "summary.hardware.memorySize": (2**30, 2**46),
        "summary.quickStats.overallCpuUsage": (0, 10_000_000),
        "summary.quickStats.overallMemoryUsage": (0, 2**26),
    },
    _VM: {
        "summary.config.numCpu": (1, 1024),
        "summary.config.memorySizeMB": (4, 2**25),
        "summary.quickStats.overallCpuUsage": (0, 10_000_000),
        "summary.quickStats.overallCpuDemand": (0, 10_000_000),
        "summary.quickStats.guestMemoryUsage": (0, 2**25),
        "summary.quickStats.hostMemoryUsage": (0, 2**25),
        "summary.quickStats.swappedMemory": (0, 2**25),
        "summary.quickStats.balloonedMemory": (0, 2**25),
    },
}
_NO_DATA = -1


@dataclass(slots=True)
class _Reading:
    """What has been read so far: objects by class and id, the file of each, and the newest time of a file."""

    findings: Findings
    objects: dict[str, dict[str, Facts]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    about: About = field(default_factory=About)
    newest: datetime = datetime.min.replace(tzinfo=UTC)


def import_govc(paths: Sequence[Path], cluster: str | None = None) -> Imported:
    """Return one cluster of a dump: folders, tar or zip files, or single XML files, read together.

    Raises:
        ImportRefused: something cannot be mended; everything that was found is told.
        NotFound: no such cluster, or several and none was named.
        BalancerError: there is no such file.
    """
    subject, reading = ", ".join(map(str, paths)), _Reading(Findings())
    for path in paths:
        for piece in pieces(path, _is_wanted, reading.findings):
            _take(piece, reading)
    _check_parts(subject, reading)
    dump = Dump(objects=reading.objects, about=reading.about, taken_at=reading.newest)
    found = _chosen(dump, cluster, subject) if not reading.findings.refuses else None
    snapshot = _snapshot(dump, found, reading) if found else None
    if reading.findings.refuses or snapshot is None:
        raise ImportRefused(subject, reading.findings)
    return Imported(snapshot=snapshot, findings=reading.findings, notes=_NOTES)


def _is_wanted(name: str) -> bool:
    match = _NAME.match(name)
    return match is not None and (match["kind"] in PATHS or match["kind"] == SERVICE)


def _take(piece: Piece, reading: _Reading) -> None:
    """Read one file and keep its object."""
    complain = partial(_complain, piece.name, reading.findings)
    try:
        read = read_object(piece.content, complain)
    except BrokenFile as err:
        rule = ImportRule.TRUNCATED_FILE if err.is_cut else ImportRule.UNREADABLE_FILE
        reading.findings.tell(rule, f"{piece.name} line {err.line}", err.found)
        return
    reading.newest = max(reading.newest, piece.written_at)
    if isinstance(read, About):
        reading.about = read
    elif read is not None:
        _keep(_believed(read, piece.name, reading.findings), piece.name, reading)


def _complain(name: str, findings: Findings, line: int, found: str) -> None:
    findings.tell(ImportRule.UNREADABLE_OBJECT, f"{name} line {line}", found)


def _keep(facts: Facts, name: str, reading: _Reading) -> None:
    known = reading.objects.setdefault(facts.kind, {})
    if facts.id in known:
        is_same = known[facts.id] == facts
        rule = ImportRule.DUPLICATE_ROW if is_same else ImportRule.DUPLICATE_OBJECT
        reading.findings.tell(rule, name, f"{facts.id} is also in {reading.files[facts.id]}")
        return
    known[facts.id] = facts
    reading.files[facts.id] = name


def _believed(read: Read, name: str, findings: Findings) -> Facts:
    """Return the facts without figures that cannot be; sizes and capacities among them refuse the import."""
    facts = read.facts
    wrong = dict(_wrong(facts))
    for path, found in wrong.items():
        where = f"{name} line {read.lines[path]}"
        findings.tell(_rule_of(facts, path), where, f"{path} of {facts.id}: {found}")
    values = {path: value for path, value in facts.values.items() if path not in wrong}
    return Facts(id=facts.id, kind=facts.kind, values=values)


def _wrong(facts: Facts) -> Iterator[tuple[str, str]]:
    for path, (least, most) in _BELIEVED.get(facts.kind, {}).items():
        value = facts.values.get(path)
        if value is None or (value == _NO_DATA and "quickStats" in path):
            continue
        if not least <= value <= most:
            yield path, f"{value:,} is not within {least:,} to {most:,}"


def _rule_of(facts: Facts, path: str) -> ImportRule:
    if "quickStats" in path:
        is_negative = facts.values[path] < 0
        return ImportRule.NEGATIVE_FIGURE if is_negative else ImportRule.ABSURD_FIGURE
    if facts.kind == _HOST:
        return ImportRule.HOST_CAPACITY
    runs = facts.text("runtime.powerState") == "poweredOn"
    return ImportRule.VM_SIZE if runs else ImportRule.VM_OFF_WITHOUT_SIZE


def _check_parts(subject: str, reading: _Reading) -> None:
    if reading.findings.refuses or reading.objects.get(_CLUSTER):
        return
    count = sum(map(len, reading.objects.values()))
    found = f"no file of a {_CLUSTER} among {count:,} objects; files are called NNNN-CLASS-ID.xml"
    reading.findings.tell(ImportRule.MISSING_PART, subject, found)


def _chosen(dump: Dump, cluster: str | None, subject: str) -> Facts:
    """Return the cluster that is meant. Of several with one name, those are called by their ids."""
    all_clusters = dump.of(_CLUSTER)
    counts = Counter(facts.text("name") or facts.id for facts in all_clusters)
    by_name = {
        facts.id if counts[name := facts.text("name") or facts.id] > 1 else name: facts
        for facts in all_clusters
    }
    return by_name[chosen(sorted(by_name), cluster, subject)]


def _snapshot(dump: Dump, cluster: Facts, reading: _Reading) -> Snapshot | None:
    findings = reading.findings
    place = reading.files[cluster.id]
    for host in sorted(cluster.refs("host") - dump.objects.get(_HOST, {}).keys()):
        findings.tell(ImportRule.MISSING_PART, place, f"host {host} of the cluster has no file")
    if not dump.hosts_in(cluster.id):
        findings.tell(ImportRule.NO_HOST, place, f"cluster '{cluster.text('name')}'")
    snapshot = snapshot_of(dump, cluster, EVC_MODES)
    if snapshot is None:
        found = "its configurationEx or summary is missing or cannot be read"
        findings.tell(ImportRule.MISSING_PART, place, found)
        return None
    unread = snapshot.source.rejected_objects + _tell_lost(dump, cluster, snapshot, reading)
    source = replace(snapshot.source, rejected_objects=unread)
    return _told_apart(replace(snapshot, source=source), reading)


def _told_apart(snapshot: Snapshot, reading: _Reading) -> Snapshot:
    uuids = Counter(vm.uuid for vm in snapshot.vms if vm.uuid)
    twins = {vm.id for vm in snapshot.vms if vm.uuid and uuids[vm.uuid] > 1}
    for vm in snapshot.vms:
        if vm.id in twins:
            found = f"{vm.uuid}, {vm.name}"
            reading.findings.tell(ImportRule.DUPLICATE_UUID, reading.files[vm.id], found)
    if not twins:
        return snapshot
    vms = (replace(vm, uuid=None) if vm.id in twins else vm for vm in snapshot.vms)
    return replace(snapshot, vms=tuple(vms))


def _tell_lost(dump: Dump, cluster: Facts, snapshot: Snapshot, reading: _Reading) -> int:
    """Tell of objects that are not, or not whole, in the snapshot; return how many VMs have no file."""
    findings, hosts = reading.findings, dump.hosts_in(cluster.id)
    for host in hosts:
        if host.id not in snapshot.host_by_id:
            found = f"host {host.id} has no processors, memory or connection state"
            findings.tell(ImportRule.UNREADABLE_OBJECT, reading.files[host.id], found)
    vms = dump.vms_on(host.id for host in hosts)
    for vm in vms:
        is_template = vm.flag("summary.config.template") is True
        if vm.id not in snapshot.vm_by_id and not is_template:
            found = f"VM {vm.id} has no power state, size, or host that is whole"
            findings.tell(ImportRule.UNREADABLE_OBJECT, reading.files[vm.id], found)
    known = {vm.id for vm in dump.of(_VM)}
    lost = list(_without_file(hosts, known))
    for place, key in lost:
        findings.tell(ImportRule.VMS_MISSING, reading.files[place], f"VM {key} has no file")
    return len(lost)


def _without_file(hosts: Iterable[Facts], known: set[str]) -> Iterator[tuple[str, str]]:
    for host in hosts:
        for key in sorted(host.refs("vm") - known):
            yield host.id, key
