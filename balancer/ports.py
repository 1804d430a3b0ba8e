"""What the core needs from the outside, as Protocols. Adapters implement them; fakes in tests do too.

A command that only plans is given an `Inventory` and nothing else: dry run cannot write by
construction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from balancer.model.events import Event
from balancer.model.insight import ServerAnswer
from balancer.model.outcome import (
    JournalEntry,
    JournalRow,
    JournalStep,
    MigrationOrder,
    TaskView,
)
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, HostId, Seconds, VmId


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


class Migrator(Protocol):
    """The only port that moves a VM. Given to `execute` and to nothing else."""

    def submit(self, order: MigrationOrder) -> str:
        """Ask once for one vMotion and return the task's id.

        Raises:
            SubmitNotSent: no connection could be made; nothing was asked.
            SubmitRefused: the server refused with a fault.
            SubmitUnknown: sent, and no answer came back. Never to be sent again.
        """


class Store(Protocol):
    """The journal. Every write is durable when the method returns, or `StoreError` is raised."""

    def begin(self, entry: JournalEntry) -> int:
        """Write an INTENT row and return its id; refused while the VM has an open row."""

    def advance(self, row: int, step: JournalStep) -> None:
        """Write the next state of a row; what the step leaves empty stays as it was."""

    def open_rows(self, vcenter: str) -> tuple[JournalRow, ...]:
        """Return the rows whose end is not known, oldest first."""

    def rows_since(
        self, vcenter: str, cluster: ClusterId, since: datetime
    ) -> tuple[JournalRow, ...]:
        """Return the rows intended at or after `since`, oldest first."""


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
