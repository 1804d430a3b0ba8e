"""What the store in memory keeps beside moves and leases: controls, what was learnt, the audit log."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

from balancer.adapters.store import notes
from balancer.adapters.store.chain import next_entry, verified
from balancer.model.audit import AuditEntry, AuditHead, AuditNote, AuditReport
from balancer.model.control import Approval, Evacuation, Pause, StoredPlan
from balancer.model.errors import StoreError
from balancer.model.outcome import JournalRow
from balancer.model.past import (
    Breaker,
    Disturbance,
    ForeignMove,
    KnownHost,
    Past,
    Quarantine,
    Verdict,
    VerdictResult,
)
from balancer.model.units import ClusterId


class _OfCluster(Protocol):
    @property
    def vcenter(self) -> str: ...

    @property
    def cluster(self) -> ClusterId: ...


Kept = TypeVar("Kept", bound=_OfCluster)
Noting = Callable[[AuditNote], None]


class MemoryControls:
    """`ports.Controls` in lists."""

    def __init__(self, lock: threading.RLock, note: Noting) -> None:
        self._controls_lock, self._note_control = lock, note
        self._pauses: list[Pause] = []
        self._evacuations: list[Evacuation] = []
        self._plans: list[StoredPlan] = []
        self._approvals: list[Approval] = []

    def pause(self, pause: Pause) -> int:
        """Keep a pause and return its id."""
        with self._controls_lock:
            self._pauses.append(replace(pause, id=_next_id(self._pauses)))
            self._note_control(notes.of_pause(pause))
            return self._pauses[-1].id

    def resume(self, shard: str, *, by: str, at: datetime) -> tuple[Pause, ...]:
        """End the pauses of exactly this shard; return them."""
        with self._controls_lock:
            ended = []
            for place, pause in enumerate(self._pauses):
                if pause.shard == shard and pause.ended_at is None:
                    self._pauses[place] = replace(pause, ended_at=at, ended_by=by)
                    ended.append(self._pauses[place])
            if ended:
                self._note_control(notes.of_resume(shard, tuple(ended), by=by, at=at))
            return tuple(ended)

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses that last, oldest first."""
        with self._controls_lock:
            return tuple(pause for pause in self._pauses if pause.ended_at is None)

    def ask_evacuation(self, evacuation: Evacuation) -> int:
        """Keep a request and return its id; of a host that is asked for already, that one's."""
        with self._controls_lock:
            for known in self._evacuations:
                is_same = (known.shard, known.host) == (evacuation.shard, evacuation.host)
                if is_same and known.ended_at is None:
                    return known.id
            new = replace(evacuation, id=_next_id(self._evacuations))
            self._evacuations.append(new)
            self._note_control(notes.of_evacuation(new))
            return new.id

    def end_evacuation(self, request: int, *, by: str, at: datetime) -> None:
        """End a request; raises `StoreError` where there is no such one."""
        with self._controls_lock:
            known = {e.id: place for place, e in enumerate(self._evacuations) if not e.ended_at}
            if request not in known:
                raise StoreError(
                    f"there is no evacuation {request} that lasts; nothing was written"
                )
            place = known[request]
            ended = replace(self._evacuations[place], ended_at=at, ended_by=by)
            self._evacuations[place] = ended
            self._note_control(notes.of_evacuation_end(ended))

    def evacuations(self, shard: str) -> tuple[Evacuation, ...]:
        """Return the requests of a shard that last, oldest first."""
        with self._controls_lock:
            return tuple(
                e for e in self._evacuations if e.ended_at is None and shard in ("", e.shard)
            )

    def keep_plan(self, plan: StoredPlan) -> int:
        """Keep a plan and return its number."""
        with self._controls_lock:
            self._plans.append(replace(plan, id=_next_id(self._plans)))
            return self._plans[-1].id

    def find_plan(self, key: str) -> StoredPlan | None:
        """Return the newest plan that `key` names."""
        with self._controls_lock:
            exact = [p for p in self._plans if key and key in (str(p.id), p.digest, p.plan_id)]
            near = [
                p
                for p in self._plans
                if key and (p.digest.startswith(key) or p.plan_id.startswith(key))
            ]
            found = exact or near
            return found[-1] if found else None

    def plans(self, shard: str, *, last: int) -> tuple[StoredPlan, ...]:
        """Return the last plans of a shard, newest first."""
        with self._controls_lock:
            return _newest([p for p in self._plans if shard in ("", p.shard)], last)

    def approve(self, approval: Approval) -> int:
        """Keep an approval or a rejection."""
        with self._controls_lock:
            if not any(plan.id == approval.plan for plan in self._plans):
                raise StoreError(f"there is no plan {approval.plan}; nothing was written")
            if any(known.plan == approval.plan for known in self._approvals):
                raise StoreError(
                    f"plan {approval.plan} was decided on already; nothing was written"
                )
            self._approvals.append(replace(approval, id=_next_id(self._approvals)))
            self._note_control(notes.of_decision(approval))
            return self._approvals[-1].id

    def take_approval(self, shard: str, *, at: datetime) -> tuple[Approval, StoredPlan] | None:
        """Return the oldest approval that can be used, and mark it used in the same step."""
        with self._controls_lock:
            for place, approval in enumerate(self._approvals):
                if approval.shard == shard and approval.is_usable_at(at):
                    used = replace(approval, used_at=at)
                    self._approvals[place] = used
                    self._note_control(notes.of_use(used, at))
                    return used, next(plan for plan in self._plans if plan.id == used.plan)
            return None

    def approvals(self, shard: str, *, last: int) -> tuple[Approval, ...]:
        """Return the last approvals and rejections of a shard, newest first."""
        with self._controls_lock:
            return _newest([a for a in self._approvals if shard in ("", a.shard)], last)

    def _forget_controls(self, before: datetime) -> int:
        """Drop what was over before then, and return how many."""

        def is_over(one: Pause | Evacuation) -> bool:
            return one.ended_at is not None and one.ended_at < before

        def is_decided(one: Approval) -> bool:
            is_open = one.used_at is None and not one.rejected and one.expires_at >= before
            return one.at < before and not is_open

        count = _drop(self._pauses, is_over) + _drop(self._evacuations, is_over)
        count += _drop(self._approvals, is_decided)
        decided = {approval.plan for approval in self._approvals}
        return count + _drop(
            self._plans, lambda one: one.made_at < before and one.id not in decided
        )


class MemoryOfClusters:
    """`ports.Memory` in lists."""

    def __init__(self, lock: threading.RLock, note: Noting) -> None:
        self._past_lock, self._note_past = lock, note
        self._quarantines: list[Quarantine] = []
        self._foreign: list[ForeignMove] = []
        self._disturbances: list[Disturbance] = []
        self._verdicts: list[Verdict] = []
        self._breakers: dict[tuple[str, ClusterId], Breaker] = {}
        self._hosts: dict[tuple[str, ClusterId], tuple[KnownHost, ...]] = {}

    def put_quarantine(self, quarantine: Quarantine) -> None:
        """Keep a quarantine, unless it is there already."""
        with self._past_lock:
            if not any(_same_quarantine(known, quarantine) for known in self._quarantines):
                self._quarantines.append(replace(quarantine, id=_next_id(self._quarantines)))
                self._note_past(notes.of_quarantine(quarantine))

    def note_foreign_move(self, move: ForeignMove) -> None:
        """Keep a sighting, unless it is there already."""
        with self._past_lock:
            if not any((m.row, m.target) == (move.row, move.target) for m in self._foreign):
                self._foreign.append(replace(move, id=_next_id(self._foreign)))
                self._note_past(notes.of_foreign_move(move))

    def acknowledge_foreign_moves(
        self, vcenter: str, cluster: ClusterId, *, by: str, at: datetime
    ) -> int:
        """Mark the sightings that nobody has acknowledged yet; return how many."""
        with self._past_lock:
            count = 0
            for place, known in enumerate(self._foreign):
                is_here = (known.vcenter, known.cluster) == (vcenter, cluster)
                if is_here and known.acknowledged_at is None:
                    self._foreign[place] = replace(known, acknowledged_at=at, acknowledged_by=by)
                    count += 1
            note = notes.of_acknowledged_moves(vcenter, cluster, count, by=by, at=at)
            self._note_past(note)
            return count

    def note_disturbance(self, disturbance: Disturbance) -> None:
        """Keep a disturbance."""
        with self._past_lock:
            self._disturbances.append(replace(disturbance, id=_next_id(self._disturbances)))
            self._note_past(notes.of_disturbance(disturbance))

    def keep_hosts(self, vcenter: str, cluster: ClusterId, hosts: Sequence[KnownHost]) -> None:
        """Keep the hosts that were seen just now in place of those of the look before."""
        with self._past_lock:
            self._hosts[vcenter, cluster] = tuple(hosts)

    def put_breaker(
        self, vcenter: str, cluster: ClusterId, breaker: Breaker, *, at: datetime
    ) -> None:
        """Keep the breaker's state in place of the one before."""
        with self._past_lock:
            before = self._breakers.get((vcenter, cluster), Breaker())
            self._breakers[vcenter, cluster] = breaker
            note = notes.of_breaker(vcenter, cluster, before, breaker, at=at)
            if note:
                self._note_past(note)

    def put_verdict(self, verdict: Verdict) -> None:
        """Keep a batch's verdict; the one of its cycle is replaced."""
        with self._past_lock:
            self._note_past(notes.of_verdict(verdict))
            for place, known in enumerate(self._verdicts):
                if _batch(known) == _batch(verdict):
                    self._verdicts[place] = replace(verdict, id=known.id)
                    return
            self._verdicts.append(replace(verdict, id=_next_id(self._verdicts)))

    def acknowledge_verdicts(
        self, vcenter: str, cluster: ClusterId, *, by: str, at: datetime
    ) -> int:
        """Mark the verdicts that nobody has acknowledged yet; return how many."""
        with self._past_lock:
            count = 0
            for place, known in enumerate(self._verdicts):
                is_new = known.acknowledged_at is None and known.result is not VerdictResult.PENDING
                if is_new and (known.vcenter, known.cluster) == (vcenter, cluster):
                    self._verdicts[place] = replace(known, acknowledged_at=at, acknowledged_by=by)
                    count += 1
            note = notes.of_acknowledgement(vcenter, cluster, count, by=by, at=at)
            self._note_past(note)
            return count

    def _forget_past(self, before: datetime) -> int:
        """Drop what was over before then, and return how many."""
        return (
            _drop(self._quarantines, lambda one: one.until < before)
            + _drop(self._foreign, lambda one: one.seen_at < before)
            + _drop(self._disturbances, lambda one: one.at < before)
            + _drop(
                self._verdicts,
                lambda one: one.result is not VerdictResult.PENDING and one.ended_at < before,
            )
        )

    def remembered(
        self, rows: tuple[JournalRow, ...], vcenter: str, cluster: ClusterId, since: datetime
    ) -> Past:
        """Return the past with these rows."""

        def ours(kept: Sequence[Kept]) -> list[Kept]:
            return [one for one in kept if (one.vcenter, one.cluster) == (vcenter, cluster)]

        return Past(
            rows=rows,
            quarantines=tuple(q for q in ours(self._quarantines) if q.until >= since),
            foreign_moves=tuple(m for m in ours(self._foreign) if m.seen_at >= since),
            disturbances=tuple(d for d in ours(self._disturbances) if d.at >= since),
            verdicts=tuple(v for v in ours(self._verdicts) if v.ended_at >= since),
            breaker=self._breakers.get((vcenter, cluster), Breaker()),
            hosts=self._hosts.get((vcenter, cluster), ()),
        )


class MemoryAudit:
    """`ports.Audit` in a list."""

    def __init__(self, lock: threading.RLock) -> None:
        self._audit_lock = lock
        self._entries: list[AuditEntry] = []

    def note(self, note: AuditNote) -> None:
        """Append an entry to the chain."""
        with self._audit_lock:
            self._entries.append(next_entry(self._entries[-1] if self._entries else None, note))

    def audit_entries(self, *, last: int) -> tuple[AuditEntry, ...]:
        """Return the last entries, oldest first."""
        with self._audit_lock:
            return tuple(self._entries[-last:]) if last > 0 else ()

    def verify_audit(self, *, heads: Iterable[AuditHead] = ()) -> AuditReport:
        """Read the whole chain and say what does not hold."""
        with self._audit_lock:
            return verified(self._entries, heads)


def _same_quarantine(one: Quarantine, other: Quarantine) -> bool:
    return (one.kind, one.subject, one.reason, one.cause) == (
        other.kind,
        other.subject,
        other.reason,
        other.cause,
    )


def _batch(verdict: Verdict) -> tuple[str, ClusterId, str]:
    return verdict.vcenter, verdict.cluster, verdict.cycle_id


T = TypeVar("T")


class _Numbered(Protocol):
    @property
    def id(self) -> int: ...


def _next_id(kept: Sequence[_Numbered]) -> int:
    return kept[-1].id + 1 if kept else 1


def _newest(kept: Sequence[T], last: int) -> tuple[T, ...]:
    return tuple(reversed(kept[-last:])) if last > 0 else ()


Counted = TypeVar("Counted", bound=_Numbered)


def _drop(kept: list[Counted], is_over: Callable[[Counted], bool]) -> int:
    """Drop what is over but for the newest, so that no number comes twice; return how many."""
    rest = [one for one in kept[:-1] if not is_over(one)] + kept[-1:]
    count = len(kept) - len(rest)
    kept[:] = rest
    return count
