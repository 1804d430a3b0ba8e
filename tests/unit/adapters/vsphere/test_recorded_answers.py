"""Recorded answers of vCenter 5.5 to 9.0 go through the client's deserialiser and through our own code."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere import properties
from balancer.adapters.vsphere.counters import Counter, Meter, catalogue_from, scaling
from balancer.adapters.vsphere.csv_answer import read_rows
from balancer.adapters.vsphere.devices import DeviceFacts, devices_from
from balancer.adapters.vsphere.facts import Facts, object_id
from balancer.adapters.vsphere.figures import FRESH_WITHIN_S, vm_with
from balancer.adapters.vsphere.hosts import HostContext, host_from
from balancer.adapters.vsphere.places import datastore_from, pool_from
from balancer.adapters.vsphere.samples import Samples, samples_from
from balancer.adapters.vsphere.vms import VmContext, vm_from
from balancer.model.host import HostState
from balancer.model.units import HostId, VmId
from balancer.model.vm import PowerState, Vm
from tests.support.cassettes import COMMITTED, FOLDER, Exchange, cassettes, exchanges

REALTIME = "manageiq_vc90_queryperf_realtime"
OLD = "manageiq_vc55_full_inventory_waitforupdates"
NOWHERE: Any = None


def tape(name: str) -> list[Exchange]:
    return list(exchanges(FOLDER / f"{name}.yaml.gz"))


def test_there_are_recordings_of_several_releases() -> None:
    names = {path.name.removesuffix(".yaml.gz") for path in cassettes()}
    assert {REALTIME, OLD, "test_json_host_explode", "test_json_vm_explode_objs"} <= names


@pytest.mark.parametrize("path", cassettes(), ids=lambda path: path.name.removesuffix(".yaml.gz"))
def test_every_answer_of_a_cassette_can_be_read(path: Path) -> None:
    read = [(str(exchange), exchange.parsed()) for exchange in exchanges(path)]
    assert read
    for name, value in read:
        assert_facts_hold(name, value)


def assert_facts_hold(name: str, value: object) -> None:
    """Whatever a property holds, asking for it as any kind gives that kind or nothing."""
    facts = Facts(id=name, kind="Any", values={"it": value})
    assert isinstance(facts.text("it"), str | None)
    assert isinstance(facts.number("it"), float | None)
    assert isinstance(facts.count("it"), int | None)
    assert isinstance(facts.flag("it"), bool | None)
    assert isinstance(facts.time("it"), datetime | None)
    assert isinstance(facts.ref("it"), str | None)
    assert all(isinstance(key, str) for key in (*facts.refs("it"), *facts.words("it")))


@cache
def table() -> tuple[Any, ...]:
    """Return the catalogue of a vCenter 9.0.1 as it came over the wire."""
    (answer,) = [e for e in tape(REALTIME) if "perfCounter" in e.request]
    return tuple(answer.parsed()[0].propSet[0].val)


def test_counters_are_found_by_name_with_the_ids_of_the_catalogue() -> None:
    with (COMMITTED / "perf_counters_vcenter_9.0.1.csv").open() as file:
        listed = {
            f"{row['group']}.{row['name']}.{row['rollup']}": row for row in csv.DictReader(file)
        }
    meters = catalogue_from(table()).meters
    assert set(meters) == set(Counter)
    for counter, meter in meters.items():
        assert meter.key == int(listed[counter]["counter_id"])
        known = scaling(listed[counter]["unit"])
        assert known is not None
        assert known[1] == meter.factor
    assert (meters[Counter.CPU_DEMAND].key, meters[Counter.MEM_ACTIVE_WRITE].key) == (620, 640)


def recorded_samples(*meters: Meter) -> Samples:
    (answer,) = [e for e in tape(REALTIME) if e.method == "QueryPerf"]
    (row,) = read_rows(BytesIO(answer.answer.encode()))
    return samples_from(row, {str(m.key): m for m in meters or catalogue_from(table()).of(Counter)})


def test_our_parser_reads_what_the_clients_own_reads() -> None:
    (answer,) = [e for e in tape(REALTIME) if e.method == "QueryPerf"]
    (row,), (entity,) = read_rows(BytesIO(answer.answer.encode())), answer.parsed()
    assert (row.entity, row.clock) == (object_id(entity.entity), entity.sampleInfoCSV)
    theirs = [(str(v.id.counterId), v.id.instance or "", v.value) for v in entity.value]
    assert row.series == theirs
    assert len(theirs) > 10


def test_real_time_samples_of_a_real_vcenter_are_read() -> None:
    samples = recorded_samples()
    assert samples.id == "vm-1085"
    assert samples.times[0] == datetime(2026, 5, 5, 18, 41, tzinfo=UTC)
    assert set(samples.intervals_s) == {20.0}
    assert {len(series) for series in samples.series.values()} == {len(samples.times)}
    assert samples.known(Counter.CPU_READY)
    assert samples.newest_at == samples.times[-1]


def test_percent_is_counted_in_hundredths() -> None:
    """One vCPU of a known speed: its usage in percent and in MHz must mean the same."""
    factor = (scaling("percent") or NOWHERE)[1]
    usage = recorded_samples(Meter(key=2, counter=Counter.CPU_DEMAND, factor=factor))
    speed = recorded_samples(Meter(key=6, counter=Counter.CPU_DEMAND, factor=1.0))
    percent, mhz = (sum(each.known(Counter.CPU_DEMAND)) for each in (usage, speed))
    assert 1_000 < mhz / (percent / 100) < 10_000


def test_the_recorded_samples_make_a_vms_figures() -> None:
    samples = recorded_samples()
    vm = Vm(id=VmId("vm-1085"), name="v", host=HostId("host-1"), vcpus=1, memory_mib=4096.0)
    newest = samples.newest_at
    assert newest is not None
    read = vm_with(vm, samples, newest)
    assert read.sampled_at == newest
    assert 0 <= (read.cpu_ready_percent or 0.0) <= 100
    assert read.dirty_rate_mbps is None  # that client did not ask for it
    later = newest.replace(year=newest.year + 1)
    assert (later - newest).total_seconds() > FRESH_WITHIN_S
    assert vm_with(vm, samples, later).cpu_ready_percent is None


def updated(kind: type) -> Iterator[Facts]:
    """Yield the objects of a class in the inventory of the vCenter 5.5, under the paths that are read here."""
    for exchange in tape(OLD):
        if exchange.method != "WaitForUpdatesEx":
            continue
        for update in exchange.parsed().filterSet:
            for entry in update.objectSet:
                if type(entry.obj) is kind:
                    values = {_path(change.name): change.val for change in entry.changeSet}
                    yield Facts(id=str(object_id(entry.obj)), kind=kind.__name__, values=values)


def _path(name: str) -> str:
    return name.replace("summary.runtime.", "runtime.").replace(
        "summary.config.cpuA", "config.cpuA"
    )


def merged(kind: type) -> dict[str, Facts]:
    found: dict[str, Facts] = {}
    for facts in updated(kind):
        before = found[facts.id].values if facts.id in found else {}
        found[facts.id] = Facts(id=facts.id, kind=facts.kind, values={**before, **facts.values})
    return found


def test_a_whole_inventory_of_5_5_becomes_hosts_and_vms() -> None:
    hosts = [host_from(facts, HostContext()) for facts in merged(vim.HostSystem).values()]
    vms = [
        vm_from(facts, _devices(facts), VmContext())
        for facts in merged(vim.VirtualMachine).values()
    ]
    assert len(hosts) == 16
    assert len(vms) == 64
    assert all(host is not None and host.cpu_capacity_mhz > 0 for host in hosts)
    assert all(vm is not None and vm.vcpus >= 1 and vm.memory_mib > 0 for vm in vms)
    assert {vm.host for vm in vms if vm} <= {host.id for host in hosts if host}
    assert [vm.cpu_demand_mhz for vm in vms if vm] == [None] * 64  # unset is not 0


def _devices(facts: Facts) -> DeviceFacts:
    return devices_from(facts.many("config.hardware.device", vim.vm.device.VirtualDevice))


def test_datastores_and_pools_of_5_5_are_read() -> None:
    datastores = [datastore_from(facts) for facts in merged(vim.Datastore).values()]
    pools = [pool_from(facts) for facts in merged(vim.ResourcePool).values()]
    assert datastores
    assert all(each.capacity_mib and each.name for each in datastores)
    assert len(pools) == 12


def exploded(name: str, paths: tuple[str, ...]) -> Facts:
    """Return an object's facts by our paths, out of a recording of its properties one by one."""
    whole: dict[str, Any] = {}
    kind = ""
    for exchange in tape(name):
        if exchange.method == "Fetch" and exchange.target in {"HostSystem", "VirtualMachine"}:
            whole[exchange.fetched], kind = exchange.parsed(), exchange.target
    values = {path: _value(whole, path.split(".")) for path in paths}
    return Facts(id="it-1", kind=kind, values={k: v for k, v in values.items() if v is not None})


def _value(whole: dict[str, Any], names: list[str]) -> Any:
    value = whole.get(names[0])
    for name in names[1:]:
        value = getattr(value, name, None)
    return value


def test_every_property_of_a_host_of_8_0_3_is_read() -> None:
    host = host_from(exploded("test_json_host_explode", properties.HOST), HostContext())
    assert host is not None
    assert host.state is HostState.CONNECTED
    assert host.cpu_cores == 8
    assert host.cpu_capacity_mhz == pytest.approx(8 * 1995)
    assert host.memory_capacity_mib == pytest.approx(16 * 1024, rel=0.01)
    assert host.max_evc_mode == "intel-icelake"
    assert host.cpu_usage_mhz is not None


def test_every_property_of_a_vm_is_read() -> None:
    facts = exploded("test_json_vm_explode_objs", properties.VM + properties.VM_FEATURES)
    vm = vm_from(facts, DeviceFacts(), VmContext())
    assert vm is not None
    assert vm.power in set(PowerState)
    assert vm.vcpus >= 1
    assert vm.uuid
    assert vm.cpu_features
    assert vm.cpu_limit_mhz is None  # -1 on the wire: no limit


def test_a_clusters_summary_of_7_0_2_is_read() -> None:
    answer = (COMMITTED / "otel_cluster_summary.xml").read_text()
    exchange = Exchange(
        cassette="otel",
        number=0,
        method="RetrieveProperties",
        namespace="vim25",
        request="",
        answer=answer,
    )
    summary = exchange.parsed()[0].propSet[0].val
    assert (summary.currentEVCModeKey, summary.numHosts) == ("intel-cascadelake", 3)
    assert summary.effectiveMemory < 2**22  # MiB, beside totalMemory in bytes
    assert summary.totalMemory > 2**40
