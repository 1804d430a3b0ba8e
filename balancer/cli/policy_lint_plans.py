"""Asks the planner which must-rules of a policy cannot be met: as things are, and with each host out of service.

What single rules tell is found before (`assess.lint_rules`); this finds what rules, memory and devices come to
together; with a host down that is for information, as more than the policy has a part in it. It takes a bounded
time: hosts for which there was none are told. Changes nothing.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from balancer.assess.lint_rules import RuleBook
from balancer.cli.planning import settings_of
from balancer.model.host import HostState
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds
from balancer.planner import plan_snapshot
from balancer.policy.lint_types import Level, LintFinding, LintKind
from balancer.policy.types import Goals, Policy

MOST_S: Seconds = 20.0
"""For all plans together."""

_ONE_PLAN_S: Seconds = 2.0
_DUTIES = Goals(contention=False, balance=False, vm_count=False, consolidation=False)


def lint_by_plans(
    book: RuleBook,
    snapshot: Snapshot,
    policy: Policy,
    known: frozenset[str],
    *,
    clock: Callable[[], Seconds] = time.monotonic,
) -> Iterator[LintFinding]:
    """Yield the rules of the policy and of tags that plans cannot keep, but for those `known` to fail.

    `snapshot` is as it was read; `book` has the rules that the policy makes of it.
    """
    ours = {rule.name: rule for rule in book.musts if book.is_ours(rule) and rule.name not in known}
    if not ours:
        return
    deadline = clock() + MOST_S
    now = _unmet(snapshot, policy)
    for name in sorted(now.keys() & ours.keys()):
        yield book.finding(
            Level.WARNING,
            LintKind.UNREACHABLE,
            ours[name],
            why=f"it cannot be met with hosts and VMs as they are: {now[name]}",
            mend="see the conflicts of balancer plan, which name the cheapest change",
        )
    fatal: dict[str, list[tuple[HostId, str]]] = {}
    hosts = [host.id for host in snapshot.serving_hosts]
    for done, host in enumerate(hosts):
        if clock() > deadline:
            yield _unfinished(len(hosts) - done)
            break
        for name, message in _unmet(_without(snapshot, host), policy).items():
            if name in ours and name not in now:
                fatal.setdefault(name, []).append((host, message))
    for name, told in sorted(fatal.items()):
        which = " or ".join(book.host(host) for host, _ in told[:5])
        yield book.finding(
            Level.INFO,
            LintKind.ONE_HOST_DOWN,
            ours[name],
            why=f"it cannot hold while {which} is out of service: {told[0][1]}",
            mend="add room, leave its VMs more hosts, or set enforce: should",
        )


def _without(snapshot: Snapshot, host: HostId) -> Snapshot:
    """Return the snapshot with a host that all must leave."""
    leaving = HostState.ENTERING_MAINTENANCE
    hosts = (replace(one, state=leaving) if one.id == host else one for one in snapshot.hosts)
    return replace(snapshot, hosts=tuple(hosts))


def _unmet(snapshot: Snapshot, policy: Policy) -> Mapping[str, str]:
    """Return the rules that a plan for duties alone leaves unmet, each with the planner's words."""
    wanted = replace(policy, goals=_DUTIES)
    plan = plan_snapshot(snapshot, wanted, settings=settings_of(0, _ONE_PLAN_S))
    return {rule: conflict.message for conflict in plan.conflicts for rule in conflict.rules}


def _unfinished(left: int) -> LintFinding:
    return LintFinding(
        level=Level.INFO,
        kind=LintKind.ONE_HOST_DOWN,
        why=f"after {MOST_S:.0f} seconds {left} hosts were not tried out of service",
        mend="nothing; rules were looked at one by one for all hosts",
    )
