"""Finds migrations of our own account that no row of the journal knows: a second balancer, most likely.

Two processes with two journals have two leases, and neither sees the other's intents. What they share is the
vCenter: there the account of a task is told. While such a migration runs, nothing is sent to its cluster.
Asks nothing but the journal, and that only where our account moves something.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta

from balancer.execute.sight import errand_of
from balancer.execute.tools import Tools
from balancer.model.events import RivalSeen
from balancer.model.outcome import JournalRow
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import FlightKind, InFlight, Snapshot
from balancer.model.units import VmId

log = logging.getLogger(__name__)

_ROWS_OF = timedelta(days=1)


def unclaimed(
    snapshot: Snapshot, tools: Tools, *, known: Iterable[VmId] = ()
) -> tuple[InFlight, ...]:
    """Return the migrations of our account in `snapshot` that no row of the journal explains.

    A row explains one of its VM while it is open, and one of its task or of its time afterwards: the snapshot
    may be older than the row's end. `known` are VMs that this run has on their way itself.

    Raises:
        StoreError: the journal could not be read.
    """
    ours = [flight for flight in snapshot.in_flight if _is_of_our_account(flight)]
    doubtful = [flight for flight in ours if flight.vm not in set(known)]
    if not doubtful:
        return ()
    since = tools.clock.now() - _ROWS_OF
    rows = (
        *tools.store.open_rows(tools.vcenter),
        *tools.store.rows_since(tools.vcenter, snapshot.cluster.id, since),
    )
    return tuple(flight for flight in doubtful if not _is_explained(flight, rows, tools))


def tell_rivals(snapshot: Snapshot, tools: Tools, *, known: Iterable[VmId] = ()) -> Refusal | None:
    """Return why nothing is sent while a rival moves VMs of this cluster, told and logged; None without one.

    Raises:
        StoreError: the journal could not be read.
    """
    flights = unclaimed(snapshot, tools, known=known)
    if not flights:
        return None
    refusal = _refusal(flights, snapshot)
    log.error("a rival with our account", extra={"detail": refusal.detail})
    tools.events.tell(RivalSeen(tasks=frozenset(f.task for f in flights if f.task)))
    return refusal


def _refusal(flights: Sequence[InFlight], snapshot: Snapshot) -> Refusal:
    first = flights[0]
    facts = snapshot.vm_by_id.get(first.vm)
    more = f" and {len(flights) - 1} more" if len(flights) > 1 else ""
    detail = (
        f"our own account moves {facts.name if facts else first.vm} ({first.task}){more} and no row of this"
        " journal knows of it: a second balancer with this account? End it, or give each an account of its own"
    )
    return Refusal.of(Reason.LEASE_HELD, detail)


def _is_of_our_account(flight: InFlight) -> bool:
    return bool(flight.is_ours) and flight.kind is not FlightKind.PROVISIONING


def _is_explained(flight: InFlight, rows: Iterable[JournalRow], tools: Tools) -> bool:
    return any(
        row.state.is_open
        or row.task == flight.task
        or errand_of(row, tools.hold_s).fits(is_ours=True, queued_at=flight.queued_at)
        for row in rows
        if row.entry.vm == flight.vm
    )
