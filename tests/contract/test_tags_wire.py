"""Tags and custom attributes as they come over the wire, and what stays when the REST API does not answer."""

from pathlib import Path

import pytest

from balancer.model.snapshot import Snapshot, TagsState
from tests.contract.test_inventory_wire import CLUSTER, served
from tests.support.wire import Row, document, host_row, vm_row

pytestmark = pytest.mark.wire
LIST = "list-attached-tags-on-objects"


def tagged_document() -> Row:
    hosts = [host_row(1, tags=["rack:a"]), host_row(2)]
    vms = [
        vm_row(1, 1, tags=["tier:gold", "app:db"], attributes={"owner": "finance", "note": "a\nb"}),
        vm_row(2, 1, tags=["tier:gold"]),
        vm_row(3, 2),
    ]
    return document(hosts, vms)


def tags_of(read: Snapshot) -> dict[str, set[str]]:
    found = {vm.name: set(vm.tags) for vm in read.vms} | {h.name: set(h.tags) for h in read.hosts}
    return {name: tags for name, tags in found.items() if tags}


EXPECTED = {"vm1": {"tier:gold", "app:db"}, "vm2": {"tier:gold"}, "esx1": {"rack:a"}}


def test_tags_are_read_back_and_asked_for_once(tmp_path: Path) -> None:
    with served(tmp_path, tagged_document()) as (server, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
        assert tags_of(read) == EXPECTED
        assert read.source.tags is TagsState.KNOWN
        again = vcenter.inventory.refresh(read, vms=["vm-1"], hosts=[])
        assert tags_of(again) == EXPECTED
        assert server.control.calls().calls[LIST] == 1


def test_without_an_answer_the_rest_of_the_snapshot_stands_and_the_tags_are_unknown(
    tmp_path: Path,
) -> None:
    with served(tmp_path, tagged_document()) as (server, vcenter):
        server.control.drop_reply(LIST)
        read = vcenter.inventory.snapshot(CLUSTER)
        assert (len(read.vms), read.source.rejected_objects) == (3, 0)
        assert tags_of(read) == {}
        assert read.source.tags is TagsState.UNREACHABLE


def test_tags_that_are_switched_off_are_not_asked_for(tmp_path: Path) -> None:
    with served(tmp_path, tagged_document(), read_tags=False) as (server, vcenter):
        assert vcenter.inventory.snapshot(CLUSTER).source.tags is TagsState.OFF
        assert LIST not in server.control.calls().calls


def test_custom_attributes_are_read_by_their_names(tmp_path: Path) -> None:
    with served(tmp_path, tagged_document()) as (_, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
    found = {vm.name: dict(vm.attributes) for vm in read.vms if vm.attributes}
    assert found == {"vm1": {"owner": "finance", "note": "a\nb"}}
