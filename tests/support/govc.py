"""Small made-up dumps in the form of `govc object.save`: one XML file for each managed object."""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

XSI = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
Properties = Mapping[str, str]


def ref(kind: str, key: str, tag: str = "val") -> str:
    """Return a reference."""
    told = f' {XSI} i:type="ManagedObjectReference"' if tag == "val" else ""
    return f'<{tag} type="{kind}"{told}>{key}</{tag}>'


def text(value: object, kind: str = "xsd:string") -> str:
    """Return a scalar."""
    return f'<val {XSI} i:type="{kind}">{escape(str(value))}</val>'


def refs(kind: str, *keys: str) -> str:
    """Return a list of references."""
    items = "".join(ref(kind, key, "ManagedObjectReference") for key in keys)
    return f'<val {XSI} i:type="ArrayOfManagedObjectReference">{items}</val>'


def whole(kind: str, inside: str) -> str:
    """Return a structure."""
    return f'<val {XSI} i:type="{kind}">{inside}</val>'


def object_xml(kind: str, key: str, properties: Properties) -> str:
    """Return a file's content, a line for each property."""
    entries = "\n".join(
        f"<propSet><name>{name}</name>{value}</propSet>" for name, value in properties.items()
    )
    return f'<ObjectContent>\n<obj type="{kind}">{key}</obj>\n{entries}\n</ObjectContent>'


def cluster_xml(*hosts: str, rules: str = "", **extra: str) -> str:
    """Return cluster domain-c1, named prod, of the named hosts."""
    properties = {
        "name": text("prod"),
        "configurationEx": whole(
            "ClusterConfigInfoEx",
            "<dasConfig><enabled>true</enabled></dasConfig>"
            f"<drsConfig><enabled>true</enabled><vmotionRate>3</vmotionRate></drsConfig>{rules}",
        ),
        "summary": whole("ClusterComputeResourceSummary", "<numHosts>1</numHosts>"),
        "host": refs("HostSystem", *hosts),
        "datastore": refs("Datastore", "ds-1"),
        "network": refs("Network", "net-1"),
    }
    return object_xml("ClusterComputeResource", "domain-c1", properties | extra)


def host_xml(number: int, *vms: str, mhz: object = 2500, **extra: str) -> str:
    """Return host-N named esxN: 16 cores of 2,500 MHz, 256 GiB."""
    properties = {
        "name": text(f"esx{number}"),
        "parent": ref("ClusterComputeResource", "domain-c1"),
        "runtime": whole(
            "HostRuntimeInfo",
            "<connectionState>connected</connectionState><powerState>poweredOn</powerState>"
            "<inMaintenanceMode>false</inMaintenanceMode>",
        ),
        "summary": whole(
            "HostListSummary",
            f"<hardware><cpuModel>Intel Xeon</cpuModel><cpuMhz>{mhz}</cpuMhz>"
            "<numCpuCores>16</numCpuCores><memorySize>274877906944</memorySize></hardware>"
            "<quickStats><overallCpuUsage>9000</overallCpuUsage></quickStats>"
            "<config><vmotionEnabled>true</vmotionEnabled></config>",
        ),
        "vm": refs("VirtualMachine", *vms),
    }
    return object_xml("HostSystem", f"host-{number}", properties | extra)


def vm_xml(
    number: int,
    on: int,
    *,
    cpus: object = 4,
    stats: str = "<overallCpuUsage>900</overallCpuUsage><guestMemoryUsage>2048</guestMemoryUsage>",
    devices: str = "",
    **extra: str,
) -> str:
    """Return vm-N named vmN on host-`on`: 16 GiB, running."""
    properties = {
        "name": text(f"vm{number}"),
        "runtime": whole(
            "VirtualMachineRuntimeInfo",
            f"{ref('HostSystem', f'host-{on}', 'host')}<connectionState>connected</connectionState>"
            "<powerState>poweredOn</powerState>",
        ),
        "summary": whole(
            "VirtualMachineSummary",
            f"<config><template>false</template><memorySizeMB>16384</memorySizeMB>"
            f"<numCpu>{cpus}</numCpu><instanceUuid>uuid-{number}</instanceUuid></config>"
            f"<quickStats>{stats}</quickStats>",
        ),
        "config": whole("VirtualMachineConfigInfo", f"<hardware>{devices}</hardware>"),
        "datastore": refs("Datastore", "ds-1"),
    }
    return object_xml("VirtualMachine", f"vm-{number}", properties | extra)


def datastore_xml(*hosts: str) -> str:
    """Return datastore ds-1 named san, mounted by the named hosts."""
    mounts = "".join(
        f"<DatastoreHostMount>{ref('HostSystem', host, 'key')}<mountInfo><accessMode>readWrite</accessMode>"
        "<mounted>true</mounted><accessible>true</accessible></mountInfo></DatastoreHostMount>"
        for host in hosts
    )
    summary = "<accessible>true</accessible><capacity>1099511627776</capacity><type>VMFS</type>"
    properties = {
        "name": text("san"),
        "summary": whole("DatastoreSummary", summary),
        "host": whole("ArrayOfDatastoreHostMount", mounts),
    }
    return object_xml("Datastore", "ds-1", properties)


def write_dump(folder: Path, *objects: str) -> Path:
    """Write objects as a dump, named as govc names them, and return the folder."""
    folder.mkdir(exist_ok=True)
    for number, content in enumerate(objects):
        head = content.partition('<obj type="')[2]
        kind, _, rest = head.partition('">')
        name = f"{number:04d}-{kind}-{rest.partition('<')[0]}.xml"
        (folder / name).write_text(content, encoding="utf-8")
    return folder
