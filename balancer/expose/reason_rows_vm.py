"""Words for the reasons that lie in a VM or in a pair of VM and host. Rows of `reason_texts`, nothing else."""

from balancer.model.blocker_words import BLOCKER_WORDS
from balancer.model.reasons import Reason
from balancer.model.vm import Blocker

Row = tuple[Reason, str, str, str]
"""Reason, phrase, sentence, mend."""

_PIN = "Remove the device from the VM, or move the VM by hand while it is powered off."
_ROOM = "Free room on the target, add a host, or raise the threshold in the policy."

VM_AND_PAIR_ROWS: tuple[Row, ...] = (
    # the VM itself
    (
        Reason.NOT_RUNNING,
        "not powered on",
        "Only a VM that is powered on is load, and only such a VM is moved.",
        "",
    ),
    (
        Reason.ON_SOURCE_ALREADY,
        "on the target already",
        "The VM stands on the host that it was to move to.",
        "",
    ),
    (
        Reason.AUTOMATION_MANUAL,
        "set to manual by its owner",
        "The VM's DRS override is manual: it is never moved unasked.",
        "Change the override of the VM if it may be moved.",
    ),
    (
        Reason.AUTOMATION_DISABLED,
        "excluded from automation",
        "The VM's DRS override is disabled: it is never moved unasked.",
        "Change the override of the VM if it may be moved.",
    ),
    (
        Reason.PASSTHROUGH_DEVICE,
        BLOCKER_WORDS[Blocker.PASSTHROUGH_DEVICE],
        "A PCI device of the host is passed through to the VM.",
        _PIN,
    ),
    (
        Reason.VGPU,
        BLOCKER_WORDS[Blocker.VGPU],
        "The VM has a virtual GPU, which ties it to hosts with the same card and profile.",
        _PIN,
    ),
    (
        Reason.SRIOV,
        BLOCKER_WORDS[Blocker.SRIOV],
        "A virtual function of the host's network card is assigned to the VM.",
        _PIN,
    ),
    (
        Reason.USB_DEVICE,
        BLOCKER_WORDS[Blocker.USB_DEVICE],
        "A USB device of the host is connected to the VM.",
        "Disconnect the USB device or power the VM off.",
    ),
    (
        Reason.CPU_AFFINITY,
        BLOCKER_WORDS[Blocker.CPU_AFFINITY],
        "The VM's scheduling affinity names processors of its host.",
        "Clear the scheduling affinity of the VM.",
    ),
    (
        Reason.HOST_LOCAL_CDROM,
        BLOCKER_WORDS[Blocker.HOST_LOCAL_CDROM],
        "The VM's CD drive is connected to a physical drive of its host.",
        "Disconnect the CD drive.",
    ),
    (
        Reason.LOCAL_CDROM_BACKING,
        BLOCKER_WORDS[Blocker.LOCAL_CDROM_BACKING],
        "The VM's CD drive is connected to an image that only its host can read.",
        "Disconnect the image or put it on shared storage.",
    ),
    (
        Reason.TOOLS_INSTALLING,
        BLOCKER_WORDS[Blocker.TOOLS_INSTALLING],
        "The installer of VMware Tools is mounted in the VM.",
        "End the installation, or unmount the installer.",
    ),
    (
        Reason.SHARED_SCSI_BUS,
        BLOCKER_WORDS[Blocker.SHARED_SCSI_BUS],
        "The VM shares a SCSI bus with another VM.",
        "None while the bus is shared.",
    ),
    (
        Reason.FAULT_TOLERANCE,
        BLOCKER_WORDS[Blocker.FAULT_TOLERANCE],
        "The VM is one half of a Fault Tolerance pair.",
        "Suspend Fault Tolerance for the time of the move.",
    ),
    (
        Reason.PENDING_QUESTION,
        BLOCKER_WORDS[Blocker.PENDING_QUESTION],
        "vCenter waits for a person to answer a question about the VM.",
        "Answer the question in the vSphere client.",
    ),
    (
        Reason.INACCESSIBLE,
        BLOCKER_WORDS[Blocker.INACCESSIBLE],
        "vCenter cannot reach the VM's files, or the VM is orphaned or invalid.",
        "Restore the VM's storage or its registration.",
    ),
    (
        Reason.METHOD_DISABLED,
        BLOCKER_WORDS[Blocker.METHOD_DISABLED],
        "Another program, often a backup, has disabled migration of the VM.",
        "Wait for that program, or enable the method again if it was left behind.",
    ),
    (
        Reason.AGENT_VM,
        BLOCKER_WORDS[Blocker.AGENT_VM],
        "The VM belongs to its host, such as a storage or security appliance.",
        "",
    ),
    (
        Reason.CONSOLIDATING,
        BLOCKER_WORDS[Blocker.CONSOLIDATING],
        "The VM's snapshots are being consolidated.",
        "Nothing: it passes by itself.",
    ),
    (
        Reason.LATENCY_SENSITIVE_PINNED,
        BLOCKER_WORDS[Blocker.LATENCY_SENSITIVE_PINNED],
        "The VM has high latency sensitivity and holds its processors exclusively.",
        "Lower the latency sensitivity if the VM may be moved.",
    ),
    (
        Reason.NO_DEMAND_DATA,
        "no measured demand",
        "There is no current figure for what the VM demands, and no data is never taken for zero.",
        "See whether the host's statistics reach vCenter.",
    ),
    (
        Reason.EXCLUDED,
        "left alone by a rule",
        "A rule of the policy, or a tag on the VM, excludes it from the goal that would move it.",
        "Move it by hand, or change the rule or tag that the detail names.",
    ),
    # the pair of VM and host
    (
        Reason.SOURCE_HOST_STATE,
        "its host cannot give VMs now",
        "The VM's host is not connected or does not respond.",
        "Bring the host back.",
    ),
    (
        Reason.TARGET_HOST_STATE,
        "target in a state that takes no VM",
        "The target is in or entering maintenance, in standby, or not connected.",
        "",
    ),
    (
        Reason.FAILOVER_HOST,
        "target kept free for HA",
        "The target is a dedicated failover host of HA.",
        "",
    ),
    (
        Reason.VMOTION_DISABLED,
        "vMotion not enabled",
        "vMotion is not enabled on the VM's host or on the target.",
        "Enable vMotion on a vmkernel adapter of the host.",
    ),
    (
        Reason.ENCRYPTION_UNSUPPORTED,
        "encrypted vMotion not supported",
        "The VM asks for encrypted vMotion and the host cannot do it.",
        "Upgrade the host, or let the VM's encryption be opportunistic.",
    ),
    (
        Reason.EVC,
        "processor generation too old",
        "The target's EVC mode is below the one that the VM was started with.",
        "Power-cycle the VM under a lower EVC mode.",
    ),
    (
        Reason.EVC_UNKNOWN,
        "EVC modes cannot be compared",
        "The EVC mode of the VM or of the target is not known to the server.",
        "See which mode the host reports; an unknown one is never taken for compatible.",
    ),
    (
        Reason.CPU_VENDOR,
        "processor of another vendor",
        "The target's processors are of another vendor.",
        "None while the VM runs.",
    ),
    (
        Reason.CPU_FEATURES,
        "processor feature missing",
        "The target lacks a processor feature that the VM was started with.",
        "Power-cycle the VM, or enable EVC on the cluster.",
    ),
    (
        Reason.DATASTORE,
        "datastore not on the target",
        "The target does not reach all datastores of the VM.",
        "Mount the datastore on the target.",
    ),
    (
        Reason.NETWORK,
        "network not on the target",
        "The target lacks a network of the VM.",
        "Add the port group to the target, or the target to the distributed switch.",
    ),
    (
        Reason.VMOTION_LINK_SLOW,
        "slow vMotion link",
        "A host's vMotion link carries 1 Gb/s or less: the copy takes long and may time out. Forbids nothing.",
        "Give vMotion a link of 10 Gb/s or more.",
    ),
    (
        Reason.VMOTION_NETWORK,
        "vMotion adapters in different networks",
        "The hosts' vMotion adapters share no IP network: unless it is routed, moves fail. Forbids nothing.",
        "Put the vMotion adapters into one network, or route between theirs.",
    ),
    (
        Reason.HIGH_DIRTY_RATE,
        "writes memory faster than it can be copied",
        "The copy can hardly catch up: the VM is slowed down meanwhile, or the time runs out. Forbids nothing.",
        "Move it in a quieter hour, or give vMotion a faster link.",
    ),
    (
        Reason.SWAP_FILE,
        "swap file does not move along",
        "A host keeps swap files apart: the VM's is made anew, and what is in it is copied. Forbids nothing.",
        "Let the cluster keep swap files with the VMs, or give the hosts one swap datastore.",
    ),
    (
        Reason.MEMORY_CEILING,
        "target's memory would be too full",
        "The move would fill the target's memory above the policy's ceiling.",
        _ROOM,
    ),
    (
        Reason.CPU_CEILING,
        "target's CPU would be too full",
        "The move would bring the target's CPU demand above the policy's ceiling.",
        _ROOM,
    ),
    (
        Reason.VCPU_CEILING,
        "target would have too many vCPUs",
        "The move would bring the target above the policy's number of vCPUs per core.",
        _ROOM,
    ),
    (
        Reason.FAILOVER_CAPACITY,
        "spare room for a host failure would be lost",
        "After the move some VM would no longer find room elsewhere if its host failed.",
        "Add a host, free memory, or lower the number of failures that HA is to tolerate.",
    ),
    (
        Reason.CPU_RESERVATION,
        "CPU reservation does not fit",
        "The target has less unreserved CPU than the VM is guaranteed, by itself or by its resource pool.",
        "Free or lower reservations on the target.",
    ),
    (
        Reason.MEMORY_RESERVATION,
        "memory reservation does not fit",
        "The target has less unreserved memory than the VM is guaranteed, by itself or by its resource pool.",
        "Free or lower reservations on the target.",
    ),
    (
        Reason.HOST_VM_LIMIT,
        "target has its full number of VMs",
        "The target already runs as many VMs as it may.",
        "Raise the host's limit, or free the host.",
    ),
    (
        Reason.AFFINITY,
        "kept together with VMs elsewhere",
        "A must-rule keeps the VM together with VMs that stay on another host.",
        "Relax the rule, or move the group as one.",
    ),
    (
        Reason.ANTI_AFFINITY,
        "kept apart from a VM on the target",
        "A must-rule keeps the VM apart from VMs on the target or in its domain: as many are there as may be.",
        "Relax the rule, or add a host or a domain.",
    ),
    (
        Reason.VM_HOST_AFFINE,
        "target not among its hosts",
        "A must-rule lets the VM run on other hosts only.",
        "Add the target to the rule's host group.",
    ),
    (
        Reason.VM_HOST_ANTI_AFFINE,
        "target among the hosts to avoid",
        "A must-rule keeps the VM off the target.",
        "Remove the target from the rule's host group.",
    ),
    (
        Reason.SERVER_CHECK,
        "refused by vCenter's own check",
        "vCenter's compatibility check found a fault with this pair.",
        "The detail carries vCenter's own words.",
    ),
    (
        Reason.ABOVE_THRESHOLD,
        "target would come above its threshold",
        "No move for load's sake brings a calm host above its contention threshold.",
        _ROOM,
    ),
    (
        Reason.NO_GAIN,
        "gains no more than its price",
        "Contention and imbalance would not fall by more than the migration is priced at.",
        "",
    ),
    (
        Reason.NOT_SUSTAINED,
        "host not short for long enough yet",
        "The host is above its contention threshold, but was so in too few of the last looks.",
        "Wait for the next cycles, or change `trigger` in the policy.",
    ),
)
