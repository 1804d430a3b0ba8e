"""The clients in Python: ours, plain pyVmomi, and attribute by attribute. Each runs in a process of its own.

`python -m tests.bench.collect.clients NAME` reads a target on standard input and writes what it took as JSON.
Times are the process's own processor seconds around the reads; logging in is not part of them.
"""

import gc
import json
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pyVmomi import vim
from pyVmomi.SoapAdapter import SoapStubAdapter

from balancer.adapters.vsphere import connect
from balancer.adapters.vsphere.caches import Caches
from balancer.adapters.vsphere.observer import Unobserved
from balancer.adapters.vsphere.reader import Reader
from balancer.adapters.vsphere.retrieve import Retrieved, Wanted, retrieve_below
from balancer.adapters.vsphere.session import LoginGuard, Session
from balancer.adapters.vsphere.statistics import Sampled, StatisticsReader
from tests.bench.collect.paths import READS
from tests.bench.collect.target import Target
from tests.bench.planner.meter import peak_mib
from tests.support import wire
from tests.support.vcenter import API_VERSION

Found = dict[str, Any]
STUB: Any = SoapStubAdapter
SERVICE_INSTANCE: Any = vim.ServiceInstance


def ours(target: Target, what: str) -> Found:
    """Read the same paths in one go through our adapter."""
    with _session(target) as session:
        opened = session.opened()

        def work() -> list[Retrieved]:
            wanted = [
                Wanted(kind=kind, paths=paths, is_bulk=True) for _, kind, paths in READS[what]
            ]
            root = opened.content.rootFolder
            return [
                retrieve_below(opened, root, part, page_size=target.page_size) for part in wanted
            ]

        def size(found: list[Retrieved]) -> Found:
            objects = [facts for read in found for facts in read.objects]
            return {"objects": len(objects), "values": sum(len(f.values) for f in objects)}

        return _rounds(work, target.repeats, size)


def plain(target: Target, what: str) -> Found:
    """Read the same paths with pyVmomi's RetrievePropertiesEx, as its samples do it."""
    with _instance(target) as instance:
        reader = wire.Reader(instance)

        def work() -> list[Any]:
            return [
                content
                for _, kind, paths in READS[what]
                for page in reader.retrieve(kind, list(paths), page=target.page_size)
                for content in page
            ]

        def size(found: list[Any]) -> Found:
            return {"objects": len(found), "values": sum(len(c.propSet) for c in found)}

        return _rounds(work, target.repeats, size)


def naive(target: Target, what: str) -> Found:
    """Read attribute by attribute, of a few VMs."""
    (paths,) = [paths for name, _, paths in READS[what] if name == "VirtualMachine"]
    with _instance(target) as instance:
        vms = list(wire.Reader(instance).all(vim.VirtualMachine).values())[: target.sample]

        def work() -> list[Any]:
            return [_attribute(vm, path) for vm in vms for path in paths]

        return _rounds(work, 1, lambda found: {"objects": len(vms), "values": len(found)})


def snapshots(target: Target, what: str) -> Found:
    """Take whole snapshots, as the daemon does: the first reads everything, the others a cycle."""
    with connect(target.settings()) as vcenter:
        (cluster,) = vcenter.inventory.clusters()
        return _rounds(
            lambda: vcenter.inventory.snapshot(cluster),
            1 + target.repeats,
            lambda read: {"objects": len(read.hosts) + len(read.vms), "values": 0},
        )


def tiers(target: Target, what: str) -> Found:
    """Read hosts and VMs of a cluster through the caches: the first round is full, the others a cycle."""
    with _session(target) as session:
        reader = Reader(session)
        caches = Caches(reader, kept_s=session.settings.full_read_every_s)
        (cluster,) = (facts.id for facts in reader.clusters().objects)

        def work() -> int:
            hosts = caches.hosts.completed(reader.hosts_in(cluster), cluster=cluster)
            vms = caches.vms.completed(reader.vms_in(cluster), cluster=cluster)
            return len(hosts.objects) + len(vms.objects)

        return _rounds(work, 1 + target.repeats, lambda n: {"objects": n, "values": 0})


def statistics(target: Target, what: str) -> Found:
    """Read the real-time statistics of all hosts and VMs, and put the figures into them."""
    with connect(target.settings()) as vcenter, _session(target) as session:
        (cluster,) = vcenter.inventory.clusters()
        read = vcenter.inventory.snapshot(cluster)
        clock, reader = Reader(session), StatisticsReader(session, observer=Unobserved())
        plain_hosts = [replace(host, sampled_at=None) for host in read.hosts]
        plain_vms = [replace(vm, sampled_at=None) for vm in read.vms]

        def work() -> Sampled:
            return reader.applied(plain_hosts, plain_vms, now=clock.now(), all_hosts=plain_hosts)

        def size(found: Sampled) -> Found:
            times = [each.sampled_at for each in found.hosts]
            times += [each.sampled_at for each in found.vms]
            return {"objects": len(times), "values": len(times) - times.count(None)}

        return _rounds(work, 1 + target.repeats, size)


def _rounds(work: Callable[[], Any], repeats: int, size: Callable[[Any], Found]) -> Found:
    cpu, wall, found = [], [], {}
    for _ in range(repeats):
        gc.collect()
        started = (time.process_time(), time.perf_counter())
        result = work()
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
        found = size(result)
        del result
    return {"cpu_s": cpu, "wall_s": wall, "peak_mib": peak_mib(), **found}


@contextmanager
def _session(target: Target) -> Iterator[Session]:
    settings = target.settings()
    session = Session(
        settings, guard=LoginGuard(), observer=Unobserved(), timeout_s=settings.read_timeout_s
    )
    try:
        yield session
    finally:
        session.close()


@contextmanager
def _instance(target: Target) -> Iterator[Any]:
    context = ssl.create_default_context(cafile=str(target.ca_file))
    stub = STUB(host=target.host, port=target.port, version=API_VERSION, sslContext=context)
    instance = SERVICE_INSTANCE("ServiceInstance", stub)
    sessions = instance.RetrieveContent().sessionManager
    sessions.Login(target.username, target.password)
    try:
        yield instance
        sessions.Logout()
    finally:
        stub.DropConnections()


def _attribute(found: Any, path: str) -> Any:
    for name in path.split("."):
        found = getattr(found, name) if found is not None else None
    return found


CLIENTS = {
    "ours": ours,
    "plain": plain,
    "naive": naive,
    "snapshots": snapshots,
    "statistics": statistics,
    "tiers": tiers,
}

if __name__ == "__main__":
    client, reads = sys.argv[1:]
    given = Target.model_validate_json(sys.stdin.read())
    sys.stdout.write(json.dumps(CLIENTS[client](given, reads)))
