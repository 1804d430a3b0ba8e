"""From events to notices: which of all that happens to a cluster is worth telling people who have not asked.

One `Herald` for each cluster, told by its cycles. It remembers just enough to say each thing once. What becomes
of a notice (which channels, how often, in which form) is not decided here.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from balancer.expose.figures import counted
from balancer.expose.headline import headline
from balancer.model.digest import SHOWN_DIGITS, plan_digest
from balancer.model.events import (
    CycleEnded,
    CycleFailed,
    Event,
    MoveEnded,
    PastReviewed,
    SnapshotTaken,
    VerdictGiven,
)
from balancer.model.notice import Notice, NoticeKind, Severity
from balancer.model.outcome import FailureKind, MoveOutcome, MoveState
from balancer.model.past import Breaker, VerdictResult
from balancer.model.plan import Plan
from balancer.model.reasons import WITHHELD, Reason, Refusal
from balancer.model.units import HostId, VmId
from balancer.ports import Clock

FAILURES_IN_ROW = 3
"""So many cycles in a row must fail before that is told: a vCenter that restarts is no news."""

MOST_DETAIL = 600
"""Longest text of a foreign error that is passed on, in characters."""

_ENDED_BADLY = frozenset({MoveState.FAILED, MoveState.UNKNOWN})
_STOPS = frozenset({FailureKind.STOP, FailureKind.STOP_CLUSTER, FailureKind.UNMAPPED})
_LASTING = {
    Reason.VERDICTS_WORSE: (
        NoticeKind.FELL_BACK,
        "only observed from now on, as moves did not help",
    ),
    Reason.CLUSTER_CONTENDED: (
        NoticeKind.CLUSTER_STOPPED,
        "left alone, as somebody else undoes moves",
    ),
}
"""What lasts until a person has acknowledged it: what it is, and how it is called."""


class Herald:
    """Tells what is worth it of one cluster. It implements `ports.Events`; one thread at a time."""

    def __init__(
        self, vcenter: str, cluster: str, *, clock: Clock, tell: Callable[[Notice], None]
    ) -> None:
        self._vcenter, self._cluster = vcenter, cluster
        self._clock = clock
        self._tell = tell
        self._hosts: dict[HostId, str] = {}
        self._waiting: frozenset[tuple[VmId, HostId]] = frozenset()
        self._breaker: Breaker | None = None
        self._lasting: frozenset[Reason] = frozenset()
        self._withheld: Reason | None = None
        self._failures = 0

    def tell(self, event: Event) -> None:
        """Take one event."""
        for notice in self._notices(event):
            self._tell(notice)

    def _notices(self, event: Event) -> Iterator[Notice]:
        match event:
            case SnapshotTaken(snapshot=snapshot):
                self._hosts = {host.id: host.name for host in snapshot.hosts}
            case MoveEnded(outcome=outcome, at=at) if outcome.state in _ENDED_BADLY:
                yield from self._bad_ends(outcome, at)
            case PastReviewed(past=past, closed=closed, at=at):
                yield from self._of_breaker(past.breaker, at)
                yield from self._of_lasting(closed, at)
            case VerdictGiven(verdict=verdict) if verdict.result is VerdictResult.WORSE:
                yield self._notice(
                    NoticeKind.VERDICT_WORSE,
                    Severity.WARNING,
                    verdict.judged_at or self._clock.now(),
                    title="a batch of moves made it worse",
                    text=verdict.told,
                    key=verdict.cycle_id,
                    facts={"cycle_id": verdict.cycle_id, "plan_id": verdict.plan_id},
                )
            case CycleFailed(why=why, at=at):
                yield from self._of_failure(why, at)
            case CycleEnded(plan=plan, held=held):
                yield from self._of_cycle(plan, held)
            case _:
                pass

    def _notice(  # noqa: PLR0913 - the fields of a notice
        self,
        kind: NoticeKind,
        severity: Severity,
        at: datetime,
        *,
        title: str,
        text: str,
        key: str,
        facts: dict[str, str],
    ) -> Notice:
        return Notice(
            kind=kind,
            severity=severity,
            vcenter=self._vcenter,
            cluster=self._cluster,
            at=at,
            title=title,
            text=text[:MOST_DETAIL],
            key=f"{kind} {self._vcenter}/{self._cluster} {key}",
            facts=tuple(facts.items()),
        )

    def _bad_ends(self, outcome: MoveOutcome, at: datetime) -> Iterator[Notice]:
        move = outcome.move
        source, target = (self._hosts.get(one, one) for one in (move.source, move.target))
        what = outcome.fault or "no fault named"
        is_lost = outcome.state is MoveState.UNKNOWN
        ended = "has no known end, and is watched on" if is_lost else f"failed with {what}"
        detail = f": {outcome.detail}" if outcome.detail else ""
        facts = {"vm": move.vm_name, "vm_id": move.vm, "source": source, "target": target}
        yield self._notice(
            NoticeKind.MIGRATION_FAILED,
            Severity.WARNING,
            at,
            title="a migration failed" if not is_lost else "the end of a migration is not known",
            text=f"{move.vm_name} from {source} to {target} {ended}{detail}",
            key=f"{move.vm} {move.target} {outcome.fault} {outcome.state}",
            facts={**facts, "fault": outcome.fault},
        )
        if outcome.kind in _STOPS:
            yield self._notice(
                NoticeKind.CLUSTER_STOPPED,
                Severity.ERROR,
                at,
                title="stopped by a failure that a person must look into",
                text=f"{what}{detail}. See what the balancer's account may do: balancer doctor",
                key=f"{outcome.kind} {outcome.fault}",
                facts={"fault": outcome.fault, "failure_kind": str(outcome.kind)},
            )

    def _of_breaker(self, breaker: Breaker, at: datetime) -> Iterator[Notice]:
        """Tell each opening, and the closing of one that was told."""
        before, self._breaker = self._breaker, breaker
        was_open = before is not None and before.is_open
        if breaker.is_open and (before is None or not was_open or before.since != breaker.since):
            until = f"{breaker.until:%Y-%m-%d %H:%M} UTC" if breaker.until else "a person acts"
            yield self._notice(
                NoticeKind.BREAKER_OPENED,
                Severity.ERROR,
                at,
                title="breaker opened: nothing is moved",
                text=f"{breaker.cause}. Open until {until}, then one move tries",
                key=f"{breaker.since}",
                facts={"level": str(breaker.level), "until": until},
            )
        elif was_open and not breaker.is_open:
            yield self._notice(
                NoticeKind.BREAKER_CLOSED,
                Severity.INFO,
                at,
                title="breaker closed: moves are made again",
                text="The move that tried has succeeded",
                key=f"{at}",
                facts={},
            )

    def _of_lasting(self, closed: tuple[Refusal, ...], at: datetime) -> Iterator[Notice]:
        now = {refusal.reason: refusal for refusal in closed if refusal.reason in _LASTING}
        before, self._lasting = self._lasting, frozenset(now)
        shard = f"{self._vcenter}/{self._cluster}"
        for reason in sorted(now.keys() - before):
            kind, title = _LASTING[reason]
            yield self._notice(
                kind,
                Severity.ERROR,
                at,
                title=title,
                text=f"{now[reason].detail}. To go on: balancer resume --cluster {shard}",
                key=f"{reason} {at}",
                facts={"reason": reason.value},
            )

    def _of_failure(self, why: str, at: datetime) -> Iterator[Notice]:
        self._failures += 1
        if self._failures == FAILURES_IN_ROW:
            yield self._notice(
                NoticeKind.CYCLES_FAIL,
                Severity.ERROR,
                at,
                title=f"the last {FAILURES_IN_ROW} cycles failed, nothing is planned",
                text=why,
                key=f"{at}",
                facts={"failures": str(self._failures)},
            )

    def _of_cycle(self, plan: Plan, held: Refusal | None) -> Iterator[Notice]:
        now = self._clock.now()
        failures, self._failures = self._failures, 0
        if failures >= FAILURES_IN_ROW:
            yield self._notice(
                NoticeKind.CYCLES_WORK,
                Severity.INFO,
                now,
                title="cycles work again",
                text=f"After {counted(failures, 'failure')} in a row",
                key=f"{now}",
                facts={"failures": str(failures)},
            )
        yield from self._of_withheld(held, now)
        yield from self._of_waiting(plan, now)

    def _of_withheld(self, held: Refusal | None, at: datetime) -> Iterator[Notice]:
        reason = held.reason if held and held.reason in WITHHELD else None
        before, self._withheld = self._withheld, reason
        if held and reason and reason is not before:
            yield self._notice(
                NoticeKind.CLUSTER_STOPPED,
                Severity.ERROR,
                at,
                title="plans are shown only, although the mode acts",
                text=held.told,
                key=f"{reason} {at}",
                facts={"reason": reason.value},
            )

    def _of_waiting(self, plan: Plan, at: datetime) -> Iterator[Notice]:
        """Tell a plan that waits, and not the next ones while these have the same moves."""
        is_waiting = any(one.reason is Reason.NOT_APPROVED for one in plan.refusals)
        moves = frozenset((move.vm, move.target) for move in plan.moves) if is_waiting else None
        before, self._waiting = self._waiting, moves or frozenset()
        if moves and moves != before:
            digest = plan_digest(plan)
            yield self._notice(
                NoticeKind.PLAN_WAITS,
                Severity.INFO,
                at,
                title="a plan waits for approval",
                text=f"{headline(plan)} To approve: balancer approve {digest[:SHOWN_DIGITS]}",
                key=digest,
                facts={
                    "digest": digest,
                    "plan_id": plan.id,
                    "status": plan.status.value,
                    "moves": str(len(plan.moves)),
                },
            )
