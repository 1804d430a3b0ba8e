"""A journal of many rows, written fast: as if the program had worked for a long time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from balancer.adapters.store import notes
from balancer.adapters.store.chain import next_entry
from balancer.adapters.store.forms import Form, Plain
from balancer.adapters.store.rows import sealed
from balancer.adapters.store.sqlite import SqliteStore
from balancer.adapters.store.sqlite_audit import _columns
from balancer.adapters.store.steps import after_step, first_row
from balancer.adapters.store.tables import audit, moves, transitions
from balancer.model.audit import AuditEntry
from balancer.model.lease import Lease
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep, MoveState
from balancer.model.units import ClusterId, HostId
from tests.support.journal import SHARD, entry

_ENTRY, _STATE = Form(JournalEntry), Form(JournalRow, leave_out=("id", "entry"))
_STEP = Form(JournalStep)
_AT_ONCE = 5_000

Life = tuple[JournalRow, list[JournalStep]]


def fill(path: Path, *, rows: int, until: datetime, days: float = 90.0, clusters: int = 1) -> None:
    """Write that many ended moves of some clusters, evenly over the days before `until`."""
    lease = Lease(shard=SHARD, holder="long ago", token=1, expires_at=until)
    store = SqliteStore(path)
    last: AuditEntry | None = None
    with store._file.writing("fill the journal") as connection:
        batch: dict[str, list[dict[str, Plain]]] = {"moves": [], "transitions": [], "audit": []}
        for row, steps in _lives(rows, until, days, clusters):
            issued: dict[str, Plain] = {"id": row.id, "shard": SHARD, "token": 1}
            columns = {**_ENTRY.columns(row.entry), **_STATE.columns(row), **issued}
            batch["moves"].append(sealed(moves, columns))
            for step in steps:
                number = 3 * row.id - 2 + len(batch["transitions"]) % 3
                moved: dict[str, Plain] = {"id": number, "move": row.id, **_STEP.columns(step)}
                batch["transitions"].append(sealed(transitions, moved))
                is_first = step.state is MoveState.INTENT
                told = (
                    notes.of_intent(row.id, row.entry, lease)
                    if is_first
                    else notes.of_step(row, step, SHARD)
                )
                last = next_entry(last, told)
                batch["audit"].append(sealed(audit, _columns(last)))
            if len(batch["moves"]) == _AT_ONCE or row.id == rows:
                for table in (moves, transitions, audit):
                    connection.execute(insert(table), batch[table.name])
                    batch[table.name].clear()
    store.close()


def _lives(rows: int, until: datetime, days: float, clusters: int) -> Iterator[Life]:
    apart = timedelta(days=days) / rows
    for number in range(1, rows + 1):
        at = until - (rows - number) * apart
        new = entry(
            number % 3000,
            cluster=ClusterId(f"domain-c{1 + number % clusters}"),
            plan_id=f"20261126-{number // 10:08x}",
            cycle_id=f"{number // 10:08x}",
            vm_uuid=f"42{number % 3000:06x}-aaaa-bbbb-cccc-0123456789ab",
            vm_name=f"app-server-{number % 3000:05}",
            source=HostId(f"host-{number % 30}"),
            target=HostId(f"host-{(number + 7) % 30}"),
            intended_at=at,
        )
        row = first_row(number, new)
        steps = [
            JournalStep(state=MoveState.INTENT, at=at),
            JournalStep(
                state=MoveState.SUBMITTED, at=at + timedelta(seconds=0.1), task=f"task-{number}"
            ),
            JournalStep(
                state=MoveState.DONE, at=at + timedelta(seconds=31), detail="seen on the target"
            ),
        ]
        for step in steps[1:]:
            row = after_step(row, step)
        yield row, steps
