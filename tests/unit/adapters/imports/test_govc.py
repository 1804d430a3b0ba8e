"""Dumps of `govc object.save` become snapshots; broken, missing and double objects are named with file and line."""

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from balancer.adapters.files import parse_snapshot, snapshot_bytes
from balancer.adapters.imports import Findings, Imported, ImportRefused, ImportRule
from balancer.adapters.imports.govc import import_govc
from balancer.model.errors import BalancerError, NotFound
from balancer.model.host import HostState
from balancer.model.rule import RuleType
from balancer.model.vm import Blocker, Disk
from tests.support.govc import (
    cluster_xml,
    datastore_xml,
    host_xml,
    object_xml,
    ref,
    text,
    vm_xml,
    whole,
    write_dump,
)

RULE = (
    '<rule i:type="ClusterAntiAffinityRuleSpec" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
    "<key>1</key><enabled>true</enabled><name>apart</name>"
    f"{ref('VirtualMachine', 'vm-1', 'vm')}{ref('VirtualMachine', 'vm-2', 'vm')}</rule>"
)
DISK = (
    '<device i:type="VirtualDisk" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><key>2000</key>'
    '<backing i:type="VirtualDiskFlatVer2BackingInfo"><fileName>[san] a.vmdk</fileName>'
    f"{ref('Datastore', 'ds-1', 'datastore')}<diskMode>persistent</diskMode></backing>"
    "<capacityInKB>2048</capacityInKB></device>"
)
TASK = object_xml(
    "Task",
    "task-1",
    {
        "info": whole(
            "TaskInfo",
            "<descriptionId>HostSystem.enterMaintenanceMode</descriptionId>"
            f"{ref('HostSystem', 'host-2', 'entity')}<state>running</state>",
        )
    },
)


def two_hosts(*others: str, vms: tuple[str, ...] = ("vm-1", "vm-2")) -> list[str]:
    return [
        cluster_xml("host-1", "host-2", rules=RULE),
        host_xml(1, *vms),
        host_xml(2),
        datastore_xml("host-1"),
        *others,
    ]


def dumped(tmp_path: Path, *objects: str) -> Imported:
    return import_govc([write_dump(tmp_path / "dump", *objects)])


def refused(tmp_path: Path, *objects: str) -> Findings:
    with pytest.raises(ImportRefused) as caught:
        dumped(tmp_path, *objects)
    return caught.value.findings


def told(findings: Findings, rule: ImportRule) -> list[str]:
    return [f"{item.where}: {item.found}" for item in findings.items if item.rule is rule]


def test_a_dump_becomes_a_snapshot_as_a_vcenter_would(tmp_path: Path) -> None:
    imported = dumped(tmp_path, *two_hosts(vm_xml(1, 1, devices=DISK), vm_xml(2, 1), TASK))
    found = imported.snapshot
    assert not imported.findings.items
    assert [host.id for host in found.hosts] == ["host-1", "host-2"]
    assert found.hosts[0].cpu_capacity_mhz == 40_000.0
    assert found.hosts[0].cpu_usage_mhz == 9000.0
    assert found.hosts[1].state is HostState.ENTERING_MAINTENANCE
    assert [host.datastores for host in found.hosts] == [{"ds-1"}, frozenset()]
    vm = found.vms[0]
    assert (vm.vcpus, vm.memory_mib, vm.uuid) == (4, 16384.0, "uuid-1")
    assert (vm.cpu_usage_mhz, vm.memory_active_mib, vm.cpu_demand_mhz) == (900.0, 2048.0, None)
    assert vm.disks == (Disk(datastore="ds-1", capacity_mib=2.0),)
    (rule,) = found.rules
    assert (rule.type, rule.vms) == (RuleType.ANTI_AFFINITY, ("vm-1", "vm-2"))
    assert found.cluster.drs.enabled
    assert found.cluster.ha.enabled
    assert parse_snapshot(snapshot_bytes(found), name="x") == found


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_a_packed_dump_is_the_same(tmp_path: Path, kind: str) -> None:
    folder = write_dump(tmp_path / "dump", *two_hosts(vm_xml(1, 1), vm_xml(2, 1)))
    packed = tmp_path / f"dump.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"dump/{file.name}")
    else:
        with tarfile.open(packed, "w:gz" if kind == "tgz" else "w") as tar:
            tar.add(folder, "dump")
    first, second = (import_govc([path]).snapshot for path in (folder, packed))
    assert (second.hosts, second.vms, second.rules) == (first.hosts, first.vms, first.rules)


def test_several_files_count_as_one_dump(tmp_path: Path) -> None:
    objects = two_hosts(vm_xml(1, 1), vm_xml(2, 1))
    parts = [write_dump(tmp_path / "a", *objects[:3]), write_dump(tmp_path / "b", *objects[3:])]
    assert len(import_govc(parts).snapshot.vms) == 2


def test_files_of_other_classes_and_other_names_are_passed_over(tmp_path: Path) -> None:
    folder = write_dump(tmp_path / "dump", *two_hosts(vm_xml(1, 1), vm_xml(2, 1)))
    (folder / "notes.xml").write_text("<no", encoding="utf-8")
    (folder / "0099-PerformanceManager-PerfMgr.xml").write_text("<no", encoding="utf-8")
    assert not import_govc([folder]).findings.items


def test_one_of_several_clusters_must_be_named(tmp_path: Path) -> None:
    other = cluster_xml("host-9", name=text("test")).replace("domain-c1", "domain-c2")
    folder = write_dump(tmp_path / "d", *two_hosts(vm_xml(1, 1), vm_xml(2, 1), other))
    with pytest.raises(NotFound, match="2 clusters: prod, test"):
        import_govc([folder])
    assert import_govc([folder], "prod").snapshot.cluster.id == "domain-c1"


@pytest.mark.parametrize(
    ("change", "rule", "place"),
    [
        (
            lambda xml: xml[:300],
            ImportRule.TRUNCATED_FILE,
            "0004-VirtualMachine-vm-1.xml line ",
        ),
        (
            lambda xml: xml.replace("</numCpu>", "</numCpus>"),
            ImportRule.UNREADABLE_FILE,
            "0004-VirtualMachine-vm-1.xml line 5: mismatched tag",
        ),
        (
            lambda xml: f'<!DOCTYPE a [<!ENTITY b "c">]>{xml}',
            ImportRule.UNREADABLE_FILE,
            "line 1: it has a document type",
        ),
        (
            lambda xml: "<a>" * 5000,
            ImportRule.UNREADABLE_FILE,
            "line 1: elements are nested too deeply",
        ),
        (
            lambda xml: "",
            ImportRule.TRUNCATED_FILE,
            "0004-VirtualMachine-vm-1.xml line 1",
        ),
        (
            lambda xml: xml.replace("ObjectContent", "Envelope"),
            ImportRule.UNREADABLE_FILE,
            "'Envelope' is no ObjectContent",
        ),
        (
            lambda xml: xml.replace("<numCpu>4<", "<numCpu>-4<"),
            ImportRule.VM_SIZE,
            "0004-VirtualMachine-vm-1.xml line 5: summary.config.numCpu of vm-1: -4 is not within",
        ),
        (
            lambda xml: xml.replace("<memorySizeMB>16384<", "<memorySizeMB>17179869184<"),
            ImportRule.VM_SIZE,
            "summary.config.memorySizeMB of vm-1: 17,179,869,184 is not within",
        ),
    ],
    ids=["cut", "mismatched", "document type", "deep", "empty", "no object", "negative", "absurd"],
)
def test_what_cannot_be_mended_is_refused_with_file_and_line(
    tmp_path: Path, change: Callable[[str], str], rule: ImportRule, place: str
) -> None:
    folder = write_dump(tmp_path / "dump", *two_hosts(vm_xml(1, 1), vm_xml(2, 1)))
    file = folder / "0004-VirtualMachine-vm-1.xml"
    file.write_text(change(file.read_text("utf-8")), encoding="utf-8")
    with pytest.raises(ImportRefused) as caught:
        import_govc([folder])
    assert any(place in line for line in told(caught.value.findings, rule)), str(caught.value)


def test_a_host_with_an_absurd_capacity_is_refused(tmp_path: Path) -> None:
    findings = refused(tmp_path, cluster_xml("host-1"), host_xml(1, mhz=-1))
    assert told(findings, ImportRule.HOST_CAPACITY) == [
        "0001-HostSystem-host-1.xml line 6: summary.hardware.cpuMhz of host-1: -1 is not within 400 to 10,000"
    ]


def test_missing_hosts_and_a_missing_cluster_are_named(tmp_path: Path) -> None:
    findings = refused(tmp_path, cluster_xml("host-1", "host-2"), host_xml(1))
    assert told(findings, ImportRule.MISSING_PART) == [
        "0000-ClusterComputeResource-domain-c1.xml: host host-2 of the cluster has no file"
    ]
    with pytest.raises(ImportRefused, match="no file of a ClusterComputeResource among 1 objects"):
        import_govc([write_dump(tmp_path / "other", host_xml(1))])


def test_two_files_of_one_object_are_one_or_refused(tmp_path: Path) -> None:
    objects = two_hosts(vm_xml(1, 1), vm_xml(2, 1), vm_xml(1, 1))
    assert told(dumped(tmp_path, *objects).findings, ImportRule.DUPLICATE_ROW) == [
        "0006-VirtualMachine-vm-1.xml: vm-1 is also in 0004-VirtualMachine-vm-1.xml"
    ]
    findings = refused(tmp_path, *objects[:-1], vm_xml(1, 1, cpus=8))
    assert len(told(findings, ImportRule.DUPLICATE_OBJECT)) == 1


def test_vms_without_a_file_and_unreadable_ones_count_as_not_read(tmp_path: Path) -> None:
    odd = vm_xml(
        2,
        1,
        devices='<device i:type="VirtualToaster" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"/>',
    )
    imported = dumped(tmp_path, *two_hosts(vm_xml(1, 1), odd, vms=("vm-1", "vm-2", "vm-3")))
    assert imported.snapshot.source.rejected_objects == 2
    assert imported.snapshot.vms[1].blockers == (Blocker.INACCESSIBLE,)
    assert told(imported.findings, ImportRule.VMS_MISSING) == [
        "0001-HostSystem-host-1.xml: VM vm-3 has no file"
    ]
    (line,) = told(imported.findings, ImportRule.UNREADABLE_OBJECT)
    assert line.startswith("0005-VirtualMachine-vm-2.xml line 6: config.hardware.device")


@pytest.mark.parametrize(
    ("stats", "rule"),
    [
        ("<overallCpuUsage>-7</overallCpuUsage>", ImportRule.NEGATIVE_FIGURE),
        ("<overallCpuUsage>2000000000</overallCpuUsage>", ImportRule.ABSURD_FIGURE),
        ("<overallCpuUsage>fast</overallCpuUsage>", ImportRule.UNREADABLE_OBJECT),
    ],
)
def test_wrong_figures_are_unknown_and_told(tmp_path: Path, stats: str, rule: ImportRule) -> None:
    imported = dumped(tmp_path, *two_hosts(vm_xml(1, 1, stats=stats), vm_xml(2, 1)))
    assert imported.snapshot.vms[0].cpu_usage_mhz is None
    assert {item.rule for item in imported.findings.items} == {rule}


def test_no_data_of_vsphere_is_unknown_without_a_word(tmp_path: Path) -> None:
    vm = vm_xml(1, 1, stats="<overallCpuUsage>-1</overallCpuUsage>")
    imported = dumped(tmp_path, *two_hosts(vm, vm_xml(2, 1)))
    assert imported.snapshot.vms[0].cpu_usage_mhz is None
    assert not imported.findings.items


def test_vms_of_one_uuid_are_kept_without_it(tmp_path: Path) -> None:
    twin = vm_xml(2, 1).replace("uuid-2", "uuid-1")
    imported = dumped(tmp_path, *two_hosts(vm_xml(1, 1), twin))
    assert [vm.uuid for vm in imported.snapshot.vms] == [None, None]
    assert len(told(imported.findings, ImportRule.DUPLICATE_UUID)) == 2


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    folder = write_dump(tmp_path / "dump", *two_hosts(vm_xml(1, 1)))
    packed = tmp_path / "dump.tgz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(folder, "dump")
    content = packed.read_bytes()
    packed.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImportRefused, match=r"dump\.tgz"):
        import_govc([packed])


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("balancer.adapters.imports.archive.MOST_BYTES", 500)
    findings = refused(tmp_path, cluster_xml("host-1"))
    assert told(findings, ImportRule.UNREADABLE_FILE) == [
        "0000-ClusterComputeResource-domain-c1.xml: too large, allowed: 256 MiB"
    ]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BalancerError, match="no such file or folder"):
        import_govc([tmp_path / "nowhere"])
