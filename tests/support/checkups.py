"""Checkups with defaults: a vCenter where everything is right, so that a test shows only what is not."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from balancer.assess.doctor import Wishes, judge
from balancer.assess.doctor_cluster import ClusterWish
from balancer.model.checkup import (
    Adapter,
    Certificate,
    Checkup,
    ClockReading,
    ClusterFacts,
    Holding,
    ObjectKind,
    Rights,
    Server,
    Trust,
    VmotionSetup,
)
from balancer.model.finding import Check, Diagnosis, Finding
from balancer.model.privileges import Role, needed_ids
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId
from tests.support import builders

EVERY_ID = needed_ids(Role.EXECUTOR) | {"Authorization.ModifyRoles", "VirtualMachine.Config.Memory"}
"""What the server of these tests knows of privileges."""


def certificate(**facts: Any) -> Certificate:
    """Return a trusted certificate with 200 days left at noon."""
    defaults: dict[str, Any] = {
        "subject": "CN=vc1.example.com",
        "issuer": "CN=CA",
        "names": ("vc1.example.com",),
        "not_after": builders.NOON + timedelta(days=200),
        "thumbprint_sha256": "ab" * 32,
        "trust": Trust.SYSTEM,
    }
    return Certificate(**(defaults | facts))


def holding(kind: ObjectKind, name: str, held: Iterable[str], *, in_full: bool = False) -> Holding:
    """Return what is held on an object, of everything or of what the executor needs."""
    asked = EVERY_ID if in_full else needed_ids(Role.EXECUTOR)
    cluster = "" if kind is ObjectKind.ROOT else "prod"
    return Holding(
        kind=kind, name=name, held=frozenset(held), asked=frozenset(asked), cluster=cluster
    )


def rights(held: Iterable[str], on: Mapping[str, Iterable[str]] | None = None) -> Rights:
    """Return rights on the root, a cluster, two hosts and two VMs; `on` names objects that differ."""
    objects = [
        (ObjectKind.ROOT, "of the vCenter", True),
        (ObjectKind.CLUSTER, "prod", True),
        *((ObjectKind.HOST, f"esx{n}", False) for n in (1, 2)),
        *((ObjectKind.VM, f"vm{n}", n == 1) for n in (1, 2)),
    ]
    there = on or {}
    ids = frozenset(held)
    return Rights(
        holdings=tuple(
            holding(kind, name, there.get(name, ids), in_full=in_full)
            for kind, name, in_full in objects
        )
    )


def adapter(number: int, **facts: Any) -> Adapter:
    """Return vmk1 of host N: 192.0.2.N, MTU 9000, one link of 25 Gb/s."""
    defaults: dict[str, Any] = {
        "device": "vmk1",
        "address": f"192.0.2.{number}",
        "netmask": "255.255.255.0",
        "mtu": 9000,
        "stack": "defaultTcpipStack",
        "links_mbps": (25_000.0,),
    }
    return Adapter(**(defaults | facts))


def setup(number: int, **facts: Any) -> VmotionSetup:
    """Return host N's set-up: ESXi 8.0.3, one adapter, no option changed."""
    defaults: dict[str, Any] = {
        "host": HostId(f"host-{number}"),
        "name": f"esx{number}",
        "version": (8, 0, 3),
        "adapters": (adapter(number),),
        "options": {"Migrate.Enabled": "1", "Migrate.VMotionStreamHelpers": "0"},
    }
    return VmotionSetup(**(defaults | facts))


def small_cluster(**facts: Any) -> Snapshot:
    """Return two equal hosts with one VM each and EVC on."""
    hosts = [builders.host(n, max_evc_mode="intel-icelake", cpu_vendor="intel") for n in (1, 2)]
    vms = [builders.vm(n, n) for n in (1, 2)]
    cluster = {"evc_mode": "intel-skylake"} | facts.pop("cluster", {})
    given: dict[str, Any] = {"hosts": hosts, "vms": vms} | facts
    return builders.snapshot(given.pop("hosts"), given.pop("vms"), cluster=cluster, **given)


def checkup(**facts: Any) -> Checkup:
    """Return a vCenter and a cluster where everything is right; `snapshot` and `setups` are the cluster's."""
    cluster = ClusterFacts(
        name="prod",
        snapshot=facts.pop("snapshot", small_cluster()),
        setups=facts.pop("setups", (setup(1), setup(2))),
    )
    defaults: dict[str, Any] = {
        "vcenter": "vc1",
        "address": "vc1.example.com:443",
        "user": "balancer",
        "certificate": certificate(),
        "server": Server(product="vCenter", api_version="8.0.3.0", negotiated="8.0.3.0"),
        "clock": ClockReading(ahead_s=0.2, uncertain_s=0.1),
        "cluster_names": ("prod",),
        "rights": rights(needed_ids(Role.EXECUTOR)),
        "clusters": (cluster,),
    }
    return Checkup(**(defaults | facts))


def diagnosis(*, mode: str = "automatic", **facts: Any) -> Diagnosis:
    """Judge a checkup for one cluster in the given mode."""
    wish = ClusterWish(name="prod", mode=mode, acts=mode != "observe")
    return judge(checkup(**facts), Wishes(clusters=(wish,), snapshot_age_s=60.0), now=builders.NOON)


def of(check: Check, found: Diagnosis) -> tuple[Finding, ...]:
    """Return the findings of one check."""
    return tuple(finding for finding in found.every if finding.check is check)
