"""What rules out many hosts for one VM, in words and by how often. No judgement of its own: it counts refusals."""

from collections import Counter
from collections.abc import Iterable

from balancer.model.reasons import Reason, Refusal

_WORDS = {
    Reason.MEMORY_CEILING: "memory is full",
    Reason.CPU_RESERVATION: "CPU reservations are full",
    Reason.MEMORY_RESERVATION: "memory reservations are full",
    Reason.CPU_CEILING: "CPU demand would be too high",
    Reason.VCPU_CEILING: "vCPUs per core are at their limit",
    Reason.HOST_VM_LIMIT: "the number of VMs is at its limit",
    Reason.ANTI_AFFINITY: "another VM of a kept-apart group is there",
    Reason.AFFINITY: "the VMs that it is kept with cannot go there",
    Reason.VM_HOST_AFFINE: "a VM-host rule does not allow it",
    Reason.VM_HOST_ANTI_AFFINE: "a VM-host rule forbids it",
    Reason.EVC: "the processors are too old",
    Reason.EVC_UNKNOWN: "the processors cannot be compared",
    Reason.CPU_VENDOR: "the processors are of another vendor",
    Reason.CPU_FEATURES: "processor features are missing",
    Reason.DATASTORE: "a datastore is not reachable",
    Reason.NETWORK: "a network is missing",
    Reason.TARGET_HOST_STATE: "the host takes no VMs now",
    Reason.FAILOVER_HOST: "the host is kept free for HA",
    Reason.VMOTION_DISABLED: "vMotion is off",
    Reason.SOURCE_HOST_STATE: "its own host gives no VMs now",
    Reason.ABOVE_THRESHOLD: "it would become contended",
}


def obstacles(refusals: Iterable[Refusal]) -> str:
    """Return the reasons with the number of hosts, the most frequent first; empty where there are none.

    One refusal per host is expected, as in "memory is full on 3 hosts; a network is missing on 1 host".
    """
    count = Counter(refusal.reason for refusal in refusals)
    count.pop(Reason.ON_SOURCE_ALREADY, None)
    ranked = sorted(count, key=lambda reason: (-count[reason], reason))
    return "; ".join(
        f"{_WORDS.get(reason, str(reason).replace('_', ' '))} on {count[reason]} "
        f"host{'s' if count[reason] != 1 else ''}"
        for reason in ranked
    )
