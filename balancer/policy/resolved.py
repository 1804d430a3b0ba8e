"""What a policy amounts to on one snapshot: rules of known VMs, VMs left alone, modes, and what is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from balancer.model.goal import Goal
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.policy.mode import Mode


class NoteKind(StrEnum):
    """What a note is about. The words are stable: tests, lint and documents use them."""

    NO_VMS = "no_vms"  # a rule that selects no VM
    ONE_VM = "one_vm"  # a rule between VMs that selects one
    ONE_RUNNING = "one_running"  # a rule between VMs of which fewer than two run
    NO_HOSTS = "no_hosts"  # a rule, or a group of hosts in it, that selects no host
    SHARED_HOST = "shared_host"  # a host in two of a rule's groups of hosts
    NO_SUCH_RULE = "no_such_rule"  # a name in `drs` that no rule of the cluster has
    SWITCHED_OFF = "switched_off"  # a rule of the cluster that does not count
    SOFTENED = "softened"  # a mandatory rule of the cluster that counts as "should"
    SAME_NAME = "same_name"  # a rule of the policy named as one of the cluster
    TAG_NO_RULE = "tag_no_rule"  # a tag with the prefix that says nothing we know
    TAGS_UNKNOWN = "tags_unknown"  # what is said by tag cannot be told
    GUEST_OS_UNKNOWN = "guest_os_unknown"  # what is said by guest system cannot be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing to know about a policy on this snapshot. `where` is the rule's place, where it has one."""

    kind: NoteKind
    text: str
    rule: str = ""
    where: str = ""

    def __str__(self) -> str:
        """Return the note as a line."""
        return f"{self.where}: {self.text}" if self.where else self.text


Excluded = Mapping[Goal, Mapping[VmId, Refusal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A snapshot as a policy reads it.

    The rules of `snapshot` are those of the cluster as the policy takes them, then the policy's, then those
    of tags, each with its origin. `excluded` are the VMs that are left alone, by goal; `vm_modes` the freest
    mode of VMs that have one. `places` says where the rules of the policy and of tags are written, by the
    name that they have in the snapshot. `unfit` says why the facts do for evacuations at most: what a must
    speaks of is not known.
    """

    snapshot: Snapshot
    excluded: Excluded = field(default_factory=lambda: MappingProxyType({}))
    vm_modes: Mapping[VmId, Mode] = field(default_factory=lambda: MappingProxyType({}))
    places: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[Note, ...] = ()
    unfit: tuple[Refusal, ...] = ()
