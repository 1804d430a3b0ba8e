"""What a move may be made for."""

from enum import StrEnum


class Goal(StrEnum):
    """The aims of a policy; each can be switched off, for all VMs or for some."""

    EVACUATION = "evacuation"
    RULES = "rules"
    CONTENTION = "contention"
    BALANCE = "balance"
    VM_COUNT = "vm_count"
    CONSOLIDATION = "consolidation"
