"""What a sound trace folder becomes."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.simulated.trace import make_hosts
from balancer.adapters.traces import read_hosts, read_placement, read_trace
from balancer.model.errors import InputError
from balancer.model.trace import Resize
from tests.support.traces import example, trace_folder

EXAMPLE = Path(__file__).parents[4] / "docs" / "operate" / "trace-example"


def test_a_folder_becomes_a_trace(tmp_path: Path) -> None:
    read = read_trace(trace_folder(tmp_path / "week"))

    trace = read.trace
    assert (trace.name, trace.step_s, trace.slots) == ("week", 300.0, 3)
    assert [(vm.name, vm.vcpus, vm.memory_mib) for vm in trace.vms] == [
        ("a", 2, 4096.0),
        ("b", 4, 8192.0),
    ]
    assert trace.cpu_mhz.tolist() == [[100.0, 200.0], [110.0, 210.0], [120.0, 220.0]]
    assert trace.memory_mib.tolist() == [[500.0, 900.0], [510.0, 910.0], [520.0, 920.0]]
    assert read.mends == ()


def test_a_bare_number_is_the_vm_of_that_number_in_every_file(tmp_path: Path) -> None:
    folder = trace_folder(
        tmp_path,
        cpu_mhz__csv="slot,vm7\n0,10\n",
        mem_active_mib__csv="slot,vm7\n0,20\n",
        vms__csv="vm,vcpus,mem_mb\n7,1,1024\n",
        placement0__csv="vm,random\n7,host02\n",
    )

    assert read_trace(folder).trace.vms[0].name == "vm7"
    assert read_placement(folder / "placement0.csv", "random") == {"vm7": "host02"}


def test_changes_of_size_are_resizes_and_speed_0_is_off(tmp_path: Path) -> None:
    changes = "vm,slot,vcpus,cpu_mhz,mem_mb\na,0,2,5200,4096\na,1,0,0,0\na,2,4,10400,4096\n"
    folder = trace_folder(
        tmp_path, provisioned_changes__csv=changes, cpu_mhz__csv="slot,a,b\n0,1,1\n1,,1\n2,1,1\n"
    )

    trace = read_trace(folder).trace

    assert trace.resizes == (Resize(slot=2, vm=0, vcpus=4, memory_mib=4096.0),)
    assert np.isnan(trace.cpu_mhz[1, 0])


def test_a_vm_without_a_place_is_refused_by_name_or_left_out(tmp_path: Path) -> None:
    folder, hosts = trace_folder(tmp_path), make_hosts(1)
    placement = {"a": hosts[0].id}

    with pytest.raises(InputError, match="VM b"):
        read_trace(folder, hosts=hosts, placement=placement)
    read = read_trace(folder, hosts=hosts, placement=placement, leave_out_unplaced=True)

    assert [vm.name for vm in read.trace.vms] == ["a"]
    assert [str(mend) for mend in read.mends] == [
        (
            "left_out, once: VMs without a size, a place or a host that is large enough are not played: "
            "b has no place in the placement"
        )
    ]


def test_hosts_have_a_10_gbe_link_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "hosts.csv"
    path.write_text(
        "host,cores,core_mhz,cpu_mhz,mem_mb,vmotion_mbps\nh1,24,2600,62400,262144,\nh2,8,2000,16000,65536,25000\n"
    )

    first, second = read_hosts(path)

    assert (first.cpu_capacity_mhz, first.memory_capacity_mib) == (62400.0, 262144.0)
    assert (first.vmotion.link_mbps, second.vmotion.link_mbps) == (10_000.0, 25_000.0)


def test_the_example_is_what_its_command_makes_and_needs_no_mending() -> None:
    hosts = read_hosts(EXAMPLE / "hosts.csv")
    placement = read_placement(EXAMPLE / "placement0.csv", "random", hosts)

    read = read_trace(EXAMPLE, hosts=hosts, placement=placement)

    assert {path.name: unpacked(path.name, path.read_bytes()) for path in EXAMPLE.iterdir()} == {
        name: unpacked(name, content) for name, content in example().items()
    }
    assert (len(read.trace.vms), read.trace.slots, read.mends) == (24, 288, ())


def unpacked(name: str, content: bytes) -> bytes:
    return gzip.decompress(content) if name.endswith(".gz") else content
