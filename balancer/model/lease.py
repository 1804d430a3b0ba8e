"""The right to act on one cluster, and how much may be under way there when a move is begun.

Values only. A lease is kept by the journal; its token is checked in the transaction that writes an intent
(S4), and so are the numbers of an allowance (S6) and every pause (S8).
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of `holder` to act on a shard until `expires_at`. A later lease has a higher token.

    A shard is one cluster as the configuration names it: "vcenter/cluster".
    """

    shard: str
    holder: str
    token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The most rows that may count once the new one is written; None is not counted.

    `open_*` count rows whose end is not known: of the vCenter, of the cluster, and of each of the two hosts
    (as source or target). The others count rows that were not aborted: `in_cycle` those of the same cycle and
    kind (mandatory or not) together with open ones of that kind; `in_hour` load moves of the cluster begun within
    the hour, or open; `of_vm_in_day` those of the VM begun within 24 hours.
    """

    open_in_vcenter: int
    open_in_cluster: int
    open_on_source: int
    open_on_target: int
    in_cycle: int | None = None
    in_hour: int | None = None
    of_vm_in_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What an intent is written under."""

    lease: Lease
    allowance: Allowance
