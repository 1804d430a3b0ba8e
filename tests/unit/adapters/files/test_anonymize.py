from dataclasses import replace

from balancer.adapters.files.anonymize import anonymized
from balancer.adapters.files.snapshot_file import snapshot_bytes
from balancer.model.host import VmotionLink
from balancer.model.rule import RuleType
from balancer.model.snapshot import Datastore, Network, ResourcePool, Snapshot, Source, SourceKind
from tests.support import builders

SECRET = "acme"


def telling_cluster() -> Snapshot:
    """Return a snapshot in which everything that has a name tells it."""
    things = {"tags": frozenset({"acme-tag"}), "groups": frozenset({"acme-group"})}
    link = VmotionLink(networks=frozenset({"acme 10.1.2.0/24"}))
    host = builders.host(1, name="acme-esx", vmotion=link, **things)
    vm = builders.vm(
        1,
        1,
        name="acme-vm",
        uuid="acme-uuid",
        folder="acme-folder",
        attributes={"acme-owner": "acme-person"},
        **things,
    )
    return builders.snapshot(
        [host],
        [vm, replace(vm, id=builders.vm(2, 1).id)],
        [builders.rule("acme-rule", RuleType.AFFINITY, [1, 2])],
        cluster={"name": "acme-cluster"},
        source=Source(kind=SourceKind.VCENTER, name="acme-vc", instance_uuid="acme-instance"),
        datastores=(Datastore(id="datastore-1", name="acme-store"),),
        networks=(Network(id="network-1", name="acme-net"),),
        resource_pools=(ResourcePool(id="resgroup-1", name="acme-pool"),),
    )


def test_no_name_is_left() -> None:
    assert SECRET in snapshot_bytes(telling_cluster()).decode()
    assert SECRET not in snapshot_bytes(anonymized(telling_cluster())).decode()


def test_ids_and_figures_stay() -> None:
    before, after = telling_cluster(), anonymized(telling_cluster())
    assert [host.id for host in after.hosts] == [host.id for host in before.hosts]
    assert [vm.cpu_demand_mhz for vm in after.vms] == [vm.cpu_demand_mhz for vm in before.vms]
    assert after.rules[0].vms == before.rules[0].vms


def test_equal_things_stay_equal_and_unequal_ones_unequal() -> None:
    first, second = anonymized(telling_cluster()).vms
    assert first.tags == second.tags
    assert first.uuid != second.uuid


def test_the_same_cluster_gives_the_same_pseudonyms() -> None:
    assert anonymized(telling_cluster()) == anonymized(telling_cluster())
