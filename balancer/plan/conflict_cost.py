"""What it costs to lift a member of a conflict: the one table of changes, cheapest first, with the reasons.

The order is that of how much a change touches: words in a rule, then figures, then cables, then the VM
itself, then hosts. It is a judgement, not a measurement.
"""

from enum import StrEnum

from balancer.model.rule import RuleType
from balancer.plan.conflict_member import REACH_LAWS, ROOMS, Kind, Member
from balancer.plan.conflict_question import Question
from balancer.plan.problem import COUNT, FOOTPRINT


class Change(StrEnum):
    """Everything that an administrator may be asked to change; `ORDER` says which is cheaper."""

    LOOSEN_AFFINITY = "loosen affinity"
    EXTEND_HOSTS = "extend hosts"
    LOOSEN_ANTI_AFFINITY = "loosen anti-affinity"
    FREE_MEMORY = "free memory"
    RAISE_COUNT = "raise count"
    LOWER_RESERVATION = "lower reservation"
    CONNECT = "connect"
    WAIT = "wait"
    UNTIE = "untie"
    RENEW = "renew"
    ADD_HOST = "add host"
    KEEP_HOST = "keep host"


ORDER: tuple[tuple[Change, str], ...] = (
    (Change.LOOSEN_AFFINITY, "one click; costs speed between the VMs, no safety"),
    (Change.EXTEND_HOSTS, "one click, but licences or sites may stand behind the rule"),
    (Change.LOOSEN_ANTI_AFFINITY, "one click, but one failing host may then take down both VMs"),
    (Change.FREE_MEMORY, "needs VMs to be shrunk, moved or stopped, or less reserve"),
    (Change.RAISE_COUNT, "a limit of the host or of the policy, set for a reason"),
    (Change.LOWER_RESERVATION, "takes from a VM what its owner was promised"),
    (Change.CONNECT, "work on storage or network of a host, no VM is touched"),
    (Change.WAIT, "the server or an earlier try said no; may pass by itself"),
    (Change.UNTIE, "touches the VM itself: its devices, its override, or its owner"),
    (Change.RENEW, "the VM must be powered off and on to run on older processors"),
    (Change.ADD_HOST, "another host has to come into service"),
    (Change.KEEP_HOST, "gives up the aim: the host is not emptied"),
)

RANK = {change: rank for rank, (change, _reason) in enumerate(ORDER)}

_RULES = {
    RuleType.AFFINITY: Change.LOOSEN_AFFINITY,
    RuleType.ANTI_AFFINITY: Change.LOOSEN_ANTI_AFFINITY,
    RuleType.VM_HOST_AFFINE: Change.EXTEND_HOSTS,
    RuleType.VM_HOST_ANTI_AFFINE: Change.EXTEND_HOSTS,
}
_REACH = {
    "storage": Change.CONNECT,
    "network": Change.CONNECT,
    "earlier tries": Change.WAIT,
    "encryption": Change.RENEW,
    "evc": Change.RENEW,
}
_ROOMS = {FOOTPRINT: Change.FREE_MEMORY, COUNT: Change.RAISE_COUNT}


def change_of(question: Question, member: Member) -> Change:
    """Return what would have to be changed for a member to be lifted."""
    problem = question.problem
    match member.kind:
        case Kind.RULE:
            return _RULES[problem.need.snapshot.rules[member.at].type]
        case Kind.ROOM:
            return _ROOMS.get(ROOMS[member.what], Change.LOWER_RESERVATION)
        case Kind.TIE:
            return Change.UNTIE
        case Kind.REACH:
            return _REACH[REACH_LAWS[member.what]]
        case Kind.HOST:
            is_own = problem.leaving[member.at] and member.at in question.start[question.movers]
            return Change.KEEP_HOST if is_own else Change.ADD_HOST


def gives_up(question: Question, member: Member) -> bool:
    """Whether lifting a member would be to give up the aim, and so no way to reach it."""
    return change_of(question, member) is Change.KEEP_HOST


def cost(question: Question, member: Member) -> tuple[int, int, Member]:
    """Return the place of a member in the order of costs; of several rooms the least lacking one first."""
    lacking = 0
    if member.kind is Kind.ROOM:
        lacking = int(question.lacking[member.at, member.what])
    return RANK[change_of(question, member)], lacking, member
