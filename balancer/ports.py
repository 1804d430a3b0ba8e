"""What the core needs from the outside, as Protocols. Adapters implement them; fakes in tests do too.

A command that only plans is given an `Inventory` and nothing else: dry run cannot write by
construction.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from balancer.model.audit import AuditEntry, AuditHead, AuditNote, AuditReport
from balancer.model.control import Approval, Evacuation, Pause, StoredPlan
from balancer.model.events import Event
from balancer.model.insight import ServerAnswer
from balancer.model.lease import Lease, Permit
from balancer.model.outcome import (
    JournalEntry,
    JournalRow,
    JournalStep,
    MigrationOrder,
    PastTask,
    RowQuery,
    TaskView,
)
from balancer.model.past import (
    Breaker,
    Disturbance,
    ForeignMove,
    KnownHost,
    Past,
    Quarantine,
    Verdict,
)
from balancer.model.rollup import Block, Kind, Series
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, HostId, Seconds, VmId
from balancer.model.vm import Vm


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRef:
    """A cluster that a source offers."""

    id: ClusterId
    name: str


class Inventory(Protocol):
    """Reads. Safe to repeat; every method may raise `model.errors.SourceError`."""

    def clusters(self) -> tuple[ClusterRef, ...]:
        """Return the clusters that can be read, by name."""

    def snapshot(self, cluster: ClusterRef) -> Snapshot:
        """Read one cluster whole. `taken_at` is the source's own clock, in UTC."""

    def refresh(self, base: Snapshot, *, vms: Iterable[VmId], hosts: Iterable[HostId]) -> Snapshot:
        """Return `base` with the named VMs and hosts, and the VMs found on these hosts, read anew.

        The cluster's own settings, its rules and the migrations in flight are read anew too. A VM or host
        that is gone is absent from the result.
        VMs that were not named and not found keep what `base` says. `taken_at` becomes now.
        """

    def check(self, vm: VmId, target: HostId) -> ServerAnswer:
        """Ask the server whether the vMotion would work; an answer without refusals means that it would."""

    def tasks(self, tasks: Sequence[str]) -> Mapping[str, TaskView]:
        """Look at tasks by id. One that the server does not know is MISSING."""

    def task_history(self, vms: Sequence[VmId], since: datetime) -> tuple[PastTask, ...] | None:
        """Return the relocations of these VMs that were queued at or after `since`, also forgotten ones.

        `since` is the source's clock. None where the source keeps no history, or does not show it.
        """


class PastDemand(Protocol):
    """What a source itself remembers of demand. Nothing that is safe or right hangs on it."""

    def read(self, vms: Sequence[Vm], until: datetime) -> Iterator[Block]:
        """Yield what the source knows of these running VMs from before `until`, its own clock.

        The finest steps come first. Nothing is told of what was before a VM's last start. It ends within a bounded
        time, with what there was until then. May raise `model.errors.SourceError` at any step.
        """


class Migrator(Protocol):
    """The only port that moves a VM. Given to `execute` and to nothing else."""

    def submit(self, order: MigrationOrder) -> str:
        """Ask once for one vMotion and return the task's id.

        Raises:
            SubmitNotSent: no connection could be made; nothing was asked.
            SubmitRefused: the server refused with a fault.
            SubmitUnknown: sent, and no answer came back. Never to be sent again.
        """


class Leases(Protocol):
    """Who may act on a shard. `at` is the caller's wall clock in UTC. Durable, or `StoreError`."""

    def take_lease(
        self, shard: str, holder: str, *, at: datetime, lasts_s: Seconds
    ) -> Lease | None:
        """Return a new lease with a higher token, or None while somebody else's lasts.

        A holder that asks again while its own lasts is given a new one: it has started anew.
        """

    def renew_lease(self, lease: Lease, *, at: datetime, lasts_s: Seconds) -> Lease:
        """Return the lease with a later end; raises `IntentRefused` where it is not the newest any more."""

    def give_back(self, lease: Lease) -> None:
        """End a lease now, if it is still the newest."""

    def leases(self) -> tuple[Lease, ...]:
        """Return the newest lease of each shard, ended or not, by shard."""


class Journal(Protocol):
    """The moves. Every write is durable when the method returns, or `StoreError` is raised."""

    def begin(self, entry: JournalEntry, permit: Permit) -> int:
        """Write an INTENT row and return its id.

        In the same transaction it is checked that the lease is live and the newest, that no pause covers the
        shard, that the VM has no open row, and that the allowance is not passed.

        Raises:
            IntentRefused: one of these does not hold (`RowOpen` for the VM); nothing was written.
        """

    def advance(self, row: int, step: JournalStep) -> None:
        """Write the next state of a row; what the step leaves empty stays as it was."""

    def open_rows(self, vcenter: str) -> tuple[JournalRow, ...]:
        """Return the rows whose end is not known, oldest first."""

    def rows_since(
        self, vcenter: str, cluster: ClusterId, since: datetime
    ) -> tuple[JournalRow, ...]:
        """Return the rows intended at or after `since`, oldest first."""

    def find_rows(self, query: RowQuery) -> tuple[JournalRow, ...]:
        """Return the rows that a query asks for, oldest first."""

    def steps_of(self, row: int) -> tuple[JournalStep, ...]:
        """Return the states that a row went through, oldest first; none for an unknown row."""


class Memory(Protocol):
    """What was learnt of a cluster. Durable, or `StoreError`."""

    def past(self, vcenter: str, cluster: ClusterId, since: datetime) -> Past:
        """Return all that is remembered since then, every open row, and the breaker as it is."""

    def put_quarantine(self, quarantine: Quarantine) -> None:
        """Keep a quarantine; one of the same subject, reason and cause is there already and stays as it is."""

    def note_foreign_move(self, move: ForeignMove) -> None:
        """Keep a sighting; one after the same row to the same target is there already."""

    def acknowledge_foreign_moves(
        self, vcenter: str, cluster: ClusterId, *, by: str, at: datetime
    ) -> int:
        """Mark the sightings that nobody has acknowledged yet; return how many."""

    def note_disturbance(self, disturbance: Disturbance) -> None:
        """Keep a disturbance."""

    def keep_hosts(self, vcenter: str, cluster: ClusterId, hosts: Sequence[KnownHost]) -> None:
        """Keep the hosts that were seen just now in place of those of the look before."""

    def put_breaker(
        self, vcenter: str, cluster: ClusterId, breaker: Breaker, *, at: datetime
    ) -> None:
        """Keep the breaker's state in place of the one before; `at` is when it became so."""

    def put_verdict(self, verdict: Verdict) -> None:
        """Keep a batch's verdict; the one of its cycle, where there is one, is replaced."""

    def acknowledge_verdicts(
        self, vcenter: str, cluster: ClusterId, *, by: str, at: datetime
    ) -> int:
        """Mark the verdicts that nobody has acknowledged yet; return how many."""


class Controls(Protocol):
    """What people asked for. Durable, or `StoreError`."""

    def pause(self, pause: Pause) -> int:
        """Keep a pause and return its id: from now on `begin` refuses on its shard."""

    def resume(self, shard: str, *, by: str, at: datetime) -> tuple[Pause, ...]:
        """End the pauses of exactly this shard (empty: those of all); return them."""

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses that last, oldest first."""

    def ask_evacuation(self, evacuation: Evacuation) -> int:
        """Keep a request and return its id; of a host that is asked for already, that one's."""

    def end_evacuation(self, request: int, *, by: str, at: datetime) -> None:
        """End a request; raises `StoreError` where there is no such one."""

    def evacuations(self, shard: str) -> tuple[Evacuation, ...]:
        """Return the requests of a shard that last (empty: of all shards), oldest first."""

    def keep_plan(self, plan: StoredPlan) -> int:
        """Keep a plan and return its number."""

    def find_plan(self, key: str) -> StoredPlan | None:
        """Return the newest plan whose number, digest or id is `key`, or whose digest or id begins with it."""

    def plans(self, shard: str, *, last: int) -> tuple[StoredPlan, ...]:
        """Return the last plans of a shard (empty: of all shards), newest first."""

    def approve(self, approval: Approval) -> int:
        """Keep an approval or a rejection; raises `StoreError` for no plan, and for one that has one already."""

    def take_approval(self, shard: str, *, at: datetime) -> tuple[Approval, StoredPlan] | None:
        """Return the oldest approval that was not used and has not expired, and mark it used in the same step."""

    def approvals(self, shard: str, *, last: int) -> tuple[Approval, ...]:
        """Return the last approvals and rejections of a shard (empty: of all shards), newest first."""


class Audit(Protocol):
    """The append-only log. Durable, or `StoreError`.

    What other methods write of moves, controls and memory is noted here in the same transaction.
    """

    def note(self, note: AuditNote) -> None:
        """Append an entry to the chain."""

    def audit_entries(self, *, last: int) -> tuple[AuditEntry, ...]:
        """Return the last entries, oldest first."""

    def verify_audit(self, *, heads: Iterable[AuditHead] = ()) -> AuditReport:
        """Read the whole chain and say what does not hold; each of `heads` must be in it."""


class Upkeep(Protocol):
    """Keeps the rest in bounds. Durable, or `StoreError`."""

    def forget(self, before: datetime) -> int:
        """Drop what was over before then, and return how many rows; never what is open, nor the audit log.

        Ended moves go with their transitions, and plans with their decisions. The newest row of each kind stays,
        so that no number comes twice.
        """


class Store(Leases, Journal, Memory, Controls, Audit, Upkeep, Protocol):
    """Everything that must outlive the process. Unable to write means unable to act."""


class History(Protocol):
    """Demand over weeks, by cluster. Nothing that is safe or right hangs on it; `StoreError` where it fails.

    Figures are kept in one byte each: see `model.scale` for how exact that is.
    """

    def put(self, cluster: str, block: Block) -> None:
        """Keep figures in place of those kept of the same steps; where the block knows nothing they stay.

        A member of another size than the one kept begins anew with the block.
        """

    def read(
        self,
        cluster: str,
        kind: Kind,
        step_s: Seconds,
        *,
        since: datetime,
        until: datetime,
        series: Collection[Series],
    ) -> Iterable[Block]:
        """Return what is kept of the steps from `since` to before `until`, oldest first; gaps are not told.

        Blocks are read as they are taken. Of a member that began anew nothing from before is shown.
        """

    def forget_steps(self, step_s: Seconds, before: datetime) -> None:
        """Drop the steps of this length from before then, in whole days."""

    def shrink(self, most_bytes: int) -> None:
        """Drop the oldest until all of it takes no more room than this, of the shortest steps first."""

    def condense(self, before: datetime) -> None:
        """Put each whole day before then in its smallest form, and drop members of which nothing is left."""

    def oldest(self) -> datetime | None:
        """Return when the oldest step that is kept begins, None where none is."""

    @property
    def size_bytes(self) -> int:
        """Return the room that it takes on the disk."""

    def close(self) -> None:
        """Let go of the disk."""


class Clock(Protocol):
    """Time, so that tests and the simulation own it."""

    def now(self) -> datetime:
        """Return the wall clock in UTC, for records."""

    def monotonic(self) -> float:
        """Return seconds that never jump, for time-outs."""

    def sleep(self, seconds: Seconds) -> None:
        """Wait."""


class Events(Protocol):
    """Hears what happened."""

    def tell(self, event: Event) -> None:
        """Take one event; never raises and never blocks for long."""
