"""What cannot be mended is refused with file, row and column, several problems at once."""

import gzip
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balancer.adapters.simulated.trace import make_hosts
from balancer.adapters.traces import read_hosts, read_placement, read_trace
from balancer.model.errors import InputError
from balancer.model.units import HostId
from tests.support.traces import PLAIN, trace_folder

Files = Mapping[str, str | bytes | None]

ROWS = range(60)


def packed(name: str) -> bytes:
    return gzip.compress(PLAIN[name].encode())


def many(cpu: float, memory: float) -> Files:
    """Return 60 rows of two VMs, so that units can be judged."""
    return {
        "cpu_mhz__csv": "slot,a,b\n" + "".join(f"{slot},{cpu},{cpu}\n" for slot in ROWS),
        "mem_active_mib__csv": "slot,a,b\n" + "".join(f"{n},{memory},{memory}\n" for n in ROWS),
    }


CASES: Mapping[str, tuple[Files, str]] = {
    "no CPU": ({"cpu_mhz__csv": None}, "there is no cpu_mhz.csv in this folder"),
    "no memory": (
        {"mem_active_mib__csv": None},
        "where it is not known: mem_pct.csv like the file of CPU, with 25 in every cell",
    ),
    "no sizes": ({"vms__csv": None}, "the sizes of the VMs are missing"),
    "one file twice": (
        {"cpu_mhz__csv__gz": packed("cpu_mhz.csv")},
        "holds cpu_mhz.csv, cpu_mhz.csv.gz; allowed: one of them",
    ),
    "an empty file": ({"cpu_mhz__csv": "\n\n"}, "cpu_mhz.csv: is empty"),
    "names alone": ({"cpu_mhz__csv": "slot,a,b\n"}, "a row of names and no row of figures"),
    "no names": (
        {"cpu_mhz__csv": "0,100,200\n1,2,3\n"},
        "row 1: has figures where the names belong",
    ),
    "one VM twice": ({"cpu_mhz__csv": "slot,a,a\n0,1,2\n"}, "row 1, column 3: VM a is named twice"),
    "a VM without a name": ({"cpu_mhz__csv": "slot,a,\n0,1,2\n"}, "row 1, column 3: has no name"),
    "no commas": ({"cpu_mhz__csv": "slot;a;b\n0;1;2\n"}, "row 1 has one cell"),
    "a cell that is no number": (
        {"cpu_mhz__csv": "slot,a,b\n0,100,2oo\n"},
        "row 2, column b: '2oo'; allowed: a number, or an empty cell for no sample; write it",
    ),
    "a row that is too short": (
        {"cpu_mhz__csv": "slot,a,b\n0,100\n1,1,2\n"},
        "row 2: has 2 cells; allowed: 3 cells",
    ),
    "a last row that is too short": (
        {"cpu_mhz__csv": "slot,a,b\n0,100,200\n1,11"},
        "row 3: has 2 cells: the file seems to be cut short",
    ),
    "packed data that is cut": (
        {"cpu_mhz__csv": None, "cpu_mhz__csv__gz": packed("cpu_mhz.csv")[:-9]},
        "cpu_mhz.csv.gz: is cut short",
    ),
    "no packed data": (
        {"cpu_mhz__csv": None, "cpu_mhz__csv__gz": b"slot,a\n"},
        "is no gzip file, or damaged",
    ),
    "not UTF-8": (
        {"cpu_mhz__csv": b"slot,a,b\n0,1,2\n1,\xff,2\n"},
        "row 3: byte 0xff is not UTF-8",
    ),
    "NUL bytes": ({"cpu_mhz__csv": "slot,a,b\n0,1,\0\n"}, "row 2: holds a NUL byte"),
    "a slot that is none": (
        {"cpu_mhz__csv": "slot,a,b\n0,1,2\n1.5,1,2\n"},
        "row 3, column slot: '1.5'; allowed: a slot number",
    ),
    "times in a column of slots": (
        {"cpu_mhz__csv": "slot,a,b\n2024-03-01T00:05:00,1,2\n"},
        "row 2, column slot: '2024-03-01T00:05:00'; allowed: a slot number from 0 to 100000000; for times",
    ),
    "packed data under another name": (
        {"cpu_mhz__csv": packed("cpu_mhz.csv")},
        "is not UTF-8; by its content its name ends with .csv.gz: rename it",
    ),
    "Parquet under another name": (
        {"cpu_mhz__csv": b"PAR1\0\0"},
        "holds a NUL byte; by its content its name ends with .parquet: rename it",
    ),
    "a time that is none": (
        {"cpu_mhz__csv": "time,a,b\nyesterday,1,2\n"},
        "row 2, column time: 'yesterday'; allowed: an ISO 8601 time",
    ),
    "a slot far away": (
        {"cpu_mhz__csv": "slot,a,b\n0,1,2\n1,1,2\n99999,1,2\n"},
        "row 4, column slot: '99999' stands far from the other times",
    ),
    "percent for MHz": (many(37.5, 500), "no VM ever wants more than 37.5: that is percent or GHz"),
    "kHz for MHz": (many(900_000, 500), "100% of the figures are above twice what"),
    "KiB for MiB": (many(500, 900_000), "above twice the VMs' sizes; allowed: MiB; KiB"),
    "bytes for MiB": (many(500, 2.0**31), "above twice the VMs' sizes; allowed: MiB; bytes"),
    "percent for MiB": (
        many(500, 12.5),
        "no VM ever touches more than 12.5: that is percent or GiB",
    ),
    "shares for percent": (
        {
            **many(0.4, 500),
            "cpu_pct__csv": many(0.4, 500)["cpu_mhz__csv"],
            "cpu_mhz__csv": None,
        },
        "no figure is above 0.4: these are shares of 1, not percent",
    ),
    "GiB for sizes": (
        {"vms__csv": "vm,vcpus,mem_mib\na,2,4\nb,4,8\n"},
        "no VM has more than 8 MiB: these are GiB",
    ),
    "bytes for sizes": (
        {"vms__csv": "vm,vcpus,mem_mib\na,2,4294967296\nb,4,8192\n"},
        "row 2, column mem_mib: '4294967296'; allowed: a number from 4 to 33554432 MiB; GiB: mult",
    ),
    "no processors": (
        {"vms__csv": "vm,vcpus,mem_mib\na,0,4096\nb,4,8192\n"},
        "row 2, column vcpus: '0'; allowed: a whole number from 1 to 1024",
    ),
    "a VM sized twice": (
        {"vms__csv": "vm,vcpus,mem_mib\na,1,4096\na,4,8192\n"},
        "row 3, column vm: VM 'a' is named twice",
    ),
    "a VM without a size": ({"vms__csv": "vm,vcpus,mem_mib\na,2,4096\n"}, "VM b: has no size in"),
    "sizes without a column": (
        {"vms__csv": "vm,mem_mib\na,4096\n"},
        "there is no column vcpus; there are vm, mem_mib; allowed: columns vm, vcpus, mem_mib or mem_mb",
    ),
    "sizes without memory": (
        {"vms__csv": "vm,vcpus\na,2\n"},
        "row 1: there is no column mem_mib; there are vm, vcpus",
    ),
    "half a processor": (
        {"vms__csv": "vm,vcpus,mem_mib\na,1.5,4096\nb,4,8192\n"},
        "row 2, column vcpus: '1.5'; allowed: a whole number from 1 to 1024",
    ),
    "other VMs in memory": (
        {"mem_active_mib__csv": "slot,a,c\n0,1,2\n"},
        "row 1: 2 VMs in one of the two files only: b, c; allowed: the VMs of cpu_mhz.csv",
    ),
    "memory of another time": (
        {"mem_active_mib__csv": "slot,a,b\n900,1,2\n901,1,2\n"},
        "has a figure for 0 of 6 samples of CPU",
    ),
    "a speed that is none": (
        {"provisioned_changes__csv": "vm,slot,vcpus,cpu_mhz,mem_mb\na,0,2,fast,4096\n"},
        "row 2, column cpu_mhz: 'fast'",
    ),
    "no figure at all": (
        {"cpu_mhz__csv": "slot,a,b\n0,,\n1,NaN,\n"},
        "no sample of CPU is left: of 4 cells 0 hold a figure",
    ),
    "figures that are all impossible": (
        {"cpu_mhz__csv": "slot,a,b\n0,-1,-2\n1,1e9,\n"},
        "of 4 cells 3 hold a figure, and each of those is below 0 or absurd; allowed: figures from",
    ),
    "speeds in GHz": (
        {"vms__csv": "vm,vcpus,cpu_mhz,mem_mib\na,2,5.2,4096\nb,4,10.4,8192\n"},
        "no VM has more than 10.4 MHz: these are GHz, not MHz",
    ),
    "sizes without a row": (
        {"vms__csv": "vm,vcpus,mem_mib\n"},
        "VM a: has no size in vms.csv",
    ),
    "VMs that are never on": (
        {
            "vms__csv": None,
            "provisioned_changes__csv": "vm,slot,vcpus,cpu_mhz,mem_mb\na,0,2,0,4096\n",
        },
        "VM a: has no size in vms.csv, and none while it is on in provisioned_changes.csv",
    ),
    "no Parquet": (
        {"cpu_mhz__csv": None, "cpu_mhz__parquet": b"PAR1abc"},
        "is no Parquet file, or cut",
    ),
}


@pytest.mark.parametrize(("files", "words"), CASES.values(), ids=CASES)
def test_it_is_refused_with_its_place(files: Files, words: str, tmp_path: Path) -> None:
    folder = trace_folder(tmp_path, **files)

    with pytest.raises(InputError) as caught:
        read_trace(folder)

    assert words in str(caught.value)


def test_several_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    rows = "".join(f"{slot},x,y\n" for slot in range(50))

    with pytest.raises(InputError) as caught:
        read_trace(trace_folder(tmp_path, cpu_mhz__csv=f"slot,a,b\n{rows}"))

    assert len(caught.value.problems) == 20
    assert "write it without unit" in caught.value.problems[0].hint
    assert not any(problem.hint for problem in caught.value.problems[1:-1])
    assert caught.value.problems[-1].hint == "the rest of the file was not looked at"


def test_a_placement_that_names_unknown_hosts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "placement.csv"
    path.write_text("vm,even\na,host01\nb,host99\n")
    hosts = make_hosts(2)

    with pytest.raises(InputError, match=r"row 3, column even: there is no host 'host99'"):
        read_placement(path, "even", hosts)
    with pytest.raises(InputError, match=r"the placement, VM b: there is no host host99"):
        read_trace(trace_folder(tmp_path), hosts=hosts, placement={"b": HostId("host99")})
    with pytest.raises(InputError, match="there is no column odd; there are vm, even"):
        read_placement(path, "odd")


def test_a_vm_that_is_larger_than_every_host_is_refused_by_name(tmp_path: Path) -> None:
    folder = trace_folder(tmp_path, vms__csv="vm,vcpus,mem_mib\na,2,4096\nb,64,999999\n")

    with pytest.raises(
        InputError, match=r"VM b: has 999999 MiB, more than any host \(262144 MiB\)"
    ):
        read_trace(folder, hosts=make_hosts(2))
    with pytest.raises(
        InputError, match=r"VM b: has 64 processors, more than any host has threads.*: --leave-out"
    ):
        read_trace(folder, hosts=make_hosts(2, memory_mib=2_000_000.0))


def test_nothing_is_left_to_replay_is_refused_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"VM a: has no place.*; mend the file, no other VM is left"
    ):
        read_trace(trace_folder(tmp_path), placement={}, leave_out_unplaced=True)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "h1,24,2.6,262144",
            "row 2, column cpu_mhz: '2.6'; allowed: a number from 12000 to 240000 MHz; cores times",
        ),
        ("h1,24,62400,256", "row 2, column mem_mb: '256'"),
        ("h1,24,62400,268435456", "allowed: a number from 1024 to 33554432 MiB; GiB: multiply"),
        ("h1,0,62400,262144", "row 2, column cores: '0'"),
        ("h1,2.5,62400,262144", "row 2, column cores: '2.5'; allowed: a whole number"),
        (",24,62400,262144", "row 2, column host: host '' is named twice or not at all"),
        ("h1,24,62400", "row 2: has 3 cells"),
    ],
    ids=["GHz", "GiB", "KiB", "no cores", "half a core", "no name", "short"],
)
def test_a_host_that_is_none_is_refused(tmp_path: Path, row: str, words: str) -> None:
    path = tmp_path / "hosts.csv"
    path.write_text(f"host,cores,cpu_mhz,mem_mb\n{row}\n")

    with pytest.raises(InputError) as caught:
        read_hosts(path)

    assert words in str(caught.value)


def test_hosts_without_memory_are_told_which_column_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "hosts.csv"
    path.write_text("host,cores,cpu_mhz\nh1,24,62400\n")

    with pytest.raises(InputError, match="row 1: there is no column mem_mib; there are host, cor"):
        read_hosts(path)


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table({"slot": [0, 1, 2], "a": [100, None, 120], "b": [200.0, float("inf"), 220.0]})
    file = BytesIO()
    parquet.write_table(table, file)
    content = file.getvalue()

    as_csv = read_trace(
        trace_folder(tmp_path / "1", cpu_mhz__csv="slot,a,b\n0,100,200\n1,,inf\n2,120,220\n")
    )
    as_parquet = read_trace(
        trace_folder(tmp_path / "2", cpu_mhz__csv=None, cpu_mhz__parquet=content)
    )
    with pytest.raises(InputError, match=r"cut short: [^;]*footer; copy or export it anew"):
        read_trace(trace_folder(tmp_path / "3", cpu_mhz__csv=None, cpu_mhz__parquet=content[:-20]))

    assert as_csv.digest == as_parquet.digest
    assert [mend.rule for mend in as_csv.mends] == [mend.rule for mend in as_parquet.mends]


def test_without_pyarrow_parquet_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(InputError, match=r"pip install 'vsphere-balancer\[lab\]'"):
        read_trace(trace_folder(tmp_path, cpu_mhz__csv=None, cpu_mhz__parquet=b"PAR1"))


CELLS = st.sampled_from(
    ["", "0", "1", "-3", "1e308", "nan", "x", '"', "\r", " 7 ", "9" * 30, "é", "\0"]
)
LINES = st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=5).map("\n".join)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(
        ["cpu_mhz__csv", "mem_active_mib__csv", "vms__csv", "provisioned_changes__csv"]
    ),
    head=st.sampled_from(["", "slot,a,b\n", "time,a,b\n", "vm,slot,vcpus,cpu_mhz,mem_mb\n"]),
    text=st.one_of(LINES, st.text(max_size=40)),
)
def test_any_text_is_read_or_refused(tmp_path: Path, name: str, head: str, text: str) -> None:
    content = (head + text).encode("utf-8", errors="surrogatepass")
    folder = trace_folder(tmp_path, **{"provisioned_changes__csv": None, name: content})
    with suppress(InputError):
        assert read_trace(folder).trace.slots > 0
    (folder / "provisioned_changes.csv").unlink(missing_ok=True)
