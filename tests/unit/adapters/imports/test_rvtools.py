"""RVTools exports become snapshots: which sheets and columns are read, and what stays unknown."""

import json
import os
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from balancer.adapters.files import parse_snapshot, snapshot_bytes
from balancer.adapters.imports import Imported, import_rvtools
from balancer.adapters.imports.evc_modes import EVC_MODES
from balancer.model.errors import BalancerError, NotFound
from balancer.model.host import HostState
from balancer.model.snapshot import Snapshot, Statistics
from balancer.model.vm import Automation, Blocker, PowerState, Vm
from tests.support.rvtools import csv_bytes, host_row, of_vm, vm_row, write_folder, write_workbook

SCHEMA = Path("balancer/schemas/snapshot.v1.schema.json")


def export(tmp_path: Path, **sheets: Any) -> Imported:
    plain = {"vInfo": [vm_row(1, 1)], "vHost": [host_row(1)]}
    return import_rvtools(write_folder(tmp_path / "export", plain | sheets))


def one_vm(tmp_path: Path, **sheets: Any) -> Vm:
    (found,) = export(tmp_path, **sheets).snapshot.vms
    return found


def test_hosts_have_their_capacity_and_what_they_use(tmp_path: Path) -> None:
    rows = [host_row(1, **{"in Maintenance Mode": "True", "# VMs": 0}), host_row(2)]
    found = export(tmp_path, vHost=rows, vInfo=[vm_row(1, 2)]).snapshot
    first, second = found.hosts
    assert (second.id, second.name, second.cpu_cores) == ("host-2", "esx2", 16)
    assert (second.cpu_capacity_mhz, second.memory_capacity_mib) == (40_000.0, 262_144.0)
    assert (second.cpu_usage_mhz, second.memory_usage_mib) == (20_000.0, 131_072.0)
    assert (first.state, second.state) == (HostState.MAINTENANCE, HostState.CONNECTED)
    assert second.cpu_vendor == "intel"


def test_a_vm_without_figures_has_none_and_never_0(tmp_path: Path) -> None:
    imported = export(tmp_path)
    (vm,) = imported.snapshot.vms
    figures = (vm.cpu_usage_mhz, vm.cpu_demand_mhz, vm.memory_active_mib, vm.memory_consumed_mib)
    assert figures == (None, None, None, None)
    assert "1 have no CPU figure and 1 have no memory figure" in imported.notes[0]


def test_figures_and_settings_come_from_the_sheets_of_cpu_and_memory(tmp_path: Path) -> None:
    vm = one_vm(
        tmp_path,
        vCPU=[of_vm(1, 1, Overall=1234, Reservation=500, Limit=-1, Shares=4000)],
        vMemory=[
            of_vm(
                *(1, 1),
                Active=2048,
                Consumed=9000,
                Swapped=1,
                Ballooned=2,
                **{"Reservation": 0, "Limit": 8192, "Memory Reservation Locked To Max": True},
            )
        ],
    )
    assert (vm.cpu_usage_mhz, vm.cpu_reservation_mhz, vm.cpu_limit_mhz) == (1234.0, 500.0, None)
    assert (vm.memory_active_mib, vm.memory_consumed_mib) == (2048.0, 9000.0)
    assert (vm.memory_swapped_mib, vm.memory_ballooned_mib) == (1.0, 2.0)
    assert (vm.memory_reservation_mib, vm.memory_limit_mib) == (16384.0, 8192.0)


def test_figures_of_a_vm_that_does_not_run_are_none(tmp_path: Path) -> None:
    vm = one_vm(
        tmp_path,
        vInfo=[vm_row(1, 1, Powerstate="suspended")],
        vCPU=[of_vm(1, 1, Overall=7)],
    )
    assert (vm.power, vm.cpu_usage_mhz) == (PowerState.SUSPENDED, None)


@pytest.mark.parametrize(
    ("header", "value", "mib"),
    [
        ("Memory", 4096, 4096.0),
        ("Memory MB", "4,096", 4096.0),
        ("Memory MiB", "4096.0", 4096.0),
        ("memory (GiB)", 4, 4096.0),
        ("Memory [KB]", 4 * 2**20, 4096.0),
        ("Memory Size", "4 GB", 4096.0),
    ],
)
def test_columns_are_found_by_any_name_and_unit(
    tmp_path: Path, header: str, value: object, mib: float
) -> None:
    row = vm_row(1, 1)
    del row["Memory"]
    assert one_vm(tmp_path, vInfo=[row | {header: value}]).memory_mib == mib


def test_an_export_of_an_older_version_without_ids_is_joined_by_name_and_host(
    tmp_path: Path,
) -> None:
    vm = {key: value for key, value in vm_row(1, 1).items() if "ID" not in key}
    host = {key: value for key, value in host_row(1).items() if key != "Object ID"}
    found = export(
        tmp_path, vInfo=[vm], vHost=[host], vCPU=[{"VM": "vm1", "Host": "esx1", "Overall": 9}]
    ).snapshot
    assert (found.hosts[0].id, found.vms[0].id, found.vms[0].cpu_usage_mhz) == (
        *("esx1", "vm1"),
        9.0,
    )


def test_workbook_folder_and_zip_give_the_same_snapshot(tmp_path: Path) -> None:
    sheets = {
        "vInfo": [vm_row(1, 1), vm_row(2, 1, VM="büro, süd")],
        "vHost": [host_row(1, **{"# VMs": 2})],
        "vMetaData": [{"xlsx creation datetime": "2026-11-20 08:30:00"}],
    }
    folder = write_folder(tmp_path / "f", sheets)
    packed = tmp_path / "f.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"inside/{file.name}")
    book = write_workbook(tmp_path / "b.xlsx", sheets)
    first, *others = (import_rvtools(path).snapshot for path in (folder, packed, book))
    assert first.taken_at == datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    assert others == [first, first]


@pytest.mark.parametrize("time", [None, "20.11.2026 08:30"])
def test_without_a_time_of_its_own_an_export_has_that_of_the_file_and_that_is_told(
    tmp_path: Path, time: str | None
) -> None:
    sheets = {"vInfo": [vm_row(1, 1)], "vHost": [host_row(1)]}
    if time:
        sheets["vMetaData"] = [{"creation datetime": time}]
    folder = write_folder(tmp_path / "f", sheets)
    os.utime(folder, (0, 86_400))
    imported = import_rvtools(folder)
    assert imported.snapshot.taken_at == datetime(1970, 1, 2, tzinfo=UTC)
    (note,) = [note for note in imported.notes if "vMetaData" in note]
    assert "counts as written when f was last changed, 1970-01-02 00:00 UTC" in note


def test_the_time_in_an_export_needs_no_word(tmp_path: Path) -> None:
    imported = export(tmp_path, vMetaData=[{"creation datetime": "2026-11-20 08:30:00"}])
    assert not any("vMetaData" in note for note in imported.notes)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_files_with_any_usual_delimiter_are_read(tmp_path: Path, delimiter: str) -> None:
    for name, rows in (("vInfo", [vm_row(1, 1)]), ("vHost", [host_row(1)])):
        (tmp_path / f"{name}.csv").write_bytes(csv_bytes(rows, delimiter=delimiter))
    assert len(import_rvtools(tmp_path).snapshot.vms) == 1


def test_one_of_several_clusters_must_be_named(tmp_path: Path) -> None:
    sheets = {
        "vInfo": [vm_row(1, 1), vm_row(2, 2, Cluster="test")],
        "vHost": [host_row(1), host_row(2, Cluster="test"), host_row(3, Cluster="")],
    }
    folder = write_folder(tmp_path / "f", sheets)
    with pytest.raises(NotFound, match="2 clusters: prod, test"):
        import_rvtools(folder)
    with pytest.raises(NotFound, match="no cluster 'x'"):
        import_rvtools(folder, "x")
    found = import_rvtools(folder, "test")
    assert [vm.id for vm in found.snapshot.vms] == ["vm-2"]
    assert any("outside of clusters are left out: 1" in note for note in found.notes)


def test_clusters_of_one_name_are_told_apart_by_their_datacenter(tmp_path: Path) -> None:
    sheets = {
        "vInfo": [vm_row(1, 1), vm_row(2, 2, Datacenter="B")],
        "vHost": [host_row(1), host_row(2, Datacenter="B")],
        "vCluster": [{"Name": "prod", "DRS enabled": "True"}],
    }
    folder = write_folder(tmp_path / "f", sheets)
    with pytest.raises(NotFound, match="B/prod, DC/prod"):
        import_rvtools(folder)
    imported = import_rvtools(folder, "B/prod")
    assert [host.name for host in imported.snapshot.hosts] == ["esx2"]
    assert not imported.snapshot.cluster.drs.enabled
    assert any("DRS and HA count as off" in note for note in imported.notes)


def test_templates_and_placeholders_are_left_out(tmp_path: Path) -> None:
    rows = [
        vm_row(1, 1),
        vm_row(2, 1, Template="True"),
        vm_row(3, 1, **{"SRM Placeholder": "True"}),
    ]
    assert [vm.id for vm in export(tmp_path, vInfo=rows).snapshot.vms] == ["vm-1"]


def test_the_cluster_has_its_drs_ha_and_evc(tmp_path: Path) -> None:
    settings = {
        "Name": "prod",
        "HA enabled": "True",
        "Failover Level": 1,
        "AdmissionControlEnabled": "True",
        "DRS enabled": "True",
        "DRS default VM behavior": "fullyAutomated",
        "DRS vmotion rate": 3,
    }
    hosts = [host_row(1, **{"Current EVC": "intel-broadwell", "Max EVC": "intel-skylake"})]
    vms = [vm_row(1, 1, **{"min Required EVC Mode Key": "intel-merom"})]
    found = export(tmp_path, vCluster=[settings], vHost=hosts, vInfo=vms).snapshot
    assert (found.cluster.ha.enabled, found.cluster.ha.host_failures_to_tolerate) == (True, 1)
    assert found.cluster.drs.automation is Automation.FULLY_AUTOMATED
    assert (found.cluster.evc_mode, found.vms[0].min_evc_mode) == ("intel-broadwell", None)


def test_without_evc_the_modes_of_hosts_and_vms_can_be_compared(tmp_path: Path) -> None:
    hosts = [host_row(1, **{"Max EVC": "intel-skylake"})]
    vms = [vm_row(1, 1, **{"min Required EVC Mode Key": "intel-haswell"})]
    found = export(tmp_path, vHost=hosts, vInfo=vms).snapshot
    assert found.hosts[0].max_evc_mode == "intel-skylake"
    assert found.vms[0].min_evc_mode == "intel-haswell"
    assert {mode.key for mode in found.cluster.evc_modes} >= {"intel-haswell", "intel-skylake"}


def test_the_order_of_evc_modes_in_the_guide_is_the_one_that_is_used() -> None:
    guide = Path("docs/operate/import.md").read_text(encoding="utf-8")
    rows = [row for row in guide.splitlines() if row.startswith(("| Intel |", "| AMD |"))]
    assert re.findall(r"`([^`]+)`", "".join(rows)) == [mode.key for mode in EVC_MODES]


def places(tmp_path: Path) -> Snapshot:
    return export(
        tmp_path,
        vHost=[host_row(1, **{"# VMs": 0}), host_row(2)],
        vInfo=[vm_row(1, 2, Path="[san] vm1/vm1.vmx")],
        vDatastore=[
            {
                "Name": "san",
                "Type": "VMFS",
                "Capacity MiB": 9,
                "Free MiB": 4,
                "Hosts": "esx1, esx2",
            },
            {"Name": "own", "Type": "VMFS", "Hosts": "esx2"},
        ],
        vDisk=[of_vm(1, 2, **{"Disk Path": "[own] vm1/vm1.vmdk"})],
        vNetwork=[of_vm(1, 2, Network="lan"), of_vm(1, 2, Network="dv")],
        vPort=[{"Host": "esx2", "Port Group": "lan"}, {"Host": "esx1", "Port Group": "other"}],
    ).snapshot


def test_datastores_and_networks_of_hosts_and_vms_are_read(tmp_path: Path) -> None:
    found = places(tmp_path)
    assert [host.datastores for host in found.hosts] == [{"san"}, {"san", "own"}]
    assert [host.networks for host in found.hosts] == [{"other", "dv"}, {"lan", "dv"}]
    assert found.vms[0].datastores == {"san", "own"}
    assert found.vms[0].networks == {"lan", "dv"}


def test_where_no_sheet_tells_of_places_every_host_reaches_all_and_that_is_told(
    tmp_path: Path,
) -> None:
    imported = export(tmp_path)
    assert imported.snapshot.hosts[0].datastores is None
    assert imported.snapshot.hosts[0].networks is None
    assert any("every host counts as reaching every datastore" in note for note in imported.notes)


@pytest.mark.parametrize(
    ("sheets", "blocker"),
    [
        ({"vInfo": [vm_row(1, 1, **{"FT State": "running"})]}, Blocker.FAULT_TOLERANCE),
        ({"vInfo": [vm_row(1, 1, **{"Consolidation Needed": "True"})]}, Blocker.CONSOLIDATING),
        (
            {"vInfo": [vm_row(1, 1, **{"Latency Sensitivity": "high"})]},
            Blocker.LATENCY_SENSITIVE_PINNED,
        ),
        ({"vInfo": [vm_row(1, 1, **{"Connection state": "orphaned"})]}, Blocker.INACCESSIBLE),
        ({"vUSB": [of_vm(1, 1, Connected="True")]}, Blocker.USB_DEVICE),
        (
            {"vCD": [of_vm(1, 1, **{"Connected": "True", "Device Type": "Host device"})]},
            Blocker.HOST_LOCAL_CDROM,
        ),
        (
            {"vCD": [of_vm(1, 1, **{"Connected": "True", "Device Type": "ISO [x] a.iso"})]},
            Blocker.LOCAL_CDROM_BACKING,
        ),
        ({"vDisk": [of_vm(1, 1, **{"Shared Bus": "physicalSharing"})]}, Blocker.SHARED_SCSI_BUS),
        ({"vNetwork": [of_vm(1, 1, Adapter="Sriov")]}, Blocker.SRIOV),
    ],
    ids=lambda value: value if isinstance(value, Blocker) else "",
)
def test_what_holds_a_vm_is_read(tmp_path: Path, sheets: dict[str, Any], blocker: Blocker) -> None:
    assert one_vm(tmp_path, **sheets).blockers == (blocker,)


def test_vms_under_rules_that_the_export_does_not_describe_are_told(tmp_path: Path) -> None:
    imported = export(tmp_path, vInfo=[vm_row(1, 1, **{"Cluster rule name(s)": "apart"})])
    assert imported.snapshot.vms[0].attributes == {"Cluster rule name(s)": "apart"}
    assert any("1 VMs are under DRS rules" in note for note in imported.notes)


def test_columns_that_a_sheet_lacks_are_named(tmp_path: Path) -> None:
    imported = export(tmp_path, vCPU=[of_vm(1, 1, Reservation=0)])
    (note,) = [note for note in imported.notes if note.startswith("vCPU lacks")]
    assert "'Overall', 'Limit', 'Shares'" in note


def test_host_usage_is_split_over_vms_without_figures_only_where_asked(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path / "f",
        {
            "vInfo": [vm_row(1, 1), vm_row(2, 1, CPUs=2, Memory=49152), vm_row(3, 1)],
            "vHost": [host_row(1, **{"# VMs": 3, "CPU usage %": 25})],
            "vCPU": [of_vm(3, 1, Overall=4000)],
            "vMemory": [of_vm(3, 1, Consumed=16384, Active=100)],
        },
    )
    imported = import_rvtools(folder, split_host_usage=True)
    first, second, third = imported.snapshot.vms
    assert (first.cpu_usage_mhz, second.cpu_usage_mhz) == (4000.0, 2000.0)
    assert third.cpu_usage_mhz == 4000.0
    assert (first.memory_consumed_mib, second.memory_consumed_mib) == (16384.0, 49152.0)
    assert first.memory_active_mib is None
    assert "Assumed, not measured: 2 VMs got a share" in imported.notes[-1]


def test_what_is_written_is_a_snapshot_file_of_the_public_schema(tmp_path: Path) -> None:
    found = places(tmp_path)
    content = snapshot_bytes(found)
    jsonschema.validate(json.loads(content), json.loads(SCHEMA.read_bytes()))
    assert parse_snapshot(content, name="x") == found
    assert found.source.statistics is Statistics.QUICK_STATS


def test_what_is_no_export_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(BalancerError, match="no such file or folder"):
        import_rvtools(tmp_path / "nowhere")
    with pytest.raises(BalancerError, match="no csv and no xlsx file"):
        import_rvtools(tmp_path)
