"""The snapshot's keys stand in three places: the published schema, the reader and the model."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters.files import snapshot_types as types
from balancer.model import evc, host, rule, snapshot, vm

SCHEMA = json.loads(
    (Path(__file__).parents[4] / "balancer/schemas/snapshot.v1.schema.json").read_text()
)
RENAMED = {"source": "from", "target": "to"}
NO_FACTS = {"is_asked_empty"}
"""What people ask of the balancer is laid over a snapshot, and no part of one."""

SHAPES = {
    "source": (types.SourceEntry, snapshot.Source),
    "cluster": (types.ClusterEntry, snapshot.Cluster),
    "cluster.evc_modes": (types.EvcModeEntry, evc.EvcMode),
    "cluster.drs": (types.DrsEntry, snapshot.Drs),
    "cluster.ha": (types.HaEntry, snapshot.Ha),
    "hosts": (types.HostEntry, host.Host),
    "hosts.vmotion": (types.VmotionEntry, host.VmotionLink),
    "vms": (types.VmEntry, vm.Vm),
    "vms.profile": (types.ProfileEntry, vm.Profile),
    "vms.disks": (types.DiskEntry, vm.Disk),
    "rules": (types.RuleEntry, rule.Rule),
    "datastores": (types.DatastoreEntry, snapshot.Datastore),
    "networks": (types.NetworkEntry, snapshot.Network),
    "resource_pools": (types.ResourcePoolEntry, snapshot.ResourcePool),
}


def published(path: str) -> dict[str, Any]:
    part = SCHEMA
    for key in filter(None, path.split(".")):
        part = part["properties"][key]
        part = part.get("items", part)
    return part


def model_keys(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind) if field.init} - NO_FACTS


@pytest.mark.parametrize(("path", "shape"), SHAPES.items(), ids=SHAPES.keys())
def test_reader_schema_and_model_have_the_same_keys(path: str, shape: tuple[Any, type]) -> None:
    entry, kind = shape
    assert set(entry.__annotations__) == set(published(path)["properties"]) == model_keys(kind)


@pytest.mark.parametrize(("path", "shape"), SHAPES.items(), ids=SHAPES.keys())
def test_reader_and_schema_require_the_same_keys(path: str, shape: tuple[Any, type]) -> None:
    assert set(published(path).get("required", ())) == shape[0].__required_keys__


def test_migrations_in_flight_have_the_same_keys() -> None:
    keys = {RENAMED.get(key, key) for key in model_keys(snapshot.InFlight)}
    schema = published("migrations_in_flight")["properties"]
    assert set(types.InFlightEntry.__annotations__) == set(schema) == keys


def test_the_whole_file_has_the_same_keys() -> None:
    keys = model_keys(snapshot.Snapshot) - {"in_flight"} | {"schema", "migrations_in_flight"}
    assert set(types.SnapshotEntry.__annotations__) == set(published("")["properties"]) == keys


@pytest.mark.parametrize(
    ("path", "key", "words"),
    [
        ("hosts", "state", host.HostState),
        ("vms", "power", vm.PowerState),
        ("vms", "automation", vm.Automation),
        ("vms", "encryption", vm.Encryption),
        ("vms", "demand_basis", vm.DemandBasis),
        ("rules", "type", rule.RuleType),
        ("datastores", "state", snapshot.DatastoreState),
        ("source", "kind", snapshot.SourceKind),
    ],
)
def test_the_words_of_the_schema_are_those_of_the_model(path: str, key: str, words: Any) -> None:
    assert set(published(path)["properties"][key]["enum"]) == set(words)


def test_the_blockers_of_the_schema_are_those_of_the_model() -> None:
    assert set(published("vms")["properties"]["blockers"]["items"]["enum"]) == set(vm.Blocker)
