"""Small made-up RVTools exports: rows with defaults, written as csv files or as a workbook."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook

Cells = dict[str, Any]
Sheets = Mapping[str, Sequence[Cells]]


def host_row(number: int, **cells: Any) -> Cells:
    """Return a row of vHost: esxN of cluster prod, 16 cores of 2,500 MHz, 256 GiB, half of both in use."""
    plain = {
        "Host": f"esx{number}",
        "Datacenter": "DC",
        "Cluster": "prod",
        "CPU Model": "Intel(R) Xeon(R) Gold 6148",
        "Speed": 2500,
        "# CPU": 2,
        "Cores per CPU": 8,
        "# Cores": 16,
        "CPU usage %": 50,
        "# Memory": 262144,
        "Memory usage %": 50,
        "in Maintenance Mode": False,
        "# VMs": 1,
        "Object ID": f"host-{number}",
    }
    return plain | cells


def vm_row(number: int, on: int, **cells: Any) -> Cells:
    """Return a row of vInfo: vmN on esx`on`, 4 vCPUs and 16 GiB, running."""
    plain = {
        "VM": f"vm{number}",
        "Powerstate": "poweredOn",
        "Template": False,
        "CPUs": 4,
        "Memory": 16384,
        "Datacenter": "DC",
        "Cluster": "prod",
        "Host": f"esx{on}",
        "VM ID": f"vm-{number}",
        "VM UUID": f"uuid-{number}",
    }
    return plain | cells


def of_vm(number: int, on: int, **cells: Any) -> Cells:
    """Return a row of another sheet about vmN."""
    return {"VM": f"vm{number}", "Host": f"esx{on}", "VM ID": f"vm-{number}"} | cells


def csv_bytes(rows: Sequence[Cells], *, delimiter: str = ",") -> bytes:
    """Return rows as a csv file; the columns are those of the first row, then further ones as they come."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    headers = list(dict.fromkeys(key for row in rows for key in row))
    writer.writerow(headers)
    writer.writerows([row.get(key, "") for key in headers] for row in rows)
    return text.getvalue().encode()


def write_folder(folder: Path, sheets: Sheets) -> Path:
    """Write sheets as RVTools' csv files into a folder, and return it."""
    folder.mkdir(exist_ok=True)
    for name, rows in sheets.items():
        (folder / f"RVTools_tab{name}.csv").write_bytes(csv_bytes(rows))
    return folder


def write_workbook(path: Path, sheets: Sheets) -> Path:
    """Write sheets as a workbook, and return its path."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        headers = list(dict.fromkeys(key for row in rows for key in row))
        sheet.append(headers)
        for row in rows:
            sheet.append([row.get(key) for key in headers])
    book.save(path)
    return path
