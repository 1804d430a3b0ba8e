"""Death at every step, and many cycles of bad days: nothing is sent twice, nothing stays unaccounted for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.adapters.store.sqlite import SqliteStore
from balancer.execute import execute
from balancer.execute.budgets import admit
from balancer.execute.settle import settle
from balancer.model.outcome import MoveState
from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits
from balancer.ports import Store
from tests.support.fakes import Script
from tests.unit.execute.stage import Stage, cluster, host_id, move, plan, vm_id

MOVES = (
    move(1, 1, 2),
    move(2, 1, 2),
    move(3, 1, 3, wave=2, after=(1,)),
    move(4, 1, 3),
    move(5, 1, 2, wave=2, after=(2,)),
)
SCRIPTS = {
    vm_id(1): Script(seconds=20),
    vm_id(2): Script(seconds=20, task_fault="Timedout"),
    vm_id(3): Script(seconds=40),
    vm_id(4): Script(seconds=20, reply_lost=True),
}


class Killed(BaseException):
    """The process is gone, as after SIGKILL: nothing catches it."""


class Mortal:
    """A port of a process that dies before or after its n-th call, counted over all its ports."""

    def __init__(self, port: object, fate: "Fate") -> None:
        self._port, self._fate = port, fate

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*args: Any, **facts: Any) -> Any:
            self._fate.step(before=True)
            try:
                return method(*args, **facts)
            finally:
                self._fate.step(before=False)

        return call


class Fate:
    def __init__(self, at_call: int, *, before: bool) -> None:
        self.at_call, self.before, self.calls = at_call, before, 0

    def step(self, *, before: bool) -> None:
        self.calls += before
        if self.calls == self.at_call and before is self.before:
            raise Killed


def mortal_stage(store: Store, fate: Fate, ports: tuple[str, ...]) -> Stage:
    stage = Stage(store=store, limits=Limits(migrations_per_host=2))
    stage.vcenter.scripts = dict(SCRIPTS)
    wrapped = {name: Mortal(getattr(stage.tools, name), fate) for name in ports}
    stage.tools = replace(stage.tools, poll_s=5.0, **wrapped)
    return stage


def die(stage: Stage) -> bool:
    """Run until death; return whether it came."""
    try:
        made = plan(*MOVES)
        execute(made, stage.base, stage.policy, stage.tools, cycle_id="c-1")
    except Killed:
        return True
    return False


def live_on(stage: Stage, store: Store) -> None:
    """Start again with the journal that was left, until nothing is open."""
    stage.store = store
    stage.tools = replace(stage.tools, inventory=stage.vcenter, migrator=stage.vcenter, store=store)
    for _ in range(40):
        (ref,) = stage.vcenter.clusters()
        settle(stage.vcenter.snapshot(ref), stage.policy, stage.tools)
        if not store.open_rows("vc1"):
            return
        stage.clock.sleep(20)
    raise AssertionError("rows stay open")


def check_books(stage: Stage) -> None:
    """Compare the journal with the truth."""
    rows = {row.entry.vm: row for row in stage.rows}
    assert len(rows) == len(stage.rows)
    assert all(count == 1 for count in stage.vcenter.submits.values())
    assert set(stage.vcenter.submits) <= set(rows)
    for vm, row in rows.items():
        place = stage.vcenter.truth.vm_by_id[vm].host
        expected = row.entry.target if row.state is MoveState.DONE else row.entry.source
        assert place == expected, f"{vm} ended as {row.state}"
    moved = {vm.id for vm in stage.vcenter.truth.vms if vm.host != host_id(1)}
    assert moved == {vm for vm, row in rows.items() if row.state is MoveState.DONE}


@contextmanager
def reopened(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    try:
        yield store
    finally:
        store.close()


def sweep(ports: tuple[str, ...]) -> Iterator[tuple[int, bool]]:
    """Yield every point of death over these ports."""
    life = Fate(0, before=True)
    assert not die(mortal_stage(MemoryStore(), life, ports))
    assert life.calls > 20
    for at_call in range(1, life.calls + 1):
        yield at_call, True
        yield at_call, False


def test_death_at_any_call_loses_nothing_and_repeats_nothing() -> None:
    for at_call, before in sweep(("inventory", "migrator", "store", "events")):
        store = MemoryStore()
        stage = mortal_stage(
            store, Fate(at_call, before=before), ("inventory", "migrator", "store", "events")
        )
        assert die(stage)
        live_on(stage, store)
        check_books(stage)


def test_death_at_any_write_or_request_is_survived_by_the_file(tmp_path: Path) -> None:
    ports = ("migrator", "store")
    for at_call, before in sweep(ports):
        path = tmp_path / f"{at_call}-{before}.sqlite"
        with reopened(path) as store:
            stage = mortal_stage(store, Fate(at_call, before=before), ports)
            assert die(stage)
        with reopened(path) as store:
            live_on(stage, store)
            check_books(stage)


# many cycles


LIMITS = Limits(
    migrations_per_host=2,
    migrations_per_cluster=3,
    moves_per_vm_per_day=1000,
    moves_per_run_at_least=1000,
    moves_per_run_at_most=1000,
    breaker_failures_in_row=1000,
    breaker_failed_ratio=1.0,
    returns_at_most=1000,
)


def bad_day(random: Random) -> Script:
    """Return a script for one migration: most go well."""
    luck = random.random()
    seconds = random.uniform(1, 400)
    if luck < 0.6:
        return Script(seconds=seconds)
    return random.choice(
        [
            Script(seconds=seconds, task_fault="Timedout"),
            Script(seconds=seconds, call_fault="TaskInProgress"),
            Script(seconds=seconds, reply_lost=True),
            Script(seconds=seconds, reply_lost=True, arrives=False),
            Script(seconds=seconds, vanishes=True),
            Script(seconds=seconds, lies=True),
            Script(seconds=1200.0),
            Script(seconds=seconds, task_fault="HostNotConnected"),
            Script(seconds=seconds, lands_on=host_id(4)),
        ]
    )


def any_moves(stage: Stage, random: Random, cycle: int) -> list[Move]:
    truth = stage.vcenter.truth
    chosen = random.sample(range(1, 13), k=random.randint(0, 8))
    moves: list[Move] = []
    for number in chosen:
        source = int(truth.vm_by_id[vm_id(number)].host.removeprefix("host-"))
        target = random.choice([n for n in range(1, 5) if n != source])
        after = tuple(m.id for m in random.sample(moves, k=min(len(moves), random.randint(0, 1))))
        made = move(number, source, target, wave=2 if after else 1, gain=random.random())
        moves.append(replace(made, id=f"c{cycle}-{number:02}", after=after))  # type: ignore[arg-type]
    return moves


def one_cycle(stage: Stage, random: Random, cycle: int) -> None:
    vcenter, clock = stage.vcenter, stage.clock
    vcenter.scripts = {vm_id(n): bad_day(random) for n in range(1, 13)}
    if random.random() < 0.3:
        begin = clock.monotonic() + random.uniform(0, 60)
        vcenter.outages.append((begin, begin + random.uniform(5, 90)))
    stop_s = clock.monotonic() + (random.uniform(0, 60) if random.random() < 0.2 else 1e9)
    stage.tools = replace(
        stage.tools,
        may_submit=lambda: Refusal.of(Reason.STOPPING) if clock.monotonic() >= stop_s else None,
    )
    snap = vcenter.snapshot(vcenter.clusters()[0])
    settle(snap, stage.policy, stage.tools)
    moves, _ = admit(
        any_moves(stage, random, cycle),
        snap,
        LIMITS,
        stage.rows,
        now=clock.now(),
        in_force=InForce(mode=Mode.AUTOMATIC),
    )
    made = plan(*moves, created_at=snap.taken_at)
    execute(made, snap, stage.policy, stage.tools, cycle_id=f"c-{cycle}")


@pytest.mark.parametrize("seed", range(8))
def test_bad_days_end_with_books_that_agree_with_the_truth(seed: int) -> None:
    random = Random(seed)
    stage = Stage(base=cluster(vms=12, hosts=4), limits=LIMITS)
    for cycle in range(25):
        one_cycle(stage, random, cycle)
        stage.clock.sleep(60)
        while stage.vcenter._is_out():
            stage.clock.sleep(10)
    live_on(stage, stage.store)
    assert max(stage.vcenter.peaks.values()) <= LIMITS.migrations_per_host
    assert stage.vcenter.peak <= LIMITS.migrations_per_cluster
    never_left = [r for r in stage.rows if r.state is MoveState.FAILED and not r.fault]
    assert sum(stage.vcenter.submits.values()) == len(stage.rows) - len(never_left)
    assert {row.state for row in stage.rows} >= {MoveState.DONE, MoveState.FAILED}
    for vm in stage.vcenter.truth.vms:
        last = [row for row in stage.rows if row.entry.vm == vm.id][-1:]
        for row in last:
            if row.state is MoveState.DONE:
                assert vm.host == row.entry.target
            if row.state in (MoveState.FAILED, MoveState.ABORTED):
                assert vm.host == row.entry.source
