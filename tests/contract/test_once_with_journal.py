"""Lost replies through the whole executor: at most one call on the wire per row, and each row ends as it was.

Batches of moves are carried out over the fault proxy, which loses the answer of each vMotion in one of eight ways
or lets it through, drawn with a fixed seed; some migrations fail besides. The journal is the real one. Then
rows are settled until none is open, and each is compared with what the server did. Some thirty cases run with the
suite; `make prove-once` runs a thousand.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.execute import Tools, execute
from balancer.execute.settle import settle
from balancer.model.outcome import JournalRow, MoveState
from balancer.model.plan import Move
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, Seconds
from balancer.policy.types import Policy
from balancer.ports import ClusterRef, Store
from tests.contract.test_once_on_the_wire import LOSSES, METHOD, TIMEOUT_S
from tests.support.fakes import RecordingEvents
from tests.support.fault_proxy import FaultProxy, Rule
from tests.support.journal import sqlite_store
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vcenter_control import Relocation
from tests.support.vsphere import settings_for
from tests.support.wire import document, host_row, vm_row, write
from tests.unit.execute.stage import WIDE, demand_of, move, plan, without_budgets

pytestmark = [pytest.mark.wire, pytest.mark.slow]

CASES = int(os.environ.get("BALANCER_ONCE_JOURNAL_CASES", "30"))
CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")
HOSTS, BATCH = 4, 10
CALM = replace(WIDE, breaker_failures_in_row=10**6, breaker_failed_ratio=1.0, returns_at_most=10**6)
POLICY = Policy(limits=without_budgets(CALM))
"""What fails here by the dozen on purpose must not stop the run."""

WEIGHTS = (20, 20, 15, 15, 10, 9, 1, 10)
"""Of the losses in their order, a delay being the dearest, and of no loss at all."""

ROUNDS = 12
END_OF = {
    "success": MoveState.DONE,
    "failed": MoveState.FAILED,
    "refused": MoveState.FAILED,
}


class HastyClock:
    """A `ports.Clock` that goes on by what is slept without sleeping so long."""

    def __init__(self) -> None:
        self._skipped_s = 0.0

    def now(self) -> datetime:
        """Return the real time and what was skipped."""
        return datetime.now(UTC) + timedelta(seconds=self._skipped_s)

    def monotonic(self) -> float:
        """Return the same of the monotonic clock."""
        return time.monotonic() + self._skipped_s

    def sleep(self, seconds: Seconds) -> None:
        """Skip the time, but for as long as a migration needs here."""
        nap_s = min(seconds, 0.02)
        time.sleep(nap_s)
        self._skipped_s += seconds - nap_s


@dataclass
class Scene:
    """One vCenter behind the proxy, and a journal."""

    server: VCenterProcess
    proxy: FaultProxy
    vcenter: VsphereConnection
    store: Store
    chance: random.Random = field(default_factory=lambda: random.Random(11))

    def __post_init__(self) -> None:
        self.tools = Tools(
            vcenter="vc1",
            cluster_name="prod",
            holder="test",
            inventory=self.vcenter.inventory,
            migrator=self.vcenter.migrator(),
            store=self.store,
            clock=HastyClock(),
            events=RecordingEvents(),
            may_submit=lambda: None,
            demand_of=demand_of,
        )

    def read(self) -> Snapshot:
        return self.vcenter.inventory.snapshot(CLUSTER)

    @property
    def rows(self) -> tuple[JournalRow, ...]:
        return self.store.rows_since("vc1", CLUSTER.id, datetime(2000, 1, 1, tzinfo=UTC))

    def spoil(self, count: int) -> None:
        """Draw a loss for each of the next calls; some of the migrations fail at their end."""
        for place in range(count):
            (loss,) = self.chance.choices((*LOSSES, None), WEIGHTS)
            if loss is not None:
                rule: Rule = self.proxy.spoil(method=METHOD, skip=place, **loss)  # type: ignore[arg-type]
                assert rule.times == 1

    def moves(self, snapshot: Snapshot, count: int) -> list[Move]:
        numbers = self.chance.sample(range(1, len(snapshot.vms) + 1), count)
        made = []
        for number in numbers:
            source = int(snapshot.vm_by_id[_vm(number)].host.removeprefix("host-"))
            target = self.chance.choice([n for n in range(1, HOSTS + 1) if n != source])
            made.append(move(number, source, target))
        return made


def _vm(number: int) -> str:
    return f"vm-{number}"


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    doc = document(
        [host_row(n) for n in range(1, HOSTS + 1)],
        [vm_row(n, 1 + n % HOSTS) for n in range(1, 2 * BATCH + 1)],
    )
    with (
        start_vcenter(write(folder, doc), migration_seconds=0.02) as server,
        FaultProxy(server) as proxy,
        sqlite_store(folder / "journal.sqlite") as store,
    ):
        settings = settings_for(
            server,
            port=proxy.port,
            ca_file=proxy.ca_file,
            submit_timeout_s=TIMEOUT_S,
            read_tags=False,
        )
        with connect(settings) as vcenter:
            yield Scene(server, proxy, vcenter, store)


def settled(on: Scene, base: Snapshot) -> None:
    """Settle every open row, in as many rounds as the hold time needs."""
    for _ in range(ROUNDS):
        settle(base, POLICY, on.tools)
        if not on.store.open_rows("vc1"):
            return
        on.tools.clock.sleep(30.0)
    raise AssertionError(on.store.open_rows("vc1"))


def true_end(line: Relocation | None) -> MoveState:
    return MoveState.ABORTED if line is None else END_OF[line.state]


@pytest.mark.timeout(3600)
def test_s3_a_lost_reply_leaves_one_call_and_a_row_that_ends_as_what_happened(
    tmp_path: Path,
) -> None:
    ends: Counter[MoveState] = Counter()
    with scene(tmp_path) as on:
        while sum(ends.values()) < CASES:
            known, logged = len(on.rows), len(on.server.control.relocations())
            sent_before = len(on.proxy.seen.received)
            base = on.read()
            moves = on.moves(base, BATCH)
            for unlucky in moves[:2]:
                on.server.control.add_fault("Timedout", vm=unlucky.vm, after_s=0.0, times=1)
            on.proxy.forget_rules()
            on.spoil(len(moves))
            made = plan(
                *moves,
                cluster_id=CLUSTER.id,
                created_at=base.taken_at,
                snapshot_taken_at=base.taken_at,
            )
            outcomes = execute(made, base, POLICY, on.tools, cycle_id=f"c-{known}")
            settled(on, base)
            on.server.control.clear_faults()

            new = on.rows[known:]
            assert len(new) == len(moves), [outcome.refusal for outcome in outcomes]
            on_the_wire = Counter(
                vm for method, vm in on.proxy.seen.received[sent_before:] if method == METHOD
            )
            assert on_the_wire == Counter(row.entry.vm for row in new)
            truth = {line.vm: line for line in on.server.control.relocations()[logged:]}
            for row in new:
                line = truth.get(row.entry.vm_name)
                assert row.state is true_end(line), (row, line)
                assert not row.task or (line is not None and row.task == line.task)
            ends.update(row.state for row in new)
    assert {MoveState.DONE, MoveState.FAILED, MoveState.ABORTED} <= ends.keys()
    print(f"{sum(ends.values())} cases: {dict(ends)}")  # noqa: T201
