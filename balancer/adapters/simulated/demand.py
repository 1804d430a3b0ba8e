"""What each VM wants at a moment: day curve, noise and bursts over the demand it started with.

A pure function of seed, VM and time, so that the order of calls changes nothing. It knows no host.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from math import cos, pi
from typing import NamedTuple, Protocol

from balancer.model.units import Mhz, Mib, Ratio, Seconds, VmId
from balancer.model.vm import Vm

CORE_MHZ = 2600.0
"""Speed of one virtual processor; a VM never wants more than all of its own."""

_DAY_S = 86_400.0
_HOUR_S = 3600.0
_NOISE_SLOT_S = 300.0
_BURST_SLOT_S = 1800.0
_NIGHT_SHARE = 0.2
_OFFICE_PEAK_H = 14.0
_NIGHT_PEAK_H = 2.0
_PEAK_JITTER_H = 2.5
_MEMORY_FOLLOWS = 0.3
_BURST_FACTOR = (1.5, 2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayShape:
    """How lively the load is: largest day swing, noise of five minutes, chance of a burst per half hour."""

    amplitude: Ratio = 0.30
    noise: Ratio = 0.10
    burst: Ratio = 0.01


STEADY = DayShape(amplitude=0.0, noise=0.0, burst=0.0)
"""Every VM goes on as it started."""


def draw(*key: object) -> float:
    """Return a number in 0..1 (1 excluded) that depends on the key alone."""
    text = "/".join(str(part) for part in key)
    digest = blake2b(text.encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56


class Wants(NamedTuple):
    """What a VM wants at a moment; `consumed_mib` of None is what its facts say."""

    cpu_mhz: Mhz
    active_mib: Mib
    consumed_mib: Mib | None = None


class Demands(Protocol):
    """What each VM wants, `elapsed_s` after the start."""

    def all_at(self, vms: Sequence[Vm], elapsed_s: Seconds) -> Sequence[Wants]:
        """Return CPU demand and memory of each."""


class DemandModel:
    """`Demands` that are made up. At `start` every VM wants what its facts say."""

    def __init__(self, seed: int, start: datetime, shape: DayShape) -> None:
        self._seed = seed
        self._shape = shape
        self._start_s = start.hour * _HOUR_S + start.minute * 60.0 + start.second
        self._curves: dict[VmId, tuple[Ratio, Seconds]] = {}  # swing and time of the peak

    def all_at(self, vms: Sequence[Vm], elapsed_s: Seconds) -> Sequence[Wants]:
        """Return what VMs want, `elapsed_s` after the start."""
        return [self.at(vm, elapsed_s) for vm in vms]

    def at(self, vm: Vm, elapsed_s: Seconds) -> Wants:
        """Return what a VM wants, `elapsed_s` after the start."""
        day = self._day(vm, elapsed_s) / self._day(vm, 0.0)
        factor = day * self._noise(vm, elapsed_s) * self._burst(vm, elapsed_s)
        cpu_mhz = (vm.cpu_demand_mhz or 0.0) * factor
        most_mhz = max(vm.vcpus * CORE_MHZ, vm.cpu_demand_mhz or 0.0)
        active_mib = (vm.memory_active_mib or 0.0) * (1.0 + _MEMORY_FOLLOWS * (day - 1.0))
        return Wants(round(min(cpu_mhz, most_mhz), 1), round(min(active_mib, vm.footprint_mib), 1))

    def _day(self, vm: Vm, elapsed_s: Seconds) -> float:
        if vm.id not in self._curves:
            self._curves[vm.id] = self._curve(vm.id)
        amplitude, peak_s = self._curves[vm.id]
        return 1.0 + amplitude * cos(2.0 * pi * (self._start_s + elapsed_s - peak_s) / _DAY_S)

    def _curve(self, vm: VmId) -> tuple[Ratio, Seconds]:
        amplitude = self._shape.amplitude * draw(self._seed, vm, "amplitude")
        is_night = draw(self._seed, vm, "night") < _NIGHT_SHARE
        jitter_h = (2.0 * draw(self._seed, vm, "peak") - 1.0) * _PEAK_JITTER_H
        return amplitude, ((_NIGHT_PEAK_H if is_night else _OFFICE_PEAK_H) + jitter_h) * _HOUR_S

    def _noise(self, vm: Vm, elapsed_s: Seconds) -> float:
        slot, share = divmod(elapsed_s / _NOISE_SLOT_S, 1.0)
        here, there = self._noise_of(vm, int(slot)), self._noise_of(vm, int(slot) + 1)
        return 1.0 + here * (1.0 - share) + there * share

    def _noise_of(self, vm: Vm, slot: int) -> float:
        if slot == 0 or self._shape.noise == 0.0:
            return 0.0
        return self._shape.noise * (2.0 * draw(self._seed, vm.id, "noise", slot) - 1.0)

    def _burst(self, vm: Vm, elapsed_s: Seconds) -> float:
        slot = int(elapsed_s // _BURST_SLOT_S)
        chance = draw(self._seed, vm.id, "burst", slot)
        if slot == 0 or chance >= self._shape.burst:
            return 1.0
        low, high = _BURST_FACTOR
        return low + (high - low) * chance / self._shape.burst
