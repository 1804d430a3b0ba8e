"""Each rule of mending: what it makes of the figures, how often it counts, and which place it names first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.simulated.trace import make_hosts
from balancer.adapters.traces import MendRule, ReadTrace, read_trace
from balancer.adapters.traces.sizes import Size, settled
from tests.support.traces import trace_folder


@dataclass(frozen=True, kw_only=True)
class Case:
    """Files that differ from the plain ones, and what VM a's CPU (else memory) is then; None: no sample."""

    files: Mapping[str, str]
    rule: MendRule
    count: int = 1
    place: str
    cpu: list[float | None] | None = None
    memory: list[float | None] | None = None
    mends: int = field(default=1)


CASES = {
    "a gap of 15 minutes holds the last value": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,100,1\n1,,1\n2,,1\n3,,1\n4,140,1\n"},
        rule=MendRule.GAP_FILLED,
        count=3,
        place="slot 1, VM a",
        cpu=[100, 100, 100, 100, 140],
        mends=2,
    ),
    "a row that is missing is a gap": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,100,1\n2,120,1\n"},
        rule=MendRule.GAP_FILLED,
        count=2,
        place="slot 1, VM a",
        cpu=[100, 100, 120],
    ),
    "a longer gap stays unknown": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,100,1\n1,,1\n2,,1\n3,,1\n4,,1\n5,150,1\n"},
        rule=MendRule.GAP_LEFT,
        count=4,
        place="slot 1, VM a",
        cpu=[100, None, None, None, None, 150],
        mends=3,
    ),
    "what is negative is no sample": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,100,1\n1,-5,1\n2,120,1\n"},
        rule=MendRule.NEGATIVE,
        place="cpu_mhz.csv, row 3, column a",
        cpu=[100, 100, 120],
        mends=2,
    ),
    "more than twice the size is no sample": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,100,1\n1,10401,1\n2,10400,1\n"},
        rule=MendRule.ABSURD,
        place="cpu_mhz.csv, row 3, column a",
        cpu=[100, 100, 10400],
        mends=2,
    ),
    "1e308 is no sample": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,100,1\n1,1e308,1\n2,120,1\n"},
        rule=MendRule.ABSURD,
        place="cpu_mhz.csv, row 3, column a",
        cpu=[100, 100, 120],
        mends=2,
    ),
    "a number too large for any is no sample": Case(
        files={"mem_active_mib__csv": "slot,a,b\n0,500,9\n1,1e999,9\n2,520,9\n"},
        rule=MendRule.ABSURD,
        place="mem_active_mib.csv, row 3, column a",
        memory=[500, 500, 520],
        mends=2,
    ),
    "words for no number are no sample": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,NaN,1\n1,-inf,1\n2,120,1\n"},
        rule=MendRule.NOT_A_NUMBER,
        count=2,
        place="cpu_mhz.csv, row 2, column a",
        cpu=[None, None, 120],
        mends=2,
    ),
    "rows that go back in time are sorted": Case(
        files={"cpu_mhz__csv": "slot,a,b\n1,110,1\n0,100,1\n2,120,1\n"},
        rule=MendRule.UNORDERED,
        place="cpu_mhz.csv, row 3",
        cpu=[100, 110, 120],
    ),
    "rows of one slot are averaged": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,100,1\n1,110,1\n1,130,\n2,120,1\n"},
        rule=MendRule.DUPLICATE,
        place="cpu_mhz.csv, row 4",
        cpu=[100, 120, 120],
    ),
    "names that come again are left out": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,100,1\n1,110,1\nslot,a,b\n2,120,1\n"},
        rule=MendRule.HEADER_AGAIN,
        place="cpu_mhz.csv, row 4",
        cpu=[100, 110, 120],
    ),
    "memory above the size is cut to it": Case(
        files={"mem_active_mib__csv": "slot,a,b\n0,500,9\n1,4097,9\n2,520,9\n"},
        rule=MendRule.MEMORY_ABOVE_SIZE,
        place="slot 1, VM a",
        memory=[500, 4096, 520],
    ),
    "without memory the last known one counts": Case(
        files={"mem_active_mib__csv": "slot,a,b\n0,,9\n1,510,9\n2,,9\n"},
        rule=MendRule.MEMORY_HELD,
        count=2,
        place="slot 0, VM a",
        memory=[510, 510, 510],
    ),
    "memory without CPU is no sample": Case(
        files={"cpu_mhz__csv": "slot,a,b\n0,,1\n1,110,1\n2,120,1\n"},
        rule=MendRule.CPU_MISSING,
        place="slot 0, VM a",
        memory=[None, 510, 520],
    ),
    "a VM that is off wants nothing": Case(
        files={
            "provisioned_changes__csv": "vm,slot,vcpus,cpu_mhz,mem_mb\na,0,2,5200,4096\na,1,0,0,0\n"
        },
        rule=MendRule.SAMPLE_WHILE_OFF,
        count=2,
        place="slot 1, VM a",
        cpu=[100, None, None],
    ),
    "a place for a VM without figures is not used": Case(
        files={},
        rule=MendRule.UNKNOWN_VM,
        place="the placement, VM stranger",
        cpu=[100, 110, 120],
    ),
    "a size of nothing while on is the size before": Case(
        files={
            "provisioned_changes__csv": "vm,slot,vcpus,cpu_mhz,mem_mib\na,0,2,5200,4096\na,1,2,5200,0\n"
        },
        rule=MendRule.SIZE_JITTER,
        place="provisioned_changes.csv, row 3, VM a",
        cpu=[100, 110, 120],
    ),
    "times off the grid go to the nearest slot": Case(
        files={
            "cpu_mhz__csv": "time,a,b\n2026-03-01T00:00:00Z,100,1\n2026-03-01T00:05:20Z,110,1\n"
            "2026-03-01T00:10:00Z,120,1\n2026-03-01T00:15:00Z,130,1\n2026-03-01T00:20:00Z,140,1\n",
            "mem_active_mib__csv": "time,a,b\n1772323200,9,9\n1772323500,9,9\n1772323800,9,9\n"
            "1772324100000,9,9\n1772324400000,9,9\n",
        },
        rule=MendRule.OFF_GRID,
        place="cpu_mhz.csv, row 3",
        cpu=[100, 110, 120, 130, 140],
    ),
    "a size for a VM without figures is not used": Case(
        files={"vms__csv": "vm,vcpus,mem_mib\na,2,4096\nb,4,8192\nz,4,8192\n"},
        rule=MendRule.UNKNOWN_VM,
        place="the sizes, VM z",
        cpu=[100, 110, 120],
    ),
}


def read(folder: Path, files: Mapping[str, str]) -> ReadTrace:
    hosts = make_hosts(1)
    placement = dict.fromkeys(("a", "b"), hosts[0].id)
    if not files:
        placement["stranger"] = hosts[0].id
    return read_trace(trace_folder(folder, **files), hosts=hosts, placement=placement)


def told(figures: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in figures[:, 0]]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_mended_by_its_rule(case: Case, tmp_path: Path) -> None:
    found = read(tmp_path, case.files)

    mend = next((one for one in found.mends if one.rule is case.rule), None)
    assert mend is not None, [str(one) for one in found.mends]
    assert (mend.count, mend.places[0]) == (case.count, case.place)
    assert len(found.mends) == case.mends, [str(one) for one in found.mends]
    if case.cpu is not None:
        assert told(found.trace.cpu_mhz) == case.cpu
    if case.memory is not None:
        assert told(found.trace.memory_mib) == case.memory


def test_all_places_are_counted_and_the_first_ones_named(tmp_path: Path) -> None:
    rows = "".join(f"{slot},-1,1\n" for slot in range(9))
    memory = rows.replace("-1", "1")

    found = read(
        tmp_path,
        {"cpu_mhz__csv": f"slot,a,b\n{rows}", "mem_active_mib__csv": f"slot,a,b\n{memory}"},
    )

    assert str(found.mends[0]) == (
        "negative, 9 times: a figure below 0 counts as no sample: cpu_mhz.csv, row 2, column a; "
        "cpu_mhz.csv, row 3, column a; cpu_mhz.csv, row 4, column a; ..."
    )


def test_times_give_start_and_step(tmp_path: Path) -> None:
    times = ("2026-03-01T10:02:00+01:00", "2026-03-01T10:12:00+01:00", "2026-03-01T10:22:00+01:00")
    rows = "".join(f"{time},100,200\n" for time in times)

    trace = read(
        tmp_path,
        {"cpu_mhz__csv": f"time,a,b\n{rows}", "mem_active_mib__csv": f"time,a,b\n{rows}"},
    ).trace

    assert (trace.start.isoformat(), trace.step_s) == ("2026-03-01T09:02:00+00:00", 600.0)


def test_percent_is_of_the_vms_own_size(tmp_path: Path) -> None:
    files = {
        "cpu_mhz__csv": None,
        "mem_active_mib__csv": None,
        "cpu_pct__csv": "slot,a,b\n0,50,10\n",
        "mem_pct__csv": "slot,a,b\n0,25,150\n",
    }

    found = read_trace(trace_folder(tmp_path, **files))

    assert found.trace.cpu_mhz.tolist() == [[2600.0, 1040.0]]
    assert found.trace.memory_mib.tolist() == [[1024.0, 8192.0]]
    assert [mend.rule for mend in found.mends] == [MendRule.MEMORY_ABOVE_SIZE]


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ([(0, 4096), (4, 4100), (8, 4400)], [0]),
        ([(0, 4096), (4, 8192)], [0, 4]),
        ([(0, 4096), (4, 3000), (6, 4096)], [0]),
        ([(0, 4096), (4, 3000), (7, 4096)], [0, 4, 7]),
    ],
    ids=["little by little", "twice as large", "a dip of two slots", "a dip of three slots"],
)
def test_jitter_of_a_size_is_no_change(sizes: list[tuple[int, float]], kept: list[int]) -> None:
    changes = tuple(Size(slot=slot, vcpus=2, memory_mib=mib, cpu_mhz=5200.0) for slot, mib in sizes)

    found, jitters = settled(changes)

    assert [size.slot for size in found] == kept
    assert jitters == len(sizes) - len(kept)


def test_the_digest_is_that_of_the_figures_and_not_of_their_folder(tmp_path: Path) -> None:
    one = read_trace(trace_folder(tmp_path / "one")).digest
    two = read_trace(trace_folder(tmp_path / "two")).digest
    other = read_trace(
        trace_folder(tmp_path / "other", cpu_mhz__csv="slot,a,b\n0,100,200\n1,110,211\n2,120,220\n")
    ).digest

    assert one == two
    assert one != other
