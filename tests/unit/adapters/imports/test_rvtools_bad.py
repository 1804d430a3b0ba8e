"""Bad RVTools exports: everything wrong is named with sheet, row and column, and mended by a rule or refused."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters.imports import Imported, ImportRefused, ImportRule, import_rvtools
from balancer.adapters.imports.columns import TABS, Tab
from balancer.adapters.imports.findings import TREATMENTS, Findings
from tests.support.rvtools import csv_bytes, host_row, of_vm, vm_row, write_folder, write_workbook

GOOD: dict[str, Any] = {"vInfo": [vm_row(1, 1)], "vHost": [host_row(1)]}


def mended(tmp_path: Path, **sheets: Any) -> Imported:
    return import_rvtools(write_folder(tmp_path / "export", GOOD | sheets))


def refused(tmp_path: Path, **sheets: Any) -> ImportRefused:
    with pytest.raises(ImportRefused) as caught:
        mended(tmp_path, **sheets)
    return caught.value


def places(findings: Findings, rule: ImportRule) -> list[str]:
    return [f"{item.where}: {item.found}" for item in findings.items if item.rule is rule]


@pytest.mark.parametrize(
    ("sheets", "rule", "place"),
    [
        (
            {"vInfo": [vm_row(1, 1, CPUs="")]},
            ImportRule.VM_SIZE,
            "RVTools_tabvInfo.csv row 2, column 'CPUs': vm1: nothing is written",
        ),
        (
            {"vInfo": [vm_row(1, 1, CPUs=-4)]},
            ImportRule.VM_SIZE,
            "column 'CPUs': vm1: -4 is not within 1 to 1,024",
        ),
        (
            {"vInfo": [vm_row(1, 1, Memory=0)]},
            ImportRule.VM_SIZE,
            "vm1: 0 is not within 4 to 33,554,432",
        ),
        (
            {"vInfo": [vm_row(1, 1, CPUs=1.5)]},
            ImportRule.VM_SIZE,
            "column 'CPUs': vm1: 1.5",
        ),
        (
            {"vInfo": [vm_row(1, 1, Memory="much")]},
            ImportRule.VM_SIZE,
            "column 'Memory': vm1: 'much' is no number",
        ),
        (
            {"vInfo": [vm_row(1, 1, Memory=1e12)]},
            ImportRule.VM_SIZE,
            "column 'Memory': vm1: 1e+12",
        ),
        (
            {"vInfo": [vm_row(1, 1, Powerstate="on?")]},
            ImportRule.UNKNOWN_POWER_STATE,
            "column 'Powerstate': 'on?'",
        ),
        (
            {"vHost": [host_row(1, **{"# Cores": 0})]},
            ImportRule.HOST_CAPACITY,
            "RVTools_tabvHost.csv row 2, column '# Cores': host esx1: 0 is not within",
        ),
        (
            {"vHost": [host_row(1, Speed=2.5)]},
            ImportRule.UNIT_DOES_NOT_FIT,
            "column 'Speed': host esx1: 2.5 is not within 400 to 10,000",
        ),
        (
            {"vHost": [host_row(1, **{"# Memory": 256})]},
            ImportRule.UNIT_DOES_NOT_FIT,
            "column '# Memory': host esx1: 256",
        ),
        (
            {"vHost": [host_row(1), host_row(1, Speed=3000)]},
            ImportRule.DUPLICATE_HOST,
            "row 3, column 'Host': esx1 is also at RVTools_tabvHost.csv row 2",
        ),
        (
            {"vHost": [host_row(1), host_row(2, **{"Object ID": "host-1"})]},
            ImportRule.DUPLICATE_HOST,
            "row 3: esx2 has the id host-1 of esx1",
        ),
        (
            {"vInfo": [vm_row(1, 1), vm_row(2, 1, **{"VM ID": "vm-1"})]},
            ImportRule.DUPLICATE_OBJECT,
            "row 3, column 'VM ID': vm2 has the id vm-1 of RVTools_tabvInfo.csv row 2",
        ),
        (
            {"vInfo": [vm_row(1, 8), vm_row(2, 9)]},
            ImportRule.NO_VM_PLACED,
            "none of 2 VMs stands on a host that RVTools_tabvHost.csv lists. VMs stand on 'esx8', 'esx9'",
        ),
        (
            {"vInfo": [{"VM": "x", "Host": "esx1"}]},
            ImportRule.MISSING_COLUMN,
            "RVTools_tabvInfo.csv: no column 'Powerstate' or 'Power State'",
        ),
    ],
)
def test_what_cannot_be_mended_is_refused_at_its_place(
    tmp_path: Path, sheets: dict[str, Any], rule: ImportRule, place: str
) -> None:
    error = refused(tmp_path, **sheets)
    assert any(place in told for told in places(error.findings, rule)), str(error)
    assert place.rpartition(": ")[0] in str(error)


@pytest.mark.parametrize(
    ("sheets", "rule", "place"),
    [
        (
            {"vCPU": [of_vm(1, 1, Overall=-5)]},
            ImportRule.NEGATIVE_FIGURE,
            "RVTools_tabvCPU.csv row 2, column 'Overall': -5",
        ),
        (
            {"vCPU": [of_vm(1, 1, Overall=16_001)]},
            ImportRule.ABSURD_FIGURE,
            "column 'Overall': 16001, at most 16000 can be",
        ),
        (
            {"vMemory": [of_vm(1, 1, Active=20_000)]},
            ImportRule.ABSURD_FIGURE,
            "RVTools_tabvMemory.csv row 2, column 'Active': 20000",
        ),
        (
            {"vMemory": [of_vm(1, 1, Active="many")]},
            ImportRule.NOT_A_NUMBER,
            "column 'Active': 'many'",
        ),
        (
            {"vCPU": [of_vm(1, 1, Overall=5), of_vm(7, 1, Overall=5)]},
            ImportRule.ROW_WITHOUT_VM,
            "RVTools_tabvCPU.csv row 3, column 'VM': 'vm7' is not in vInfo",
        ),
        (
            {"vPort": [{"Switch": "vSwitch0", "Port Group": "lan"}]},
            ImportRule.SHEET_LEFT_OUT,
            "RVTools_tabvPort.csv: no column 'Host'",
        ),
        (
            {"vHost": [host_row(1, **{"CPU usage %": 140})]},
            ImportRule.ABSURD_FIGURE,
            "column 'CPU usage %': 140",
        ),
        (
            {"vHost": [host_row(1), host_row(1)]},
            ImportRule.DUPLICATE_ROW,
            "row 3, column 'Host': esx1 is also at",
        ),
        (
            {"vInfo": [vm_row(1, 1), vm_row(1, 1)]},
            ImportRule.DUPLICATE_ROW,
            "RVTools_tabvInfo.csv row 3, column 'VM': also at RVTools_tabvInfo.csv row 2",
        ),
        (
            {"vInfo": [vm_row(1, 1), vm_row(2, 1, **{"VM UUID": "uuid-1"})]},
            ImportRule.DUPLICATE_UUID,
            "row 2, column 'VM UUID': uuid-1, vm1",
        ),
        (
            {"vInfo": [vm_row(1, 1), vm_row(2, 1, VM="vm1")]},
            ImportRule.DUPLICATE_NAME,
            "row 3, column 'VM': vm1 (vm-2)",
        ),
        (
            {"vInfo": [vm_row(1, 1), vm_row(2, 9)]},
            ImportRule.VM_ON_UNKNOWN_HOST,
            "row 3, column 'Host': vm2 stands on 'esx9'",
        ),
        (
            {"vInfo": [vm_row(1, 1), vm_row(2, 1, Powerstate="poweredOff", Memory=0)]},
            ImportRule.VM_OFF_WITHOUT_SIZE,
            "row 3, column 'Memory': vm2: 0",
        ),
        (
            {"vHost": [host_row(1, **{"# VMs": 9})]},
            ImportRule.VMS_MISSING,
            "RVTools_tabvHost.csv row 2: esx1 runs 9 VMs, listed are 1",
        ),
        (
            {"vInfo": [vm_row(1, 1, Memory="16.384")]},
            ImportRule.GROUPED_NUMBER,
            "column 'Memory': '16.384'",
        ),
        (
            {"vInfo": [vm_row(1, 1, Memory="16 GB")]},
            ImportRule.UNIT_IN_CELL,
            "column 'Memory': '16 GB'",
        ),
        (
            {
                "vHost": [
                    host_row(1, **{"Current EVC": "a"}),
                    host_row(2, **{"Current EVC": "b", "# VMs": 0}),
                ]
            },
            ImportRule.EVC_DIFFERS,
            "RVTools_tabvHost.csv row 2: a, b",
        ),
    ],
)
def test_what_can_be_mended_is_and_is_told_with_its_place(
    tmp_path: Path, sheets: dict[str, Any], rule: ImportRule, place: str
) -> None:
    imported = mended(tmp_path, **sheets)
    assert {item.rule for item in imported.findings.items} == {rule}
    assert any(place in told for told in places(imported.findings, rule))


def test_wrong_figures_are_unknown_and_what_cannot_be_placed_counts_as_not_read(
    tmp_path: Path,
) -> None:
    imported = mended(
        tmp_path,
        vInfo=[vm_row(1, 1), vm_row(2, 9), vm_row(3, 9, Powerstate="poweredOff")],
        vHost=[host_row(1, **{"# VMs": 5})],
        vCPU=[of_vm(1, 1, Overall=-5)],
    )
    (vm,) = imported.snapshot.vms
    assert vm.cpu_usage_mhz is None
    assert imported.snapshot.source.rejected_objects == 1 + 4


@pytest.mark.parametrize(
    ("sheet", "cells", "place"),
    [
        (
            "vInfo",
            {"Memory": 16},
            "vInfo.csv, column 'Memory': the largest of 5 running VMs has 16 MiB",
        ),
        (
            "vCPU",
            {"Overall": 2},
            "vCPU.csv, column 'Overall': VMs use 10 MHz together, their hosts 20,000",
        ),
        ("vMemory", {"Consumed": 9}, "vMemory.csv, column 'Consumed': VMs use 45 MiB together"),
    ],
)
def test_units_that_do_not_fit_are_seen_in_all_figures_together(
    tmp_path: Path, sheet: str, cells: dict[str, int], place: str
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        "vInfo": [vm_row(n, 1) for n in range(1, 6)],
        "vCPU": [of_vm(n, 1, Overall=900) for n in range(1, 6)],
        "vMemory": [of_vm(n, 1, Consumed=9000) for n in range(1, 6)],
        "vHost": [host_row(1, **{"# VMs": 5})],
    }
    assert not mended(tmp_path, **rows).findings.items
    rows[sheet] = [row | cells for row in rows[sheet]]
    (found,) = places(refused(tmp_path, **rows).findings, ImportRule.UNIT_DOES_NOT_FIT)
    assert place in found


def test_vms_of_one_uuid_are_kept_without_it(tmp_path: Path) -> None:
    rows = [vm_row(1, 1), vm_row(2, 1, **{"VM UUID": "uuid-1"}), vm_row(3, 1)]
    found = mended(tmp_path, vInfo=rows).snapshot
    assert [vm.uuid for vm in found.vms] == [None, None, "uuid-3"]


def test_vms_that_nothing_tells_apart_keep_their_sizes_and_lose_their_figures(
    tmp_path: Path,
) -> None:
    twin = {k: v for k, v in vm_row(1, 1).items() if "ID" not in k}
    usage = {"VM": "vm1", "Host": "esx1", "Overall": 9}
    found = mended(tmp_path, vInfo=[twin, twin | {"Memory": 4096}], vCPU=[usage, usage]).snapshot
    assert [vm.id for vm in found.vms] == ["vm1", "vm1#2"]
    assert [vm.cpu_usage_mhz for vm in found.vms] == [None, None]


def test_a_custom_attribute_named_like_a_column_does_not_take_its_place(tmp_path: Path) -> None:
    rows = (vm_row(1, 1), host_row(1))
    vinfo = csv_bytes([rows[0]]).replace(b"VM,Powerstate", b"Host,VM,Powerstate")
    vinfo = vinfo.replace(b"vm1,poweredOn", b"mine,vm1,poweredOn")
    (tmp_path / "vInfo.csv").write_bytes(vinfo)
    (tmp_path / "vHost.csv").write_bytes(csv_bytes([rows[1]]))
    imported = import_rvtools(tmp_path)
    assert [vm.host for vm in imported.snapshot.vms] == ["host-1"]
    assert places(imported.findings, ImportRule.DUPLICATE_COLUMN) == ["vInfo.csv: column 'Host'"]


def test_all_that_is_wrong_is_told_at_once_by_rule_with_counts(tmp_path: Path) -> None:
    rows = [vm_row(n, 1, CPUs="?") for n in range(1, 6)] + [vm_row(6, 9)]
    error = refused(tmp_path, vInfo=rows, vHost=[host_row(1, Speed="", **{"# Memory": -1})])
    told = str(error)
    assert "host_capacity, 2 times" in told
    assert "vm_on_unknown_host, once" in told, "VMs of a refused host are not its fault"
    assert "vm_size" not in told
    error = refused(tmp_path, vInfo=rows)
    told = str(error)
    assert "vm_size, 5 times" in told
    assert "and 2 more" in told
    assert "would have been mended:\n  vm_on_unknown_host, once" in told


def test_a_folder_of_other_files_and_a_single_sheet_say_what_to_name(tmp_path: Path) -> None:
    (tmp_path / "vms.csv").write_text("vm,host\n")
    with pytest.raises(
        ImportRefused, match=r"the folder has vms\.csv, and files of RVTools are called"
    ):
        import_rvtools(tmp_path)
    folder = write_folder(tmp_path / "export", GOOD)
    with pytest.raises(
        ImportRefused, match=r"one csv file is one sheet: name the folder, or a zip,"
    ):
        import_rvtools(folder / "RVTools_tabvInfo.csv")


def test_missing_sheets_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "RVTools_tabvCPU.csv").write_bytes(csv_bytes([of_vm(1, 1, Overall=1)]))
    with pytest.raises(ImportRefused) as caught:
        import_rvtools(tmp_path)
    assert "no sheet vInfo; of those that are read there are: vCPU" in str(caught.value)
    assert "no sheet vHost" in str(caught.value)


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        (lambda b: b[: b.rindex(b",")], "truncated_file, once"),
        (lambda b: b.replace(b"poweredOn", b'"poweredOn'), "RVTools_tabvInfo.csv line"),
        (lambda b: b"", "there is no header"),
        (lambda b: b.replace(b"poweredOn", b"powered,On"), "wrong_width, once"),
    ],
    ids=["last row cut", "open quote", "empty", "a cell too many"],
)
def test_a_csv_file_that_is_not_whole_is_refused(tmp_path: Path, cut: Any, told: str) -> None:
    folder = write_folder(tmp_path / "f", GOOD)
    file = folder / "RVTools_tabvInfo.csv"
    file.write_bytes(cut(file.read_bytes()))
    with pytest.raises(ImportRefused, match=told):
        import_rvtools(folder)


def test_a_file_that_is_not_utf_8_is_read_as_windows_wrote_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", GOOD)
    file = folder / "RVTools_tabvInfo.csv"
    file.write_bytes(file.read_bytes().replace(b"vm1,", b"b\xfcro,"))
    imported = import_rvtools(folder)
    assert imported.snapshot.vms[0].name == "büro"
    assert [item.rule for item in imported.findings.items] == [ImportRule.ENCODING]


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_workbook_that_is_not_whole_is_refused(tmp_path: Path, share: float) -> None:
    book = write_workbook(tmp_path / "b.xlsx", GOOD)
    content = book.read_bytes()
    book.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImportRefused, match=r"b\.xlsx: ends too early"):
        import_rvtools(book)


def test_a_workbook_with_a_broken_sheet_is_refused_with_its_name(tmp_path: Path) -> None:
    book = write_workbook(tmp_path / "b.xlsx", GOOD)
    broken = tmp_path / "c.xlsx"
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            cut = 200 if name.endswith("sheet1.xml") else None
            new.writestr(name, old.read(name)[:cut])
    with pytest.raises(ImportRefused, match=r"c\.xlsx"):
        import_rvtools(broken)


def test_a_small_file_that_would_become_a_large_one_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("balancer.adapters.imports.tables.MOST_BYTES", 1000)
    packed = tmp_path / "f.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("RVTools_tabvInfo.csv", b"0" * 5000)
    with pytest.raises(ImportRefused, match=r"RVTools_tabvInfo\.csv is too large unpacked"):
        import_rvtools(packed)


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ({"Notes": "", "Power State now": ""}, "not read there are 'Power State now', 'Notes'"),
        ({f"Field {n}": "" for n in range(11)}, "'Field 8', 'Field 9', ..."),
        ({}, "it has no other columns than those that are read"),
    ],
    ids=["alike first", "eleven", "none"],
)
def test_a_missing_column_is_told_with_those_that_it_may_be(
    tmp_path: Path, others: dict[str, str], told: str
) -> None:
    row = {key: value for key, value in vm_row(1, 1).items() if key != "Powerstate"}
    (found,) = places(refused(tmp_path, vInfo=[row | others]).findings, ImportRule.MISSING_COLUMN)
    assert found.startswith("RVTools_tabvInfo.csv: no column 'Powerstate' or 'Power State'; ")
    assert found.endswith(told)


@pytest.mark.parametrize("tab", TABS[2:-1], ids=lambda tab: tab.name)
def test_a_sheet_that_may_be_missing_and_lacks_a_column_is_as_good_as_none(
    tmp_path: Path, tab: Tab
) -> None:
    needed = [column.names[0] for column in tab.columns if column.is_required]
    time = {"vMetaData": [{"creation datetime": "2026-11-20 08:30:00"}]}
    imported = mended(tmp_path, **time, **{tab.name: [{"Remark": "x"}]})
    without = mended(tmp_path / "export", **time)
    told = places(imported.findings, ImportRule.SHEET_LEFT_OUT)
    assert needed
    assert [name for name in needed if not any(f"no column '{name}'" in t for t in told)] == []
    assert (imported.snapshot, imported.notes) == (without.snapshot, without.notes)


@pytest.mark.parametrize(
    ("vms", "refuses"),
    [
        ([vm_row(1, 9)], True),
        ([vm_row(1, 9, Cluster="elsewhere")], True),
        ([vm_row(1, 9), vm_row(2, 2, Cluster="test")], True),
        ([vm_row(1, 9, Cluster="elsewhere"), vm_row(2, 2, Cluster="test")], False),
        ([vm_row(2, 2, Cluster="test")], False),
        ([vm_row(1, 1, Powerstate="poweredOff"), vm_row(2, 9)], False),
        ([vm_row(1, 9, Template="True")], False),
    ],
    ids=["own", "no cluster", "another has VMs", "a third", "empty", "one is left", "template"],
)
def test_a_cluster_is_empty_only_where_no_vm_has_lost_its_host(
    tmp_path: Path, vms: list[dict[str, Any]], refuses: bool
) -> None:
    sheets = {"vHost": [host_row(1, **{"# VMs": 0}), host_row(2, Cluster="test")], "vInfo": vms}
    folder = write_folder(tmp_path / "f", sheets)
    if refuses:
        with pytest.raises(ImportRefused, match="no_vm_placed, once"):
            import_rvtools(folder, "prod")
        return
    assert "none runs: there is nothing to move" in import_rvtools(folder, "prod").notes[0]


def test_vms_of_no_listed_host_and_cluster_are_left_out_and_told(tmp_path: Path) -> None:
    rows = [vm_row(1, 1), vm_row(2, 9, Cluster=""), vm_row(3, 8, Cluster="far"), vm_row(4, 1)]
    imported = mended(tmp_path, vInfo=rows)
    (note,) = [note for note in imported.notes if note.startswith("VMs left out")]
    assert "cluster: 2, the first at RVTools_tabvInfo.csv row 3; hosts 'esx9', 'esx8'" in note
    assert not any(note.startswith("VMs left out") for note in mended(tmp_path).notes)
    assert [vm.name for vm in imported.snapshot.vms] == ["vm1", "vm4"]


def test_a_vm_that_does_not_run_and_has_no_size_at_all_counts_once(tmp_path: Path) -> None:
    rows = [vm_row(1, 1), vm_row(2, 1, Powerstate="poweredOff", CPUs=0, Memory=0)]
    told = places(mended(tmp_path, vInfo=rows).findings, ImportRule.VM_OFF_WITHOUT_SIZE)
    assert told == ["RVTools_tabvInfo.csv row 3, column 'CPUs': vm2: 0 is not within 1 to 1,024"]


def test_every_rule_has_a_treatment() -> None:
    assert set(TREATMENTS) == set(ImportRule)
