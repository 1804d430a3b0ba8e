"""What a replay scores: the trace laid over where each VM stood. Pure arrays, the same for every contender.

Within a slot demand is constant; hosts are looked at piece by piece between the starts and ends of migrations,
so that a move counts from the second at which the VM runs on its target. A copy keeps a core busy on both of
its hosts (`bargain.core_mhz`).
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from balancer.assess.bargain import core_mhz
from balancer.lab.outages import serving_of
from balancer.lab.presence import Bools, there_of
from balancer.lab.result import Curves, DownMark, MoveMark, Score, StartMark
from balancer.lab.scene import Scene
from balancer.model.units import DAY_S, HOUR_S, HostId, Ratio, Seconds
from balancer.policy.types import Thresholds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

GHZ = 1000.0
GIB = 1024.0
HOT, FULL = 0.8, 1.0

_END, _START, _FALL, _RISE, _BEGIN = range(5)
"""What happens at one moment comes to pass in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The hosts of a scene as arrays, by their place in it."""

    place: dict[HostId, int]
    cpu_mhz: Floats
    memory_mib: Floats
    core_mhz: Floats

    @classmethod
    def of(cls, scene: Scene) -> "Hosts":
        """Return the hosts of a scene."""
        hosts = scene.hosts
        return cls(
            place={host.id: number for number, host in enumerate(hosts)},
            cpu_mhz=np.array([host.usable_cpu_mhz for host in hosts]),
            memory_mib=np.array([host.usable_memory_mib for host in hosts]),
            core_mhz=np.array([core_mhz(host) for host in hosts]),
        )

    def with_nowhere(self) -> "Hosts":
        """Return them with one more that gives nothing: there stand VMs that are down."""
        return replace(
            self,
            cpu_mhz=np.append(self.cpu_mhz, 0.0),
            memory_mib=np.append(self.memory_mib, 0.0),
            core_mhz=np.append(self.core_mhz, 0.0),
        )


def score_of(
    scene: Scene,
    moves: Sequence[MoveMark],
    downs: Sequence[DownMark] = (),
    starts: Sequence[StartMark] = (),
) -> tuple[Score, Curves]:
    """Return the score of a replay with these moves, in the order of their ends, and its curves.

    What VMs that are down with their host (`downs`) want is unmet. A host that has failed has no load. One that is
    added or removed counts while it is in the inventory, and after that until no VM is left on it.
    """
    hosts, trace = Hosts.of(scene), scene.trace
    load, unmet, held = _laid(scene, hosts, moves, downs, starts)
    lost = unmet[:, len(scene.hosts) :]
    load, held = load[:, : len(scene.hosts)], held[:, : len(scene.hosts)]
    ratio = load / hosts.cpu_mhz
    there = there_of(scene) | (load > 0.0) | (held > 0.0)
    spread = _spread(ratio, there)
    slot_h = trace.step_s / HOUR_S
    over = np.maximum(held - hosts.memory_mib, 0.0)
    done = [move for move in moves if not move.fault]
    score = Score(
        demand_ghz_h=float(np.nansum(trace.cpu_mhz, dtype=np.float64)) * slot_h / GHZ,
        unmet_ghz_h=float(unmet.sum()) * slot_h / GHZ,
        host_slots=int(there.sum()),
        slots_over_80=int((ratio > HOT).sum()),
        slots_over_100=int((ratio > FULL).sum()),
        memory_slots_full=int((held > Thresholds().memory_ceiling * hosts.memory_mib).sum()),
        memory_over_gib_h=float(over.sum()) * slot_h / GIB,
        moves=len(done),
        failed_moves=len(moves) - len(done),
        moved_gib=sum(move.memory_mib for move in done) / GIB,
        copy_hours=sum(move.ended_s - move.begun_s for move in moves) / HOUR_S,
        repeats=_repeats(done),
        undone=_undone(done),
        spread=float(spread.mean()),
        restarts=sum(down.was_started for down in downs),
        down_ghz_h=float(lost.sum()) * slot_h / GHZ,
    )
    curves = Curves(
        step_s=trace.step_s,
        host_load=ratio.astype(np.float32),
        unmet_ghz_h=(np.cumsum(unmet.sum(axis=1)) * slot_h / GHZ).astype(np.float32),
        spread=spread.astype(np.float32),
    )
    return score, curves


def held_ratio(
    scene: Scene,
    moves: Sequence[MoveMark],
    downs: Sequence[DownMark] = (),
    starts: Sequence[StartMark] = (),
) -> Floats:
    """Return the memory that VMs hold over usable memory, (slots, hosts), of a replay with these moves."""
    hosts = Hosts.of(scene)
    held = _laid(scene, hosts, moves, downs, starts)[2][:, : len(scene.hosts)]
    ratio: Floats = held / hosts.memory_mib
    return ratio


def bound_of(scene: Scene) -> Score:
    """Return what no placement can beat: all hosts that serve as one, no moves, no VM ever down.

    A host that is removed serves until then: who leaves VMs on it has more, see docs/decisions/0051.
    """
    hosts, trace = Hosts.of(scene), scene.trace
    slot_h = trace.step_s / HOUR_S
    wanted = np.nansum(trace.cpu_mhz, axis=1, dtype=np.float64)
    serving = serving_of(scene)
    usable_mhz = hosts.cpu_mhz.sum() if serving is None else serving @ hosts.cpu_mhz
    ratio = wanted / np.maximum(usable_mhz, 1.0)
    count = there_of(scene).sum(axis=1)
    return Score(
        demand_ghz_h=float(wanted.sum()) * slot_h / GHZ,
        unmet_ghz_h=float(np.maximum(wanted - usable_mhz, 0.0).sum()) * slot_h / GHZ,
        host_slots=int(count.sum()),
        slots_over_80=int(count[ratio > HOT].sum()),
        slots_over_100=int(count[ratio > FULL].sum()),
        memory_slots_full=0,
        memory_over_gib_h=0.0,
        moves=0,
        failed_moves=0,
        moved_gib=0.0,
        copy_hours=0.0,
        repeats=0,
        undone=0,
        spread=0.0,
    )


def _spread(ratio: Floats, there: Bools) -> Floats:
    """Return the standard deviation of the loads of the hosts that are there, (slots,)."""
    if there.all():
        return np.asarray(ratio.std(axis=1))
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    mean = (ratio * there).sum(axis=1, keepdims=True) / count
    squares = ((ratio - mean) ** 2 * there).sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(squares / count)[:, 0])


def _laid(
    scene: Scene,
    hosts: Hosts,
    moves: Sequence[MoveMark],
    downs: Sequence[DownMark],
    starts: Sequence[StartMark],
) -> tuple[Floats, Floats, Floats]:
    """Return mean CPU load, mean unmet demand and held memory of each host in each slot, (slots, hosts).

    Where VMs were down there is one column more: they stand on a host that gives nothing.
    """
    trace, count = scene.trace, len(scene.hosts)
    if downs:
        hosts, count = hosts.with_nowhere(), count + 1
    cpu, memory = np.nan_to_num(trace.cpu_mhz.astype(np.float64)), _consumed(scene)
    load, unmet, held = (np.zeros((trace.slots, count)) for _ in range(3))
    stage, first = _Stage(scene, hosts, moves, downs, starts), 0
    for slot in [*stage.busy_slots(), trace.slots]:
        quiet = slice(first, slot)
        load[quiet] = _summed(cpu[quiet], stage.at, count)
        unmet[quiet] = np.maximum(load[quiet] - hosts.cpu_mhz, 0.0)
        held[quiet] = _summed(memory[quiet], stage.at, count)
        if slot < trace.slots:
            for share in stage.pieces(slot):
                wanted = np.bincount(stage.at, weights=cpu[slot], minlength=count)
                here = wanted + stage.copies * hosts.core_mhz
                load[slot] += share * here
                unmet[slot] += share * np.maximum(here - hosts.cpu_mhz, 0.0)
                held[slot] += share * np.bincount(stage.at, weights=memory[slot], minlength=count)
        first = slot + 1
    return load, unmet, held


class _Stage:
    """Where each VM stands and how many copies each host takes part in, from piece to piece."""

    def __init__(
        self,
        scene: Scene,
        hosts: Hosts,
        moves: Sequence[MoveMark],
        downs: Sequence[DownMark],
        starts: Sequence[StartMark],
    ) -> None:
        self._step_s, self._slots = scene.trace.step_s, scene.trace.slots
        self._number = {vm.name: row for row, vm in enumerate(scene.trace.vms)}
        self._place = hosts.place
        places = [hosts.place[scene.placement[vm.name]] for vm in scene.trace.vms]
        self.at: Ints = np.array(places, dtype=np.int64)
        self.copies: Floats = np.zeros(len(hosts.cpu_mhz))
        begins = [(move.begun_s, _BEGIN, move) for move in moves]
        ends = [(move.ended_s, _END, move) for move in moves]
        falls = [(down.since_s, _FALL, down) for down in downs]
        rises = [(down.until_s, _RISE, down) for down in downs if down.until_s is not None]
        rests = [(start.at_s, _START, start) for start in starts]
        turns: list[tuple[Seconds, int, MoveMark | DownMark | StartMark]] = []
        for kind in (begins, ends, falls, rises, rests):
            turns += kind
        self._turns = deque(sorted(turns, key=lambda turn: turn[:2]))

    def busy_slots(self) -> list[int]:
        """Return the slots in which a migration begins, runs or ends, or a VM goes down or up, in order."""
        moves = [turn[2] for turn in self._turns if isinstance(turn[2], MoveMark) and turn[1]]
        slots = {
            slot
            for move in moves
            for slot in range(
                int(move.begun_s // self._step_s), int(move.ended_s // self._step_s) + 1
            )
        }
        slots |= {
            int(at_s // self._step_s)
            for at_s, _, mark in self._turns
            if not isinstance(mark, MoveMark)
        }
        return sorted(slot for slot in slots if slot < self._slots)

    def pieces(self, slot: int) -> Iterator[Ratio]:
        """Yield the share of the slot that each piece of it takes, while `at` and `copies` are its own."""
        now_s, end_s = slot * self._step_s, (slot + 1) * self._step_s
        while self._turns and self._turns[0][0] < end_s:
            at_s, kind, mark = self._turns.popleft()
            if at_s > now_s:
                yield (at_s - now_s) / self._step_s
                now_s = at_s
            if isinstance(mark, MoveMark):
                self._turn(mark, is_begin=kind == _BEGIN)
            elif isinstance(mark, StartMark):
                self.at[self._number[mark.vm]] = self._place[mark.host]
            else:
                self._fall_or_rise(mark, is_fall=kind == _FALL)
        yield (end_s - now_s) / self._step_s

    def _turn(self, move: MoveMark, *, is_begin: bool) -> None:
        for host in (move.source, move.target):
            self.copies[self._place[host]] += 1.0 if is_begin else -1.0
        if not is_begin and not move.fault:
            self.at[self._number[move.vm]] = self._place[move.target]

    def _fall_or_rise(self, down: DownMark, *, is_fall: bool) -> None:
        host = down.source if is_fall or down.target is None else down.target
        place = len(self._place) if is_fall else self._place[host]
        self.at[self._number[down.vm]] = place


def _summed(figures: Floats, at: Ints, count: int) -> Floats:
    """Return the figures (slots, VMs) summed by host, (slots, count)."""
    members = np.zeros((len(at), count))
    members[np.arange(len(at)), at] = 1.0
    result: Floats = figures @ members
    return result


def _consumed(scene: Scene) -> Floats:
    """Return the memory that each VM holds in each slot, (slots, VMs); 0 while it is off.

    What the trace knows counts, else active memory and the scene's share of the rest of the size.
    """
    trace = scene.trace
    size = np.tile(np.array([vm.memory_mib for vm in trace.vms]), (trace.slots, 1))
    for resize in trace.resizes:
        size[resize.slot :, resize.vm] = resize.memory_mib
    active = trace.memory_mib.astype(np.float64)
    held = active + scene.idle_consumed * np.maximum(size - active, 0.0)
    if trace.consumed_mib is not None:
        held = np.where(np.isfinite(trace.consumed_mib), trace.consumed_mib, held)
    result: Floats = np.where(np.isfinite(trace.cpu_mhz), np.nan_to_num(held), 0.0)
    return result


def _repeats(moves: Sequence[MoveMark]) -> int:
    """Count the moves of a VM that begin within an hour after its last one ended."""
    last: dict[str, Seconds] = {}
    count = 0
    for move in sorted(moves, key=lambda move: move.begun_s):
        count += move.begun_s - last.get(move.vm, -np.inf) < HOUR_S
        last[move.vm] = move.ended_s
    return count


def _undone(moves: Sequence[MoveMark]) -> int:
    """Count the moves that bring a VM to a host which it left within the day before."""
    left: defaultdict[str, dict[HostId, Seconds]] = defaultdict(dict)
    count = 0
    for move in sorted(moves, key=lambda move: move.begun_s):
        count += move.begun_s - left[move.vm].get(move.target, -np.inf) < DAY_S
        left[move.vm][move.source] = move.ended_s
    return count
