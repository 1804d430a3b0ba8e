"""What a test of policies expects, with VMs and hosts by id. Values only."""

from dataclasses import dataclass
from enum import StrEnum

from balancer.model.plan import PlanStatus
from balancer.model.units import HostId, VmId
from balancer.policy.mode import Mode


class ExpectationKind(StrEnum):
    """What is expected; the words are the keys of the document."""

    NO_MOVES = "no_moves"
    MOVES_AT_MOST = "moves_at_most"
    MOVES_AT_LEAST = "moves_at_least"
    NEVER_SHARE_HOST = "never_share_host"
    SHARE_HOST = "share_host"
    EMPTY = "empty"
    RUNS_ON = "runs_on"
    STAY = "stay"
    STATUS = "status"
    RULE_HOLDS = "rule_holds"
    MODE = "mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One expectation; what its kind does not use is empty. `place` is `file:line:column` of it.

    `vms` and `hosts` are sorted by id, and all of them are in the snapshot.
    """

    kind: ExpectationKind
    place: str
    vms: tuple[VmId, ...] = ()
    hosts: tuple[HostId, ...] = ()
    count: int = 0
    status: PlanStatus | None = None
    rule: str = ""
    mode: Mode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an expectation is met: what was expected and what was found, in words."""

    expectation: Expectation
    expected: str
    found: str
    is_met: bool
