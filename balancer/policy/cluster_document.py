"""A cluster written out in short, for tests of policies: hosts and VMs with what matters, the rest by default.

It owns the form and the step to a snapshot; the same document gives the same snapshot. A generated cluster
is described here and made by whoever has a generator.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from balancer.model.host import Host, HostState
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Cluster, Snapshot, Source, SourceKind
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import Automation, PowerState, Vm
from balancer.policy.problems import Loc, Mistake, nearest, plain, shown
from balancer.policy.selector_document import AtLeastOne, DocumentPart, Word
from balancer.policy.unchecked import entries, part, text, texts

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""A Monday: when a written or generated cluster is looked at where the test names no time."""

MOST_COPIES = 2000
MOST_WRITTEN = 10_000
"""Hosts, or VMs, of one cluster that is written out."""

Figure = Annotated[float, Field(ge=0, le=1e12)]
Capacity = Annotated[float, Field(gt=0, le=1e12)]
Copies = Annotated[int, Field(ge=1, le=MOST_COPIES)]


class HostsDocument(DocumentPart):
    """Hosts that are alike. With `count` they are called name-1, name-2 and so on."""

    name: Word = Field(description="Name of the host, or the first part of it.")
    count: Copies | None = Field(default=None, description="So many of them.")
    state: HostState = Field(default=HostState.CONNECTED, description="What may be done with it.")
    cpu_mhz: Capacity = Field(default=40_000.0, description="Capacity of all cores.")
    memory_mib: Capacity = Field(default=262_144.0, description="Memory.")
    cpu_cores: AtLeastOne = Field(default=16, description="Cores.")
    groups: tuple[Word, ...] = Field(default=(), description="Host groups that it is in.")
    tags: tuple[Word, ...] = Field(default=(), description="vSphere tags as category:name.")

    def hosts(self) -> Iterator[Host]:
        """Yield the hosts; a host's id is its name."""
        for name in _names(self.name, self.count):
            yield Host(
                id=HostId(name),
                name=name,
                state=self.state,
                cpu_capacity_mhz=self.cpu_mhz,
                memory_capacity_mib=self.memory_mib,
                cpu_cores=self.cpu_cores,
                groups=frozenset(self.groups),
                tags=frozenset(self.tags),
            )


class VmsDocument(DocumentPart):
    """VMs that are alike. With `count` they are called name-1, name-2 and so on."""

    name: Word = Field(description="Name of the VM, or the first part of it.")
    count: Copies | None = Field(default=None, description="So many of them.")
    host: tuple[Word, ...] = Field(
        min_length=1, description="Where they run: hosts by name, gone through in turn."
    )
    power: PowerState = Field(default=PowerState.ON, description="Whether it runs.")
    vcpus: AtLeastOne = Field(default=2, description="Number of vCPUs.")
    memory_mib: Capacity = Field(default=8192.0, description="Configured memory, all of it held.")
    cpu_mhz: Figure = Field(default=1000.0, description="CPU that it wants.")
    active_mib: Figure | None = Field(
        default=None, description="Memory in use. Not given: half of what is configured."
    )
    automation: Automation = Field(
        default=Automation.FULLY_AUTOMATED, description="DRS override of the VM."
    )
    folder: Word | None = Field(default=None, description="VM folder by path.")
    groups: tuple[Word, ...] = Field(default=(), description="VM groups that it is in.")
    tags: tuple[Word, ...] = Field(default=(), description="vSphere tags as category:name.")
    attributes: dict[Word, str] = Field(default_factory=dict, description="Custom attributes.")

    def vms(self) -> Iterator[Vm]:
        """Yield the VMs; a VM's id is its name."""
        for turn, name in enumerate(_names(self.name, self.count)):
            active = self.memory_mib / 2 if self.active_mib is None else self.active_mib
            yield Vm(
                id=VmId(name),
                name=name,
                host=HostId(self.host[turn % len(self.host)]),
                power=self.power,
                vcpus=self.vcpus,
                memory_mib=self.memory_mib,
                cpu_demand_mhz=self.cpu_mhz,
                memory_active_mib=min(active, self.memory_mib),
                memory_consumed_mib=self.memory_mib,
                automation=self.automation,
                folder=self.folder,
                groups=frozenset(self.groups),
                tags=frozenset(self.tags),
                attributes=self.attributes,
            )


class ClusterRuleDocument(DocumentPart):
    """A DRS rule of the cluster itself."""

    name: Word = Field(description="Name of the rule.")
    type: RuleType = Field(description="What the rule asks for.")
    vms: tuple[Word, ...] = Field(min_length=1, description="The VMs, by name.")
    hosts: tuple[Word, ...] = Field(default=(), description="The hosts, by name.")
    mandatory: bool = Field(default=True, description="must or should.")
    enabled: bool = Field(default=True, description="Whether it is switched on.")

    def rule(self) -> Rule:
        """Return the rule."""
        return Rule(
            name=self.name,
            type=self.type,
            vms=tuple(map(VmId, self.vms)),
            hosts=frozenset(map(HostId, self.hosts)),
            mandatory=self.mandatory,
            enabled=self.enabled,
        )


class ClusterDocument(DocumentPart):
    """A cluster of a few hosts and VMs."""

    name: Word = Field(default="cluster", description="Name of the cluster.")
    hosts: tuple[HostsDocument, ...] = Field(min_length=1, description="Its hosts.")
    vms: tuple[VmsDocument, ...] = Field(default=(), description="Its VMs.")
    rules: tuple[ClusterRuleDocument, ...] = Field(default=(), description="Its own DRS rules.")

    def snapshot(self, at: datetime | None) -> Snapshot:
        """Return the cluster as it stands at a time (UTC or with an offset); None: a Monday at noon."""
        return Snapshot(
            taken_at=at or NOON,
            cluster=Cluster(id=ClusterId(self.name), name=self.name),
            hosts=tuple(host for entry in self.hosts for host in entry.hosts()),
            vms=tuple(vm for entry in self.vms for vm in entry.vms()),
            rules=tuple(entry.rule() for entry in self.rules),
            source=Source(kind=SourceKind.FILE, name="policy test"),
        )


class GenerateDocument(DocumentPart):
    """A generated cluster: uneven and busy, with broken rules; the same seed gives the same one."""

    name: Word = Field(default="generated", description="Name of the cluster.")
    hosts: Annotated[int, Field(ge=2, le=96)] = Field(default=16, description="Hosts.")
    vms: Annotated[int, Field(ge=2, le=10_000)] = Field(default=400, description="VMs.")
    seed: int = Field(default=0, description="Another seed gives another cluster.")
    hottest_cpu: Annotated[float, Field(gt=0, le=1.5)] | None = Field(
        default=None, description="CPU demand of one host, as a share of its capacity."
    )
    broken_pairs: Annotated[int, Field(ge=0, le=100)] = Field(
        default=1, description="Pairs of VMs that a rule keeps apart and that stand together."
    )
    entering_maintenance: Annotated[int, Field(ge=0, le=95)] = Field(
        default=0, description="Hosts that enter maintenance."
    )


def cluster_mistakes(data: object) -> Iterator[Mistake]:
    """Yield names given twice and names that are not there, from the plain values of a document."""
    cluster = part(data, "cluster")
    known: dict[str, set[str]] = {}
    for key in ("hosts", "vms"):
        known[key] = set()
        for index, entry in entries(cluster, key):
            names = set(_names(text(entry, "name"), _copies(entry)))
            twice = sorted(known[key] & names)
            if twice:
                path: Loc = ("cluster", key, index, "name")
                found = f"{shown(twice[0])} is given twice"
                yield Mistake(path=path, found=found, allowed="each name once")
            known[key] |= names
            if len(known[key]) > MOST_WRITTEN:
                allowed = f"at most {MOST_WRITTEN:,} in all"
                yield Mistake(path=("cluster", key), found="too many", allowed=allowed)
                return
    yield from _unknown(cluster, "vms", "host", known["hosts"])
    yield from _unknown(cluster, "rules", "hosts", known["hosts"])
    yield from _unknown(cluster, "rules", "vms", known["vms"])


def _unknown(
    cluster: Mapping[str, object], key: str, names: str, known: set[str]
) -> Iterator[Mistake]:
    for index, entry in entries(cluster, key):
        for place, name in enumerate(texts(entry, names)):
            if known and name not in known:
                yield Mistake(
                    path=("cluster", key, index, names, place),
                    found=f"there is no {shown(name)} in this cluster",
                    allowed=_some(sorted(known)),
                    hint=nearest(name, known),
                )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return plain(", ".join(names[:8])) + more


def _copies(entry: Mapping[str, object]) -> int | None:
    count = entry.get("count")
    is_count = isinstance(count, int) and not isinstance(count, bool)
    return min(count, MOST_COPIES) if is_count and isinstance(count, int) else None


def _names(name: str, count: int | None) -> list[str]:
    return [name] if count is None else [f"{name}-{number}" for number in range(1, count + 1)]
