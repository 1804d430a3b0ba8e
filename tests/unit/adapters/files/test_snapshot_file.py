import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given

from balancer.adapters.files import (
    parse_snapshot,
    read_snapshot,
    snapshot_bytes,
    snapshot_document,
    write_snapshot,
)
from balancer.model.errors import BalancerError, InputError
from balancer.model.host import HostState
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import (
    InFlight,
    Snapshot,
)
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker
from tests.support import builders
from tests.support.searching import examples
from tests.unit.adapters.files.every_snapshot import snapshots

ROOT = Path(__file__).parents[4]
SMALL = ROOT / "tests/data/small.snapshot.json"
SCHEMA = json.loads((ROOT / "balancer/schemas/snapshot.v1.schema.json").read_text())


@examples(60, suppress_health_check=list(HealthCheck))
@given(snapshots())
def test_what_is_written_is_read_back_equal_and_fits_the_published_schema(snap: Snapshot) -> None:
    content = snapshot_bytes(snap)
    assert parse_snapshot(content, name="s") == snap
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(content))


def test_the_example_of_the_format_is_read() -> None:
    snap = read_snapshot(SMALL)
    assert snap.cluster.name == "prod-a"
    assert snap.host_by_id[HostId("host-14")].state is HostState.ENTERING_MAINTENANCE
    assert snap.vm_by_id[VmId("vm-108")].blockers == (Blocker.USB_DEVICE,)
    assert snap.taken_at == datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_what_was_not_measured_is_left_out_and_never_0() -> None:
    host, vm = builders.host(1), builders.vm(1, 1, cpu_demand_mhz=None, memory_active_mib=0.0)
    (entry,) = _entries(snapshot_document(builders.snapshot([host], [vm])), "vms")
    assert "cpu_demand_mhz" not in entry
    assert entry["memory_active_mib"] == 0


def test_no_reachable_datastore_is_not_the_same_as_all_of_them() -> None:
    hosts = [builders.host(1, datastores=frozenset()), builders.host(2)]
    first, second = _entries(snapshot_document(builders.snapshot(hosts, [])), "hosts")
    assert first["datastores"] == []
    assert "datastores" not in second


def _entries(document: Mapping[str, object], key: str) -> list[dict[str, object]]:
    entries = document[key]
    assert isinstance(entries, list)
    return entries


def test_the_same_cluster_gives_the_same_bytes_in_whatever_order_it_was_read() -> None:
    hosts = [builders.host(n, tags=frozenset({"b", "a", "c"})) for n in (1, 2, 3)]
    vms = [builders.vm(n, 1) for n in (1, 2)]
    one = builders.snapshot(hosts, vms)
    other = builders.snapshot(hosts[::-1], vms[::-1])
    assert snapshot_bytes(one) == snapshot_bytes(other)


def test_unknown_keys_are_ignored() -> None:
    document = snapshot_document(builders.snapshot([builders.host(1)], []))
    document["later"] = {"x": [1]}
    _entries(document, "hosts")[0]["colour"] = "red"
    assert len(parse_snapshot(json.dumps(document).encode(), name="s").hosts) == 1


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.read_bytes())
    assert read_snapshot(path) == read_snapshot(SMALL)


def test_half_of_a_surrogate_pair_in_a_name_does_not_stop_the_writing() -> None:
    snap = builders.snapshot([builders.host(1, name="esx\ud800")], [])
    assert parse_snapshot(snapshot_bytes(snap), name="s").hosts[0].name == "esx?"


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    snap = read_snapshot(SMALL)
    write_snapshot(snap, tmp_path / "s.json")
    assert read_snapshot(tmp_path / "s.json") == snap
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BalancerError, match="cannot be written: No such file or directory"):
        write_snapshot(read_snapshot(SMALL), tmp_path / "none" / "s.json")


def test_a_file_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        read_snapshot(tmp_path / "none.json")


def problems_of(content: bytes) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_snapshot(content, name="s.json")
    return [str(problem) for problem in caught.value.problems]


def broken(change: str) -> bytes:
    """Return a document of three hosts and three VMs after `change`, a statement over `d`."""
    snap = builders.snapshot(
        [builders.host(n) for n in (1, 2, 3)],
        [builders.vm(n, 1) for n in (1, 2, 3)],
        [builders.rule("apart", RuleType.ANTI_AFFINITY, [1, 2])],
        in_flight=(InFlight(vm=VmId("vm-1"), source=HostId("host-1"), target=HostId("host-2")),),
    )
    document = json.loads(snapshot_bytes(snap))
    exec(change, {"d": document})
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            "d['hosts'][2]['memory_capacity_mib'] = -5",
            "hosts[2].memory_capacity_mib: -5; allowed: greater than 0",
            id="negative size",
        ),
        pytest.param(
            "d['vms'][0]['cpu_demand_mhz'] = -1",
            "vms[0].cpu_demand_mhz: -1; allowed: at least 0",
            id="negative demand",
        ),
        pytest.param(
            "d['vms'][1]['host'] = 'host-9'",
            "vms[1].host: there is no host 'host-9' in the file (of 'vm-2'); "
            "allowed: the id of a host of the file",
            id="VM on a host that does not exist",
        ),
        pytest.param(
            "d['vms'][2]['id'] = 'vm-1'",
            "vms[2].id: 'vm-1' is given twice, first at vms[0]; allowed: each id once",
            id="duplicate VM id",
        ),
        pytest.param(
            "d['hosts'][1]['id'] = 'host-1'; d['migrations_in_flight'] = []",
            "hosts[1].id: 'host-1' is given twice, first at hosts[0]; allowed: each id once",
            id="duplicate host id",
        ),
        pytest.param(
            "d['rules'][0]['vms'] = ['vm-1', 'vm-8']",
            "rules[0].vms: there is no VM 'vm-8' in the file (of 'apart'); "
            "allowed: the id of a VM of the file",
            id="rule over a missing VM",
        ),
        pytest.param(
            "d['rules'][0]['hosts'] = ['host-7']",
            "rules[0].hosts: there is no host 'host-7' in the file (of 'apart'); "
            "allowed: the id of a host of the file",
            id="rule over a missing host",
        ),
        pytest.param(
            "d['rules'][0]['domains'] = [['host-1'], ['host-7']]",
            "rules[0].domains[1]: there is no host 'host-7' in the file (of 'apart'); "
            "allowed: the id of a host of the file",
            id="domain with a missing host",
        ),
        pytest.param(
            "d['rules'][0]['domains'] = [['host-1'], ['host-1']]",
            "rules[0].domains[1]: 'host-1' is in two domains (of 'apart'); allowed: each host in one",
            id="host in two domains",
        ),
        pytest.param(
            "d['rules'][0] |= {'type': 'affinity', 'most': 2}",
            "rules[0].most: most (of 'apart'); allowed: only in a rule of type 'anti_affinity'",
            id="number in a rule that keeps together",
        ),
        pytest.param(
            "d['rules'][0]['most'] = 0",
            "rules[0].most: 0; allowed: at least 1",
            id="number of none",
        ),
        pytest.param(
            "d['rules'][0]['vms'] = ['vm-1', 'vm-1']",
            "rules[0].vms: 'vm-1' is given twice (of 'apart'); allowed: each VM once",
            id="VM twice in a rule",
        ),
        pytest.param(
            "d['cluster']['ha'] = {'failover_hosts': ['host-5']}",
            "cluster.ha.failover_hosts: there is no host 'host-5' in the file; "
            "allowed: the id of a host of the file",
            id="unknown failover host",
        ),
        pytest.param(
            "d['migrations_in_flight'][0]['to'] = 'host-5'",
            "migrations_in_flight[0].to: there is no host 'host-5' in the file; "
            "allowed: the id of a host of the file",
            id="migration to an unknown host",
        ),
        pytest.param(
            "d['hosts'][0]['state'] = 'maintenence'",
            "hosts[0].state: 'maintenence'; allowed: 'connected', 'quarantine', "
            "'entering_maintenance', 'maintenance', 'standby', 'disconnected' or 'not_responding'; "
            "did you mean 'maintenance'?",
            id="misspelt state",
        ),
        pytest.param(
            "d['vms'][0]['memory_mib'] = '4096'",
            "vms[0].memory_mib: '4096'; allowed: a number; write it without quotes",
            id="number in quotes",
        ),
        pytest.param(
            "d['vms'][0]['cpu_demand_mhz'] = None",
            "vms[0].cpu_demand_mhz: null; allowed: a number; "
            "leave the key out where there is nothing to say",
            id="null for not measured",
        ),
        pytest.param(
            "del d['vms'][0]['vcpus']",
            "vms[0]: 'vcpus' is missing; allowed: it must be given",
            id="missing key",
        ),
        pytest.param(
            "d['taken_at'] = '2026-11-22T10:00:00'",
            "taken_at: '2026-11-22T10:00:00'; allowed: date and time with a time zone, "
            "such as 2026-11-22T10:00:00Z",
            id="time without a zone",
        ),
        pytest.param(
            "d['schema'] = 'balancer/snapshot/v2'",
            "schema: the file is of another kind or version, 'balancer/snapshot/v2'; "
            "allowed: 'balancer/snapshot/v1'; name the file that is meant",
            id="another version",
        ),
        pytest.param(
            "d['cluster']['drs'] = {'automation': 'disabled'}",
            "cluster.drs.automation: 'disabled'; "
            "allowed: 'manual', 'partiallyAutomated' or 'fullyAutomated'",
            id="a DRS level that a cluster cannot have",
        ),
        pytest.param("d['vms'] = {}", "vms: a mapping; allowed: a list", id="object for a list"),
    ],
)
def test_a_mistake_is_named_with_its_json_path(change: str, expected: str) -> None:
    assert problems_of(broken(change)) == [expected]


def test_all_mistakes_are_listed_at_once() -> None:
    change = "d['hosts'][0]['cpu_capacity_mhz'] = 0; d['vms'][0]['power'] = 'up'; del d['taken_at']"
    assert len(problems_of(broken(change))) == 3


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            b'{\n "schema": [1,\n}',
            "line 3, column 1: not valid JSON: expected value",
            id="stray bracket",
        ),
        pytest.param(
            b"",
            "line 1, column 0: not valid JSON: EOF while parsing a value",
            id="empty file",
        ),
        pytest.param(b"[]", "the document: a list; allowed: a mapping", id="a list"),
    ],
)
def test_errors_of_syntax_are_placed(content: bytes, expected: str) -> None:
    assert problems_of(content) == [expected]


def test_a_file_that_is_nested_without_end_is_refused() -> None:
    (problem,) = problems_of(b"[" * 1_000_000)
    assert problem.endswith("not valid JSON: recursion limit exceeded")


def test_a_key_given_twice_is_an_error() -> None:
    content = snapshot_bytes(builders.snapshot([builders.host(1), builders.host(2)], []))
    doubled = content.replace(b'"name": "esx2"', b'"name": "esx2", "state": "standby"')
    assert problems_of(doubled) == ["hosts[1]: 'state' given twice; allowed: each key once"]


def test_thousands_of_problems_are_counted_beyond_the_first_200() -> None:
    vms = [builders.vm(n, 1) for n in range(1000)]
    document = json.loads(snapshot_bytes(builders.snapshot([builders.host(1)], vms)))
    for vm in document["vms"]:
        vm["vcpus"] = 0
    problems = problems_of(json.dumps(document).encode())
    assert len(problems) == 201
    assert problems[-1] == "and: 800 more problems"


def test_a_hostile_name_cannot_write_to_the_terminal() -> None:
    snap = builders.snapshot([builders.host(1)], [builders.vm(1, 1)])
    lost = replace(snap, rules=(Rule(name="\x1b[2J\nx", type=RuleType.AFFINITY, vms=(VmId("v"),)),))
    (problem,) = problems_of(snapshot_bytes(lost))
    assert problem.isprintable()
