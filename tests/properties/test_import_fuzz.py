"""Whatever is done to a file: an import gives a snapshot, or an error that names the file; never a traceback."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.adapters.files import parse_snapshot, snapshot_bytes
from balancer.adapters.imports import Imported, import_rvtools
from balancer.adapters.imports.govc import import_govc
from balancer.model.errors import BalancerError
from tests.support.govc import cluster_xml, host_xml, vm_xml, write_dump
from tests.support.rvtools import host_row, of_vm, vm_row, write_folder

LAW = settings(max_examples=80, deadline=None, derandomize=True)
SHEETS = {
    "vHost": [host_row(1, **{"# VMs": 2}), host_row(2, **{"# VMs": 0})],
    "vInfo": [vm_row(1, 1), vm_row(2, 1, Path="[san] a/b.vmx")],
    "vCPU": [of_vm(1, 1, Overall=100, Limit=-1), of_vm(2, 1, Overall="1,000")],
    "vMemory": [of_vm(1, 1, Active=1024, Consumed=2048)],
    "vCluster": [{"Name": "prod", "HA enabled": "True", "DRS vmotion rate": 3}],
}
OBJECTS = (cluster_xml("host-1"), host_xml(1, "vm-1"), vm_xml(1, 1))
JUNK = st.sampled_from(
    (
        b"",
        b",",
        b'"',
        b"\n",
        b"-1",
        b"nan",
        b"1e999",
        b"\xff\xfe",
        b"\x00",
        b"<",
        b"</val>",
        b"&#0;",
        b"9" * 400,
    )
)
edits = st.lists(
    st.tuples(st.integers(0, 10), st.floats(0.0, 1.0), st.integers(0, 30), JUNK),
    min_size=1,
    max_size=3,
)


def edited(folder: Path, changes: list[tuple[int, float, int, bytes]]) -> Path:
    """Put junk at some places of some files, each over a number of bytes."""
    files = sorted(folder.iterdir())
    for number, share, length, junk in changes:
        file = files[number % len(files)]
        content = file.read_bytes()
        at = int(share * len(content))
        file.write_bytes(content[:at] + junk + content[at + length :])
    return folder


def is_sound(make: Callable[[], Imported], place: str) -> bool:
    """Whether a snapshot comes of it that can be written and read, or an error that names the file."""
    try:
        found = make().snapshot
    except BalancerError as err:
        return place in str(err)
    return parse_snapshot(snapshot_bytes(found), name="x") == found


@LAW
@given(edits)
def test_an_export_that_anything_was_done_to(
    changes: list[tuple[int, float, int, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = edited(write_folder(Path(place) / "f", SHEETS), changes)
        assert is_sound(lambda: import_rvtools(folder, "prod", split_host_usage=True), place)


@LAW
@given(edits)
def test_a_dump_that_anything_was_done_to(
    changes: list[tuple[int, float, int, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = edited(write_dump(Path(place) / "d", *OBJECTS), changes)
        assert is_sound(lambda: import_govc([folder], "prod"), place)
