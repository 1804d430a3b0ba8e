"""What a vCenter may say that nobody expects: nothing raises, nothing is silent, each is counted by its cause."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.api.lookup import find_vm
from balancer.model.errors import BalancerError
from balancer.model.host import HostState
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import Blocker, Encryption
from balancer.ports import ClusterRef
from tests.support.fault_proxy import FaultProxy, Request, Spoil
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vsphere import HeardRequests, settings_for
from tests.support.wire import Row, document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")
READ = "RetrievePropertiesEx"


class Wire:
    """A test vCenter behind the proxy, and what the adapter heard."""

    def __init__(
        self, server: VCenterProcess, proxy: FaultProxy, vcenter: VsphereConnection
    ) -> None:
        self.server, self.proxy, self.vcenter = server, proxy, vcenter
        self.heard = HeardRequests()

    def read(self) -> Snapshot:
        return self.vcenter.inventory.snapshot(CLUSTER)

    def counted(self) -> dict[tuple[str, str], int]:
        """Return what was rejected, without the zeros."""
        told = self.heard.rejections.items()
        return {key: count for key, count in told if count and key[0] != "tags"}


@contextmanager
def wired(directory: Path, doc: Row) -> Iterator[Wire]:
    heard = HeardRequests()
    with start_vcenter(write(directory, doc)) as server, FaultProxy(server) as proxy:
        settings = settings_for(server, port=proxy.port, ca_file=proxy.ca_file, read_tags=False)
        with connect(settings, observer=heard) as vcenter:
            wire = Wire(server, proxy, vcenter)
            wire.heard = heard
            yield wire


def two_by_three(**first: object) -> Row:
    return document([host_row(1), host_row(2)], [vm_row(1, 1, **first), vm_row(2, 1), vm_row(3, 2)])


# -- words that are not known


def test_an_unknown_word_counts_for_the_stricter_side_and_is_told_in_snapshot_and_count(
    tmp_path: Path,
) -> None:
    doc = two_by_three(encryption="quantum", swap_placement="moon")
    doc["vms"][1]["encryption"] = "quantum"
    with wired(tmp_path, doc) as wire:
        read = wire.read()
        again = wire.vcenter.inventory.refresh(read, vms=[VmId("vm-1")], hosts=[])
    assert read.vm_by_id[VmId("vm-1")].encryption is Encryption.REQUIRED
    assert read.source.unknown_words == (
        "vm config.migrateEncryption: quantum",
        "vm config.swapPlacement: moon",
    )
    assert again.source.unknown_words == read.source.unknown_words
    assert wire.counted() == {("vm", "unknown_word"): 2}
    assert read.source.rejected_objects == 0  # they are whole


def test_a_datastore_in_a_mode_that_is_not_known_is_not_relied_on(tmp_path: Path) -> None:
    with wired(tmp_path, two_by_three()) as wire:
        wire.proxy.spoil(Spoil.REPLACE, READ, times=50, old=b">normal<", body=b">melting<")
        read = wire.read()
    assert [store.state.value for store in read.datastores] == ["maintenance"]
    assert wire.counted()["datastore", "unknown_word"] == 1
    assert "datastore summary.maintenanceMode: melting" in read.source.unknown_words


def test_a_word_that_an_enumeration_does_not_have_costs_its_object_alone(tmp_path: Path) -> None:
    doc = two_by_three(blockers=["latency_sensitive_pinned"])
    with wired(tmp_path, doc) as wire:
        wire.proxy.spoil(Spoil.REPLACE, READ, times=50, old=b">high<", body=b">extreme<")
        read = wire.read()
    assert [vm.blockers for vm in read.vms] == [(Blocker.INACCESSIBLE,), (), ()]
    assert wire.counted() == {("vm", "unreadable"): 1}
    assert read.source.rejected_objects == 1


# -- objects that are not there, or not shown


def test_a_vm_that_vanishes_between_list_and_read_is_counted_and_costs_no_other(
    tmp_path: Path,
) -> None:
    with wired(tmp_path, two_by_three()) as wire:

        def vanish(request: Request) -> None:
            if b"<pathSet>config.version</pathSet>" in request.body:
                wire.server.control.deny("vm-1", invisible=True)

        wire.proxy.on_request = vanish
        read = wire.read()
    assert [vm.id for vm in read.vms] == ["vm-2", "vm-3"]
    assert wire.counted() == {("vm", "vanished"): 1}
    assert read.source.rejected_objects == 0


def test_a_host_that_is_not_shown_takes_its_vms_out_and_they_are_counted(tmp_path: Path) -> None:
    with wired(tmp_path, two_by_three()) as wire:
        wire.server.control.deny("host-1", invisible=True)
        read = wire.read()
    assert [vm.id for vm in read.vms] == ["vm-3"]
    assert wire.counted() == {("vm", "unknown_host"): 2}
    assert read.source.rejected_objects == 2


def test_properties_that_are_not_shown_are_counted_and_hold_the_vm(tmp_path: Path) -> None:
    with wired(tmp_path, two_by_three()) as wire:
        wire.server.control.deny("vm-1", "config.hardware.device")
        wire.server.control.deny("host-2", "config.virtualNicManagerInfo.netConfig")
        wire.server.control.deny("host-1", "runtime.connectionState")
        read = wire.read()
    assert read.source.denied_objects == 3
    assert [host.id for host in read.hosts] == ["host-2"]  # of host-1 the state is not known
    assert wire.counted() == {
        ("host", "incomplete"): 1,
        ("vm", "unknown_host"): 2,
        ("vm", "unreadable"): 1,
    }


# -- names


def test_equal_names_are_told_apart_by_id_and_nobody_guesses_which_is_meant(tmp_path: Path) -> None:
    hosts = [host_row(1, name="esx"), host_row(2, name="esx")]
    doc = document(hosts, [vm_row(1, 1, name="db"), vm_row(2, 2, name="db")])
    with wired(tmp_path, doc) as wire:
        read = wire.read()
    assert [(vm.id, vm.name, vm.host) for vm in read.vms] == [
        ("vm-1", "db", "host-1"),
        ("vm-2", "db", "host-2"),
    ]
    assert wire.counted() == {}
    with pytest.raises(BalancerError, match=r"vm-1.*vm-2"):
        find_vm(read, "db")


HOSTILE = [
    "quotes ' \" and ` and ;drop",
    "a\nline and a\ttab",
    "\u202eright-to-left\u2066",
    "<b>&amp;]]></name><name>x",
    "\U0001f600\ufffe\u0085",
    "=cmd()|'/C calc'!A0",
    "%2f%00 ../../etc",
]


def test_hostile_names_of_every_kind_of_object_arrive_as_they_are(tmp_path: Path) -> None:
    vms = [vm_row(n, 1, name=name, folder=f"f{name}") for n, name in enumerate(HOSTILE, start=1)]
    hosts = [host_row(1, name=HOSTILE[3])]
    doc = document(hosts, vms)
    doc["networks"][0]["name"] = HOSTILE[2]
    with wired(tmp_path, doc) as wire:
        read = wire.read()
    names = {vm.id: vm.name for vm in read.vms}
    kept = {f"vm-{n}": name.replace("\ufffe", "\ufffd") for n, name in enumerate(HOSTILE, start=1)}
    assert names == kept
    assert read.host_by_id[HostId("host-1")].name == HOSTILE[3]
    assert [network.name for network in read.networks] == [HOSTILE[2]]
    assert wire.counted() == {}


@pytest.mark.parametrize(
    "bytes_",
    [b"a&#0;b", b"a\x00b", b"a\xed\xa0\x80b", b"a\xff\xfeb", b"a&unknown;b"],
    ids=["a reference to NUL", "NUL", "half of a surrogate pair", "no UTF-8", "an entity"],
)
def test_a_name_that_no_xml_can_hold_costs_its_object_alone(tmp_path: Path, bytes_: bytes) -> None:
    with wired(tmp_path, two_by_three(name="REPLACED")) as wire:
        wire.proxy.spoil(Spoil.REPLACE, READ, times=500, old=b"REPLACED", body=bytes_)
        read = wire.read()
    assert {vm.id for vm in read.vms} >= {"vm-2", "vm-3"}
    assert wire.counted() == {("vm", "unreadable"): 1}
    assert [host.state for host in read.hosts] == [HostState.CONNECTED] * 2


def test_a_name_of_a_megabyte_is_read(tmp_path: Path) -> None:
    with wired(tmp_path, two_by_three(name="x" * (1 << 20))) as wire:
        read = wire.read()
    assert len(read.vm_by_id[VmId("vm-1")].name) == 1 << 20
    assert wire.counted() == {}
