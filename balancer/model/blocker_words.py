"""What holds a VM on its host, in words for people: a phrase that fits behind "vm1:" and behind "12 VMs:".

The one place of these phrases: refusals, conflicts, reports and the reference page all take them from here.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from balancer.model.vm import Blocker

BLOCKER_WORDS: Mapping[Blocker, str] = MappingProxyType(
    {
        Blocker.PASSTHROUGH_DEVICE: "holds a pass-through device of its host",
        Blocker.VGPU: "holds a virtual GPU",
        Blocker.SRIOV: "holds an SR-IOV network device",
        Blocker.USB_DEVICE: "connected USB device",
        Blocker.CPU_AFFINITY: "pinned to processors of its host",
        Blocker.HOST_LOCAL_CDROM: "uses the CD drive of its host",
        Blocker.LOCAL_CDROM_BACKING: "CD image on local storage",
        Blocker.TOOLS_INSTALLING: "VMware Tools are being installed",
        Blocker.SHARED_SCSI_BUS: "shares a SCSI bus",
        Blocker.FAULT_TOLERANCE: "protected by Fault Tolerance",
        Blocker.PENDING_QUESTION: "waits for an answer to a question",
        Blocker.INACCESSIBLE: "not accessible to vCenter",
        Blocker.METHOD_DISABLED: "vMotion disabled by another program",
        Blocker.AGENT_VM: "agent VM of its host",
        Blocker.CONSOLIDATING: "disks are being consolidated",
        Blocker.LATENCY_SENSITIVE_PINNED: "pinned by high latency sensitivity",
    }
)


def blocker_words(blockers: Iterable[Blocker]) -> str:
    """Return the phrases of blockers, in the order of their words, divided by commas."""
    return ", ".join(BLOCKER_WORDS[blocker] for blocker in sorted(set(blockers)))
