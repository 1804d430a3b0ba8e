"""Made-up results of a few hosts and slots, for everything that shows results."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from balancer.lab.replayed import Clock, Mended, PolicyText, Recipe, Replayed, replayed
from balancer.lab.result import Curves, DownMark, MoveMark, Result, Run, Score
from balancer.model.units import HostId

HOSTS = ("host-a", "host-b", "host-c")
SLOTS = 10
STEP_S = 300.0


def score(
    *,
    unmet: float = 2.0,
    moves: int = 3,
    gib: float = 24.0,
    spread: float = 0.1,
    undone: int = 0,
    restarts: int = 0,
    down: float = 0.0,
) -> Score:
    return Score(
        demand_ghz_h=1000.0,
        unmet_ghz_h=unmet,
        host_slots=len(HOSTS) * SLOTS,
        slots_over_80=4,
        slots_over_100=1,
        memory_slots_full=2,
        memory_over_gib_h=1.5,
        moves=moves,
        failed_moves=0,
        moved_gib=gib,
        copy_hours=0.25,
        repeats=0,
        undone=undone,
        spread=spread,
        restarts=restarts,
        down_ghz_h=down,
    )


def mark(number: int, *, vm: str = "", fault: str = "", hosts: Sequence[str] = HOSTS) -> MoveMark:
    return MoveMark(
        vm=vm or f"vm-{number}",
        source=HostId(hosts[number % len(hosts)]),
        target=HostId(hosts[(number + 1) % len(hosts)]),
        begun_s=100.0 * number,
        ended_s=100.0 * number + 30.0,
        memory_mib=8192.0,
        reason="contention",
        fault=fault,
    )


def after_a_failure() -> Run:
    """Return ours beside a host that failed with two VMs, of which one is down to the end."""
    down = DownMark(vm="vm-1", source=HostId(HOSTS[0]), since_s=600.0)
    started = replace(down, vm="vm-0", target=HostId(HOSTS[1]), until_s=720.0, was_started=True)
    return run(made=score(unmet=2.0, restarts=1, down=0.75), downs=(started, down))


def curves(steps: int = SLOTS, hosts: int = len(HOSTS), peak: float = 1.2) -> Curves:
    load = np.linspace(0.1, 0.9, steps * hosts, dtype=np.float32).reshape(steps, hosts)
    load[steps // 2, 0] = peak
    return Curves(
        step_s=STEP_S,
        host_load=load,
        unmet_ghz_h=np.linspace(0.0, 2.0, steps, dtype=np.float32),
        spread=np.full(steps, 0.1, dtype=np.float32),
    )


def run(
    contender: str = "ours",
    *,
    start: str = "random",
    seed: int = 0,
    made: Score | None = None,
    moves: tuple[MoveMark, ...] | None = None,
    lines: Curves | None = None,
    downs: tuple[DownMark, ...] = (),
) -> Run:
    return Run(
        contender=contender,
        start=start,
        seed=seed,
        score=made or score(),
        moves=tuple(map(mark, range(3))) if moves is None else moves,
        curves=lines or curves(),
        cycles=10,
        wall_s=1.5,
        quiet={"balanced": 7},
        downs=downs,
    )


def three_runs() -> tuple[Run, ...]:
    """Return ours, a rival that it beats, and doing nothing, which nobody beats in moves."""
    return (
        run("ours"),
        run("chase", made=score(unmet=2.5, moves=9, gib=80.0)),
        run("nothing", made=score(unmet=40.0, moves=0, gib=0.0), moves=()),
    )


def result(runs: Sequence[Run] | None = None, *, hosts: Sequence[str] = HOSTS) -> Result:
    return Result(
        trace="a made-up day",
        trace_digest="d1",
        slots=SLOTS,
        step_s=STEP_S,
        vms=6,
        hosts=tuple(hosts),
        interval_s=300.0,
        idle_consumed=0.25,
        runs=three_runs() if runs is None else tuple(runs),
        bound=score(unmet=0.0, moves=0, gib=0.0),
    )


RECIPE = Recipe(
    program="1.2.3",
    options={"--seed": ("0",), "--with": ("ours", "chase", "nothing")},
    digests={"hosts": "h1", "placement random": "r1"},
    policies=(PolicyText(name="balanced", digest="p1", text="kind: Policy\n"),),
)
CLOCK = Clock(made_at="2026-01-02T03:04:05Z", elapsed_s=12.0, jobs=2)


def made_up(runs: Sequence[Run] | None = None, *, hosts: Sequence[str] = HOSTS) -> Replayed:
    mended = Mended(rule="gap_filled", count=7, places=("row 3, column a",))
    return replayed(result(runs, hosts=hosts), RECIPE, CLOCK, mends=[mended])
