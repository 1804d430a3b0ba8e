"""What the daemon records is what the lab reads back, names or not, whatever happens to the files."""

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from balancer.adapters.recording import Recorder
from balancer.adapters.simulated.trace import make_hosts, make_placement, make_trace
from balancer.adapters.traces import MendRule, read_recording
from balancer.config.record import Record
from balancer.lab.scene import Scene
from balancer.lab.world import ReplayedVCenter
from balancer.model.errors import InputError
from balancer.model.events import ClusterRead, CycleFailed
from balancer.model.host import VmotionLink
from balancer.model.rule import RuleType
from balancer.model.snapshot import Datastore, Network, Snapshot, Source, SourceKind
from balancer.model.trace import Resize
from balancer.model.units import HostId
from balancer.model.vm import PowerState, Vm
from tests.support import builders
from tests.support.builders import NOON

SECRET = "acme"


def look(vms: Sequence[Vm], minutes: float = 0.0, **facts: Any) -> Snapshot:
    """Return a snapshot of two hosts, taken so many minutes after noon."""
    taken = builders.snapshot([builders.host(1), builders.host(2)], vms)
    return replace(taken, taken_at=NOON + timedelta(minutes=minutes), **facts)


def record(folder: Path, looks: Sequence[Snapshot], **settings: Any) -> list[str]:
    """Record snapshots in one go; return what became of each."""
    results: list[str] = []
    chosen = Record(folder=folder / "recordings", **settings)
    recorder = Recorder(chosen, folder / "recording.key", results.append)
    for snapshot in looks:
        recorder.put("main/prod", snapshot)
        recorder.write_waiting()
    return results


def files(folder: Path) -> list[Path]:
    return sorted((folder / "recordings").rglob("*.jsonl.gz"))


def text(folder: Path) -> str:
    return "".join(gzip.decompress(path.read_bytes()).decode() for path in files(folder))


def test_what_was_recorded_is_read_back(tmp_path: Path) -> None:
    one, two = builders.vm(1, 1, uuid="u-1"), builders.vm(2, 2, uuid="u-2")
    first = look([one, two])
    later = look([replace(one, cpu_demand_mhz=1500.0), replace(two, memory_active_mib=9.0)], 5)

    results = record(tmp_path, [first, later])

    read = read_recording(tmp_path / "recordings")
    assert results == ["written", "written"]
    assert read.snapshot == first
    assert [(vm.name, vm.uuid, vm.vcpus) for vm in read.trace.vms] == [
        ("vm1", "u-1", 2),
        ("vm2", "u-2", 2),
    ]
    assert (read.trace.start, read.trace.step_s) == (NOON, 300.0)
    assert read.trace.cpu_mhz.tolist() == [[1000.0, 1000.0], [1500.0, 1000.0]]
    assert read.trace.memory_mib.tolist() == [[2048.0, 2048.0], [2048.0, 9.0]]
    assert read.placement == {"vm1": HostId("host-1"), "vm2": HostId("host-2")}
    assert read.mends == ()


def test_only_the_first_line_holds_what_does_not_change(tmp_path: Path) -> None:
    vm = builders.vm(1, 1, guest_os="rhel9_64Guest")

    record(tmp_path, [look([vm], 5 * step) for step in range(4)])

    (path,) = files(tmp_path)
    lines = text(tmp_path).splitlines()
    assert path.relative_to(tmp_path).parts[:3] == ("recordings", "main", "prod")
    assert ["snapshot" in json.loads(line) for line in lines] == [True, False, False, False]
    assert text(tmp_path).count("rhel9") == 1


def test_peaks_that_change_are_no_change_of_a_vm_or_a_host(tmp_path: Path) -> None:
    hosts = [builders.host(1, cpu_usage_max_mhz=5.0, memory_usage_p95_mib=6.0), builders.host(2)]
    vm = builders.vm(1, 1, cpu_demand_p95_mhz=1100.0, cpu_demand_max_mhz=1200.0)

    record(tmp_path, [replace(look([vm]), hosts=hosts), look([builders.vm(1, 1)], 5)])

    first, second = map(json.loads, text(tmp_path).splitlines())
    assert first["snapshot"]["vms"][0]["cpu_demand_max_mhz"] == 1200
    assert first["snapshot"]["hosts"][0]["cpu_usage_max_mhz"] == 5
    assert second.keys() == {"at", "figures"}


def test_vms_that_come_grow_move_and_go_are_told(tmp_path: Path) -> None:
    one, two = builders.vm(1, 1), builders.vm(2, 1)
    looks = [
        look([one]),
        look([replace(one, host=HostId("host-2")), two], 5),
        look([one, replace(two, vcpus=4)], 10),
        look([replace(two, vcpus=4)], 15),
    ]

    record(tmp_path, looks)

    read = read_recording(tmp_path / "recordings")
    assert [json.loads(line).get("moved") for line in text(tmp_path).splitlines()[1:3]] == [
        {"vm-1": "host-2"},
        {"vm-1": "host-1"},
    ]
    assert (~np.isnan(read.trace.cpu_mhz)).tolist() == [
        [True, False],
        [True, True],
        [True, True],
        [False, True],
    ]
    assert read.trace.resizes == (Resize(slot=2, vm=1, vcpus=4, memory_mib=4096.0),)


def test_a_vm_that_is_off_wants_nothing_and_is_no_gap(tmp_path: Path) -> None:
    vm, off = builders.vm(1, 1), builders.vm(1, 1, power=PowerState.OFF, cpu_demand_mhz=None)

    record(tmp_path, [look([vm]), look([off], 5), look([vm], 10)])

    cpu = read_recording(tmp_path / "recordings").trace.cpu_mhz
    assert (~np.isnan(cpu[:, 0])).tolist() == [True, False, True]


def test_a_starved_vm_is_recorded_with_what_it_wants(tmp_path: Path) -> None:
    starved = builders.vm(1, 1, cpu_demand_mhz=800.0, cpu_usage_mhz=500.0, cpu_ready_percent=25.0)
    hosts = [builders.host(number, cpu_cores=10) for number in (1, 2)]

    record(tmp_path, [replace(look([starved]), hosts=tuple(hosts))])

    assert read_recording(tmp_path / "recordings").trace.cpu_mhz.tolist() == [[1500.0]]


def test_looks_that_jitter_are_put_into_slots(tmp_path: Path) -> None:
    at = (0.0, 5.2, 9.7, 15.1, 20.3)

    record(tmp_path, [look([builders.vm(1, 1)], minutes) for minutes in at])

    trace = read_recording(tmp_path / "recordings").trace
    assert (trace.step_s, trace.slots) == (300.0, 5)


def test_another_host_is_a_whole_snapshot_again(tmp_path: Path) -> None:
    vm = builders.vm(1, 1)
    grown = builders.snapshot([builders.host(number) for number in (1, 2, 3)], [vm])

    record(tmp_path, [look([vm]), replace(grown, taken_at=NOON + timedelta(minutes=5))])

    assert ["snapshot" in json.loads(line) for line in text(tmp_path).splitlines()] == [True, True]
    assert len(read_recording(tmp_path / "recordings").snapshot.hosts) == 2


def test_a_vm_that_began_on_a_host_of_no_snapshot_is_left_out_by_name(tmp_path: Path) -> None:
    first = builders.vm(1, 1)
    record(tmp_path, [look([first]), look([first, builders.vm(2, 2)], 5)])
    (path,) = files(tmp_path)
    path.write_bytes(
        gzip.compress(re.sub('("host": ?)"host-2"', r'\1"host-3"', text(tmp_path)).encode())
    )

    read = read_recording(tmp_path / "recordings")
    assert [vm.name for vm in read.trace.vms] == ["vm1"]
    (mend,) = read.mends
    assert str(mend).startswith("left_out, once: ")
    assert mend.places == ("vm2 began on host-3, of which no snapshot tells",)


def test_a_file_that_was_cut_short_is_read_up_to_there(tmp_path: Path) -> None:
    record(tmp_path, [look([builders.vm(1, 1)], 5 * step) for step in range(3)])
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])

    read = read_recording(tmp_path / "recordings")

    assert read.trace.slots == 2
    assert [(mend.rule, mend.count) for mend in read.mends] == [(MendRule.CUT_SHORT, 1)]


def test_a_new_start_never_adds_to_an_old_file(tmp_path: Path) -> None:
    record(tmp_path, [look([builders.vm(1, 1)])])
    files(tmp_path)[0].write_bytes(files(tmp_path)[0].read_bytes()[:-40])

    record(tmp_path, [look([builders.vm(1, 1)])])

    assert len(files(tmp_path)) == 2
    assert read_recording(tmp_path / "recordings").trace.slots == 1


def telling(minutes: float = 0.0) -> Snapshot:
    """Return a cluster in which everything that has a name tells whose it is."""
    things = {"tags": frozenset({"acme-tag"}), "groups": frozenset({"acme-group"})}
    link = VmotionLink(networks=frozenset({"10.77.8.0/24"}))
    vms = [
        builders.vm(
            number,
            1,
            name=f"acme-vm{number}",
            uuid=f"acme-uuid{number}",
            folder="acme-folder",
            datastores=frozenset({"datastore-1"}),
            networks=frozenset({"network-1"}),
            attributes={"acme-owner": "acme-person"},
            **things,
        )
        for number in (1, 2)
    ]
    taken = builders.snapshot(
        [builders.host(1, name="acme-esx", vmotion=link, **things)],
        vms if minutes else vms[:1],
        [builders.rule("acme-rule", RuleType.AFFINITY, [1])],
        cluster={"name": "acme-cluster"},
        source=Source(kind=SourceKind.VCENTER, name="acme-vc", instance_uuid="acme-instance"),
        datastores=(Datastore(id="datastore-1", name="acme-store"),),
        networks=(Network(id="network-1", name="acme-net"),),
    )
    return replace(taken, taken_at=NOON + timedelta(minutes=minutes))


def test_nothing_that_identifies_is_left_of_an_anonymised_recording(tmp_path: Path) -> None:
    record(tmp_path, [telling(), telling(5)], anonymize=True)

    names = " ".join(str(path.relative_to(tmp_path)) for path in files(tmp_path))
    assert SECRET in str(telling(5))
    assert SECRET not in text(tmp_path)
    assert "10.77.8" not in text(tmp_path)
    assert "prod" not in names
    assert len(read_recording(tmp_path / "recordings").trace.vms) == 2


def test_names_have_the_same_pseudonyms_after_a_restart(tmp_path: Path) -> None:
    for minutes in (0, 5):
        record(tmp_path, [telling(minutes)], anonymize=True)

    tags = {
        tuple(vm["tags"])
        for line in text(tmp_path).splitlines()
        for vm in json.loads(line)["snapshot"]["vms"]
    }
    assert len(files(tmp_path)) == 2
    assert len(tags) == 1
    assert (tmp_path / "recording.key").stat().st_mode & 0o077 == 0


def test_two_sites_have_other_pseudonyms_for_one_name(tmp_path: Path) -> None:
    for site in ("one", "two"):
        (tmp_path / site).mkdir()
        record(tmp_path / site, [telling()], anonymize=True)

    assert files(tmp_path / "one")[0].parent.name != files(tmp_path / "two")[0].parent.name


def test_old_recordings_are_removed_and_nothing_else(tmp_path: Path) -> None:
    other = tmp_path / "recordings" / "main" / "prod" / "notes.txt"
    record(tmp_path, [look([builders.vm(1, 1)])])
    other.write_text("mine")

    record(tmp_path, [look([builders.vm(1, 1)], 60 * 24 * 8)], keep_days=7)

    assert [path.name for path in files(tmp_path)] == ["2026-11-30T120000Z.jsonl.gz"]
    assert other.exists()


def test_each_day_begins_a_file(tmp_path: Path) -> None:
    record(tmp_path, [look([builders.vm(1, 1)], minutes) for minutes in (0, 719, 721)])

    assert [path.name[:10] for path in files(tmp_path)] == ["2026-11-22", "2026-11-23"]


def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "recordings").write_text("a file stands in the way")

    results = record(tmp_path, [look([builders.vm(1, 1)])] * 3)

    assert results == ["failed"] * 3
    assert [entry.message for entry in caplog.records] == ["snapshots are not recorded"]


def test_what_waits_too_long_is_dropped_and_counted(tmp_path: Path) -> None:
    results: list[str] = []
    recorder = Recorder(Record(folder=tmp_path / "r"), tmp_path / "key", results.append)

    for _ in range(10):
        recorder.put("main/prod", look([builders.vm(1, 1)]))

    assert results == ["dropped"] * 2


def test_only_snapshots_of_chosen_clusters_are_heard(tmp_path: Path) -> None:
    chosen = Record(folder=tmp_path, clusters=("main/prod",))
    recorder = Recorder(chosen, tmp_path / "key", lambda _: None)

    assert recorder.listeners_of("main", "test") == ()
    assert len(recorder.listeners_of("main", "prod")) == 1
    assert Recorder(Record(), tmp_path, lambda _: None).listeners_of("main", "prod") == ()


def test_the_thread_writes_what_it_is_told_and_ends(tmp_path: Path) -> None:
    results: list[str] = []
    recorder = Recorder(Record(folder=tmp_path / "r"), tmp_path / "key", results.append)
    (ear,) = recorder.listeners_of("main", "prod")
    recorder.start()

    ear.tell(CycleFailed(why="no", at=NOON))
    ear.tell(ClusterRead(snapshot=look([builders.vm(1, 1)])))

    assert recorder.stop()
    assert results == ["written"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"at": "2026-11-22T12:05:00Z"}', "KeyError"),
        ('{"at": "2026-11-22T12:05:00Z", "figures": {"cpu_demand_mhz": [1, 2, 3]}}', "3 figures"),
        ("[]", "no object"),
        ("{", "no JSON"),
        ('{"form": "other/v9", "snapshot": {}}', "other/v9"),
    ],
    ids=["no figures", "other VMs", "a list", "half a line", "another form"],
)
def test_a_line_that_is_none_is_refused_by_file_and_line(
    tmp_path: Path, line: str, words: str
) -> None:
    record(tmp_path, [look([builders.vm(1, 1)])])
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes() + gzip.compress(line.encode() + b"\n"))

    with pytest.raises(InputError, match=rf"line 2.*{words}"):
        read_recording(tmp_path / "recordings")


def test_a_folder_of_several_clusters_asks_which(tmp_path: Path) -> None:
    recorder = Recorder(Record(folder=tmp_path), tmp_path / "key", lambda _: None)
    for shard in ("main/a", "main/b"):
        recorder.put(shard, look([builders.vm(1, 1)]))
    recorder.write_waiting()

    with pytest.raises(InputError, match="main/a, main/b"):
        read_recording(tmp_path)


@pytest.mark.parametrize("name", ["../../up", "..", "a/b", "Größe 1"])
def test_no_name_of_a_cluster_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    results: list[str] = []
    recorder = Recorder(Record(folder=tmp_path / "in"), tmp_path / "key", results.append)

    recorder.put(f"main/{name}", look([builders.vm(1, 1)]))
    recorder.write_waiting()

    assert results == ["written"]
    (written,) = tmp_path.rglob("*.jsonl.gz")
    assert len(written.resolve().relative_to(tmp_path / "in").parts) == 3


def test_what_a_replay_shows_is_recorded_as_the_trace_that_it_replays(tmp_path: Path) -> None:
    trace, hosts = make_trace(6, 12), make_hosts(2)
    world = ReplayedVCenter(
        Scene(trace=trace, hosts=hosts, placement=make_placement(trace, hosts)), seed=0
    )
    looks = []
    for _ in range(trace.slots):
        world.clock.sleep(trace.step_s)
        looks.append(world.snapshot(world.ref))

    record(tmp_path, looks)

    again = read_recording(tmp_path / "recordings").trace
    assert {vm.name for vm in again.vms} == {vm.name for vm in trace.vms}
    columns = [[vm.name for vm in again.vms].index(vm.name) for vm in trace.vms]
    assert again.cpu_mhz[:, columns].tolist() == trace.cpu_mhz.tolist()
    assert again.memory_mib[:, columns].tolist() == trace.memory_mib.tolist()
