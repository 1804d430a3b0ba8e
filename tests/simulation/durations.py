"""How near predicted durations come as migrations are learnt from: one slow pair of hosts, or chance alone.

Prints the table of docs/understand/durations.md:

    python -m tests.simulation.durations
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import exp, log
from random import Random
from statistics import median

from balancer.assess.pace import learn_paces
from balancer.model.duration import vmotion_seconds
from balancer.model.outcome import JournalEntry, JournalRow, MoveState
from balancer.model.pace import MODEL, Paces, at_pace
from balancer.model.plan import MoveReason
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from tests.support.builders import NOON, host

HOSTS = tuple(host(number) for number in range(1, 9))
SEEDS = 50
CHECKPOINTS = (0, 3, 5, 10, 20, 40, 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """How long migrations really take: `slow` of host to host, times chance; some wait in a queue."""

    slow: Callable[[HostId, HostId], float]
    noise: float
    queued: float = 0.0


def one_slow_pair(source: HostId, target: HostId) -> float:
    return 3.0 if (source, target) == ("host-1", "host-2") else 1.0


def one_slow_target(source: HostId, target: HostId) -> float:
    return 3.0 if target == "host-2" else 1.0


def as_the_model(source: HostId, target: HostId) -> float:
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One migration to come: its hosts, what the model says, and how long it will take."""

    source: HostId
    target: HostId
    model_s: float
    actual_s: float

    def error(self, paces: Paces) -> float:
        """Return how far the prediction is off, as the size of the logarithm."""
        predicted = at_pace(self.model_s, paces.of(self.source, self.target))
        return abs(log(self.actual_s / predicted))


def trips(truth: Truth, seed: int, *, pair: tuple[int, int] | None = None) -> Iterator[Trip]:
    """Yield migrations of VMs of 2 to 64 GiB between random hosts, or between those of one pair."""
    chance = Random(f"{seed}/{pair}")
    while True:
        one, other = pair or chance.sample(range(1, len(HOSTS) + 1), 2)
        source, target = HOSTS[one - 1], HOSTS[other - 1]
        model_s = vmotion_seconds(source, target, chance.choice((2, 4, 8, 16, 32, 64)) * 1024.0)
        actual_s = model_s * truth.slow(source.id, target.id) * exp(chance.gauss(0.0, truth.noise))
        if chance.random() < truth.queued:
            actual_s += chance.uniform(60.0, 600.0)
        yield Trip(source=source.id, target=target.id, model_s=model_s, actual_s=actual_s)


def row_of(number: int, trip: Trip, paces: Paces) -> JournalRow:
    """Return the journal's row of a migration that was predicted with these paces."""
    begun = NOON + timedelta(minutes=10 * number)
    pace = paces.of(trip.source, trip.target)
    entry = JournalEntry(
        vcenter="vc1",
        cluster=ClusterId("domain-c1"),
        plan_id="p",
        cycle_id=f"c-{number}",
        move_id=MoveId("m1"),
        vm=VmId(f"vm-{number}"),
        vm_name=f"vm{number}",
        vm_uuid="",
        source=trip.source,
        target=trip.target,
        reason=MoveReason.BALANCE,
        expected_seconds=at_pace(trip.model_s, pace),
        intended_at=begun,
        pace=pace,
    )
    ended = begun + timedelta(seconds=trip.actual_s)
    return JournalRow(
        id=number, entry=entry, state=MoveState.DONE, submitted_at=begun, ended_at=ended
    )


def learnt_after(truth: Truth, seed: int, count: int, *, every: int = 2) -> Paces:
    """Return what is learnt of `count` migrations of the pair 1 -> 2 among `every` times as many others.

    Each is predicted with what was known before it, as in life.
    """
    others, ours = trips(truth, seed), trips(truth, seed, pair=(1, 2))
    rows: list[JournalRow] = []
    paces = MODEL
    for number in range(count * (every + 1)):
        trip = next(ours) if number % (every + 1) == 0 else next(others)
        rows.append(row_of(number + 1, trip, paces))
        if number % (every + 1) == every:
            paces = learn_paces(rows, now=rows[-1].entry.intended_at)
    return paces


def error_after(
    truth: Truth, count: int, *, pair: tuple[int, int] | None, seeds: Sequence[int] = range(SEEDS)
) -> float:
    """Return the median of how far predictions are off, of 40 fresh migrations for each seed."""
    errors = []
    for seed in seeds:
        paces = learnt_after(truth, seed, count)
        fresh = trips(truth, seed + 10_000, pair=pair)
        errors += [next(fresh).error(paces) for _ in range(40)]
    return median(errors)


SCENES = {
    "pair 1-2 takes 3 times as long, chance 5 %": (Truth(slow=one_slow_pair, noise=0.05), (1, 2)),
    "pair 1-2 takes 3 times as long, chance 10 %": (Truth(slow=one_slow_pair, noise=0.10), (1, 2)),
    "the same, one in ten waits in a queue": (
        Truth(slow=one_slow_pair, noise=0.10, queued=0.1),
        (1, 2),
    ),
    "target 2 takes 3 times as long, chance 10 %": (
        Truth(slow=one_slow_target, noise=0.10),
        (1, 2),
    ),
    "as the model says, chance 10 %": (Truth(slow=as_the_model, noise=0.10), None),
    "as the model says, chance 30 %": (Truth(slow=as_the_model, noise=0.30), None),
}


def main() -> None:
    """Print the table."""
    told = sys.stdout.write
    told("| error of predictions after so many migrations of the pair | ")
    told(" | ".join(map(str, CHECKPOINTS)) + " |\n| --- |" + " ---: |" * len(CHECKPOINTS) + "\n")
    for name, (truth, pair) in SCENES.items():
        errors = [error_after(truth, count, pair=pair) for count in CHECKPOINTS]
        told(f"| {name} | " + " | ".join(f"{100 * error:.1f} %" for error in errors) + " |\n")


if __name__ == "__main__":
    main()
