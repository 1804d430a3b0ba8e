"""The facts that `balancer doctor` judges: one vCenter, its account's rights, its clusters' vMotion set-up.

Values only. What could not be read is `Unread` with the reason, never an empty value. Filled by the
vSphere adapter's examination, judged by `assess.doctor`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds


@dataclass(frozen=True, slots=True)
class Unread:
    """Facts that could not be had: why, and what to do, for people.

    `is_consequence`: they were not asked for, as something before failed, which has a finding of its own.
    """

    why: str
    mend: str = ""
    is_consequence: bool = False


class Trust(StrEnum):
    """By what a certificate is verified."""

    SYSTEM = "the certificate authorities of this system"
    CA_FILE = "tls.ca_file"
    PIN = "tls.thumbprint_sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The certificate that a server shows. `refused` says why it is not trusted; empty where it is."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_after: datetime
    thumbprint_sha256: str
    trust: Trust
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a vCenter says of itself. `negotiated` is the version of the API that both agreed on."""

    product: str
    api_version: str
    negotiated: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """How far the server's clock is ahead of ours, and the most that this may be wrong."""

    ahead_s: Seconds
    uncertain_s: Seconds


class ObjectKind(StrEnum):
    """What a privilege was asked of."""

    ROOT = "the root folder"
    CLUSTER = "cluster"
    FOLDER = "folder"
    HOST = "host"
    VM = "VM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The privileges that the account holds on one object, of those that were asked about.

    `cluster` is the configured cluster that the object belongs to; empty for the root.
    """

    kind: ObjectKind
    name: str
    held: frozenset[str]
    asked: frozenset[str]
    cluster: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What the account may do, object by object. `unread` says which objects could not be asked about."""

    holdings: tuple[Holding, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A vmkernel adapter that is selected for vMotion, with the speeds in Mb/s of the links behind it.

    A link that is down has speed 0. `stack` is the TCP/IP stack, such as `defaultTcpipStack` or
    `vmotion`.
    """

    device: str
    address: str | None = None
    netmask: str | None = None
    mtu: int | None = None
    stack: str | None = None
    links_mbps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VmotionSetup:
    """How one host is set up for vMotion. `version` is ESXi's; options are its `Migrate.*` ones."""

    host: HostId
    name: str
    version: tuple[int, ...] = ()
    is_supported: bool = True
    adapters: tuple[Adapter, ...] = ()
    options: Mapping[str, str] | Unread = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """One configured cluster as it was read."""

    name: str
    snapshot: Snapshot | Unread
    setups: tuple[VmotionSetup, ...] | Unread = Unread("the cluster was not read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """One vCenter as it was read, as far as it could be."""

    vcenter: str
    address: str
    user: str
    certificate: Certificate | Unread
    server: Server | Unread
    clock: ClockReading | Unread
    cluster_names: tuple[str, ...] | Unread
    rights: Rights | Unread
    clusters: tuple[ClusterFacts, ...] = ()
