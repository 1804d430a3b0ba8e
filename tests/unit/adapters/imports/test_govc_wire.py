"""What the test vCenter answers, written as `govc object.save` would, is the cluster that the vCenter serves."""

import http.client
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest

from balancer.adapters.files import read_snapshot
from balancer.adapters.imports.govc import import_govc
from balancer.model.host import Host, HostState
from balancer.model.vm import Vm
from tests.support.govc import write_dump
from tests.support.vcenter import VCenterProcess, connect, start_vcenter

SMALL = Path("tests/data/small.snapshot.json")
ASK = """<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<RetrievePropertiesEx xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector</_this><specSet>
<propSet><type>ManagedEntity</type><all>true</all></propSet><propSet><type>Task</type><all>true</all></propSet>
<objectSet><obj type="ContainerView">{view}</obj><skip>true</skip>
<selectSet xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="TraversalSpec"><type>ContainerView</type>
<path>view</path><skip>false</skip><selectSet><name>tasks</name></selectSet></selectSet>
<selectSet xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="TraversalSpec"><name>tasks</name>
<type>ManagedEntity</type><path>recentTask</path><skip>false</skip></selectSet></objectSet></specSet>
<options/></RetrievePropertiesEx></s:Body></s:Envelope>"""

pytestmark = pytest.mark.wire


def saved(server: VCenterProcess) -> Iterator[str]:
    """Yield all objects of the inventory with all their properties, as files of a dump."""
    with connect(server) as instance:
        content = instance.RetrieveContent()
        view = content.viewManager.CreateContainerView(content.rootFolder, [], True)
        link = http.client.HTTPSConnection(server.host, server.port, context=server.tls_context())
        headers = {"Cookie": instance._stub.cookie, "SOAPAction": "urn:vim25/8.0.3.0"}
        link.request("POST", "/sdk", ASK.format(view=view._GetMoId()), headers)
        answer = fromstring(link.getresponse().read())
        link.close()
    for entry in answer.iter("{urn:vim25}objects"):
        yield tostring(bare(entry, "ObjectContent"), "unicode")


def bare(element: Element, tag: str) -> Element:
    """Return an element without the namespace of the answer."""
    made = Element(tag, element.attrib)
    made.text = element.text
    made.extend(bare(child, child.tag.rpartition("}")[2]) for child in element)
    return made


def test_a_dump_of_a_vcenter_is_the_cluster_that_it_serves(tmp_path: Path) -> None:
    with start_vcenter(SMALL) as server:
        dump = write_dump(tmp_path / "dump", *saved(server))
    imported, wanted = import_govc([dump]), read_snapshot(SMALL)
    found = imported.snapshot
    assert not imported.findings.items
    assert found.source.rejected_objects == 0
    assert list(map(told_host, found.hosts)) == list(map(told_host, wanted.hosts))
    assert found.hosts[3].state is HostState.ENTERING_MAINTENANCE
    assert list(map(told_vm, found.vms)) == list(map(told_vm, wanted.vms))
    assert {(r.name, r.type, r.mandatory, r.vms, r.hosts) for r in found.rules} == {
        (r.name, r.type, r.mandatory, r.vms, r.hosts) for r in wanted.rules
    }
    assert found.cluster.ha.enabled is wanted.cluster.ha.enabled


def told_host(host: Host) -> tuple[object, ...]:
    capacity = (host.cpu_capacity_mhz, host.memory_capacity_mib, host.cpu_cores)
    return (
        *(host.id, host.name, host.state, host.cpu_overhead_mhz, host.memory_overhead_mib),
        *(capacity, host.max_evc_mode, host.vmotion.link_mbps, host.datastores, host.networks),
    )


def told_vm(vm: Vm) -> tuple[object, ...]:
    figures = (vm.cpu_demand_mhz, vm.memory_active_mib, vm.memory_consumed_mib)
    return (
        *(vm.id, vm.name, vm.host, vm.uuid, vm.power, vm.vcpus, vm.memory_mib, figures),
        *(vm.min_evc_mode, vm.datastores, vm.networks, vm.blockers, vm.automation),
    )
