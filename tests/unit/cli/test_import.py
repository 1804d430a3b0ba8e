"""`balancer import` from the command line: the snapshot on standard output or in a file, the rest on stderr."""

import json
import sys
from pathlib import Path

import pytest

from balancer.adapters.files import read_snapshot
from balancer.cli.app import Session, run_command_line
from tests.support.govc import cluster_xml, host_xml, vm_xml, write_dump
from tests.support.rvtools import host_row, of_vm, vm_row, write_folder, write_workbook


def run(*arguments: str | Path) -> int:
    return run_command_line(["import", *map(str, arguments)], Session())


def test_an_export_becomes_a_file_from_which_plans_are_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sheets = {
        "vHost": [host_row(1, **{"# VMs": 2}), host_row(2, **{"# VMs": 0})],
        "vInfo": [vm_row(1, 1), vm_row(2, 1), vm_row(3, 9)],
    }
    folder, output = write_folder(tmp_path / "f", sheets), tmp_path / "s.json"
    assert run("rvtools", folder, "--split-host-usage", "--output", output) == 0
    out, err = capfd.readouterr()
    assert out == ""
    told = " ".join(err.split())
    assert told.startswith("cluster prod: 2 hosts, 2 VMs, 2 running, as of")
    assert "vm_on_unknown_host, once: a VM stands on a host that is not listed" in told
    assert "column 'Host': vm3 stands on 'esx9'" in told
    assert "Assumed, not measured: 2 VMs got a share" in told
    assert len(read_snapshot(output).vms) == 2
    assert (
        run_command_line(["lab", "whatif", "--snapshot", str(output), "--add-host", "1"], Session())
        == 1
    )
    assert "1 of 3 running VMs show no figures" in capfd.readouterr().err


def test_without_a_file_the_snapshot_goes_to_standard_output_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sheets = {"vHost": [host_row(1)], "vInfo": [vm_row(1, 1)], "vCPU": [of_vm(1, 1, Overall=9)]}
    assert run("rvtools", write_folder(tmp_path / "f", sheets)) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["vms"][0]["cpu_usage_mhz"] == 9
    assert "--split-host-usage lets them share" in " ".join(err.split())


def test_notes_keep_to_the_width_of_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "f", {"vInfo": [vm_row(1, 1)], "vHost": [host_row(1)]})
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("rvtools", folder, "--output", tmp_path / "s.json") == 0
    notes = capsys.readouterr().err.splitlines()[1:]
    assert 50 < max(map(len, notes)) <= 60


def test_an_export_is_not_written_over_by_its_snapshot(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    export = write_workbook(tmp_path / "x.xlsx", {"vInfo": [vm_row(1, 1)], "vHost": [host_row(1)]})
    before = export.read_bytes()
    assert run("rvtools", export, "--output", export) == 1
    assert "x.xlsx cannot be written: this command reads it." in capfd.readouterr().err
    assert export.read_bytes() == before


def test_a_workbook_is_known_by_what_is_in_it_and_not_by_its_name(tmp_path: Path) -> None:
    export = write_workbook(tmp_path / "x.bin", {"vInfo": [vm_row(1, 1)], "vHost": [host_row(1)]})
    assert run("rvtools", export, "--output", tmp_path / "s.json") == 0


def test_a_refused_file_ends_with_1_and_writes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sheets = {"vHost": [host_row(1, Speed="")], "vInfo": [vm_row(1, 1)]}
    output = tmp_path / "s.json"
    assert run("rvtools", write_folder(tmp_path / "f", sheets), "--output", output) == 1
    assert not output.exists()
    assert "host_capacity, once" in capfd.readouterr().err


def test_a_dump_becomes_a_snapshot(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_dump(tmp_path / "d", cluster_xml("host-1"), host_xml(1, "vm-1"), vm_xml(1, 1))
    assert run("govc", folder, "--output", tmp_path / "s.json") == 0
    assert read_snapshot(tmp_path / "s.json").vms[0].name == "vm1"
    assert run("govc", folder, "--cluster", "other") == 1
    assert "has no cluster 'other'. It has: prod" in capfd.readouterr().err


def test_hostile_names_in_a_file_can_do_no_harm_to_a_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sheets = {"vHost": [host_row(1)], "vInfo": [vm_row(1, 1), vm_row(2, 9, VM="\x1b[31mx")]}
    folder = write_folder(tmp_path / "f", sheets)
    assert run("rvtools", folder) == 0
    assert "\x1b" not in capfd.readouterr().err
    sheets["vHost"] = [host_row(1, Speed="\x1b[31m")]
    assert run("rvtools", write_folder(folder, sheets)) == 1
    assert "\x1b" not in capfd.readouterr().err
