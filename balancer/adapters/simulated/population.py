"""Generated VMs: sizes that fill the hosts unevenly, demand that heats some of them, and odd ones out.

Used by `inventory.generate` between hosts and rules. Sizes are placed host by host up to a target, and
CPU demand is dealt out inside each host, so that start load is what the spec asks for, not an accident.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from uuid import UUID

from balancer.adapters.simulated.hardware import LICENSED, Fabric, oldest_mode
from balancer.adapters.simulated.spec import EVC_CHAIN, InventorySpec, LoadRange
from balancer.model.host import Host, HostState
from balancer.model.units import Mhz, Mib, Ratio, VmId
from balancer.model.vm import Automation, Blocker, Encryption, PowerState, Vm

_GIB = 1024.0
_SIZE_SIGMA = 0.9
_DEMAND_SIGMA = 0.8
_LARGEST_VM_RATIO = 0.25
_CONSUMED = (0.85, 1.0)
_ACTIVE_JITTER = 0.12
_VCPU_STEPS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128)
_VCPU_FILL = 0.7
_TIERS = ("web", "app", "db", "cache", "batch")
_GUEST_OS = {
    "web": "ubuntu64Guest",
    "app": "rhel9_64Guest",
    "db": "windows2022srvNext_64Guest",
    "cache": "debian12_64Guest",
    "batch": "rhel8_64Guest",
}
"""Source of the words: vSphere API, `VirtualMachineGuestOsIdentifier`."""
_BLOCKERS = (
    Blocker.PASSTHROUGH_DEVICE,
    Blocker.USB_DEVICE,
    Blocker.CPU_AFFINITY,
    Blocker.LOCAL_CDROM_BACKING,
    Blocker.SHARED_SCSI_BUS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One VM's size and the row of the host it is placed on."""

    row: int
    memory_mib: Mib


def draw_loads(load: LoadRange, capacity: list[float], rng: Random) -> list[Ratio]:
    """Return one ratio for each host: spread evenly over the quantiles, dealt out at random.

    low + (high - low) * u^a has the wanted mean over u in 0..1; the capacity-weighted mean is then put
    right by scaling, within low and high.
    """
    count = len(capacity)
    exponent = (load.high - load.low) / (load.mean - load.low) - 1.0
    quantiles = [(row + 0.5) / count for row in range(count)]
    rng.shuffle(quantiles)
    ratios = [load.low + (load.high - load.low) * u**exponent for u in quantiles]
    wanted = load.mean * sum(capacity)
    for _ in range(8):
        factor = wanted / sum(r * c for r, c in zip(ratios, capacity, strict=True))
        ratios = [min(max(r * factor, load.low), load.high) for r in ratios]
    return ratios


def draw_sizes(count: int, total_mib: Mib, largest_mib: Mib, rng: Random) -> list[Mib]:
    """Return `count` sizes in whole GiB, largest first, log-normal, that sum to about `total_mib`."""
    weights = [rng.lognormvariate(0.0, _SIZE_SIGMA) for _ in range(count)]
    scale = total_mib / sum(weights)
    for _ in range(6):
        sizes = [min(max(_GIB, round(w * scale / _GIB) * _GIB), largest_mib) for w in weights]
        scale *= total_mib / sum(sizes)
    return sorted(sizes, reverse=True)


def seat_vms(spec: InventorySpec, hosts: tuple[Host, ...], rng: Random) -> list[Seat]:
    """Place every VM where the most of the host's target is still free; no host above the ceiling."""
    usable = [host.usable_memory_mib for host in hosts]
    targets = draw_loads(spec.memory_configured, usable, rng)
    room = [ratio * mib for ratio, mib in zip(targets, usable, strict=True)]
    slack = [
        (spec.memory_ceiling - ratio) * mib for ratio, mib in zip(targets, usable, strict=True)
    ]
    largest = _whole_gib(_LARGEST_VM_RATIO * min(usable))
    seats = []
    for size in draw_sizes(spec.vms, sum(room), largest, rng):
        row = max(range(len(room)), key=lambda r: (room[r], -r))
        mib = max(min(size, _whole_gib(room[row] + slack[row])), _GIB)
        room[row] -= mib
        seats.append(Seat(row=row, memory_mib=mib))
    rng.shuffle(seats)
    return seats


def _whole_gib(mib: Mib) -> Mib:
    return mib // _GIB * _GIB


def deal_demand(weights: list[float], total_mhz: Mhz, largest_mhz: Mhz) -> list[Mhz]:
    """Share `total_mhz` in proportion to the weights, none above `largest_mhz` while that is possible."""
    cap = max(largest_mhz, total_mhz / max(len(weights), 1))
    shares = [0.0] * len(weights)
    free, rest = set(range(len(weights))), total_mhz
    while free:
        scale = rest / sum(weights[i] for i in sorted(free))
        over = {i for i in free if weights[i] * scale > cap}
        for i in over or free:
            shares[i] = cap if over else weights[i] * scale
        rest -= cap * len(over)
        free = free - over if over else set()
    return shares


def draw_demand(
    spec: InventorySpec, hosts: tuple[Host, ...], seats: list[Seat], rng: Random
) -> list[Mhz]:
    """Return the CPU demand of each seat so that each host stands at its drawn ratio."""
    usable = [host.usable_cpu_mhz for host in hosts]
    ratios = draw_loads(spec.cpu, usable, rng)
    if spec.hottest_cpu is not None:
        rows = [r for r, host in enumerate(hosts) if host.state is HostState.CONNECTED]
        ratios[max(rows, key=lambda r: (ratios[r], -r))] = spec.hottest_cpu
    weights = [rng.lognormvariate(0.0, _DEMAND_SIGMA) * s.memory_mib**0.5 for s in seats]
    demand = [0.0] * len(seats)
    for row, host_mhz in enumerate(usable):
        mine = [i for i, seat in enumerate(seats) if seat.row == row]
        largest = _LARGEST_VM_RATIO * min(usable)
        shares = deal_demand([weights[i] for i in mine], ratios[row] * host_mhz, largest)
        for i, share in zip(mine, shares, strict=True):
            demand[i] = round(share, 1)
    return demand


def make_vms(spec: InventorySpec, hosts: tuple[Host, ...], fabric: Fabric, rng: Random) -> list[Vm]:
    """Return the VMs by id, standing on their hosts, before any rule is written over them."""
    seats = seat_vms(spec, hosts, rng)
    demand = draw_demand(spec, hosts, seats, rng)
    return [
        _vm(spec, fabric, rng, number=i + 1, host=hosts[seat.row], size=(seat.memory_mib, mhz))
        for i, (seat, mhz) in enumerate(zip(seats, demand, strict=True))
    ]


def _vm(
    spec: InventorySpec,
    fabric: Fabric,
    rng: Random,
    *,
    number: int,
    host: Host,
    size: tuple[Mib, Mhz],
) -> Vm:
    memory_mib, mhz = size
    consumed = round(memory_mib * rng.uniform(*_CONSUMED))
    is_on = rng.random() >= spec.shares.powered_off
    tier = _TIERS[number % len(_TIERS)]
    return Vm(
        id=VmId(f"vm-{spec.number * 100_000 + number}"),
        name=f"{tier}-{spec.number}{number:05d}",
        uuid=str(UUID(int=rng.getrandbits(128), version=4)),
        host=host.id,
        power=PowerState.ON if is_on else PowerState.OFF,
        vcpus=_vcpus(mhz, host),
        memory_mib=memory_mib,
        cpu_demand_mhz=mhz if is_on else None,
        cpu_usage_mhz=mhz if is_on else None,
        memory_active_mib=_active(spec, memory_mib, consumed, rng) if is_on else None,
        memory_consumed_mib=consumed if is_on else None,
        memory_granted_mib=consumed if is_on else None,
        memory_reservation_mib=memory_mib / 2 if rng.random() < spec.shares.reserved else 0.0,
        min_evc_mode=_evc_mode(spec, host, rng),
        datastores=frozenset(
            {_reach(fabric.partial_datastore, host, spec, rng) or _any(fabric, rng)}
        ),
        networks=frozenset({_network(fabric, host, spec, rng)}),
        guest_os=_GUEST_OS[tier],
        tags=frozenset({f"tier:{tier}", *_tags_from(host, tier)}),
        automation=Automation.MANUAL
        if _odd(spec.shares.manual, host, rng)
        else Automation.FULLY_AUTOMATED,
        blockers=(rng.choice(_BLOCKERS),) if _odd(spec.shares.blocked, host, rng) else (),
        encryption=Encryption.OPPORTUNISTIC,
    )


def _tags_from(host: Host, tier: str) -> Iterator[str]:
    """Yield the home site, which is where the VM stands, and the need of a licence."""
    yield from (tag for tag in host.tags if tag.startswith("site:"))
    if tier == "db" and LICENSED in host.tags:
        yield LICENSED


def _odd(share: Ratio, host: Host, rng: Random) -> bool:
    """Draw whether a VM is tied to its host; never on a host that is to be emptied."""
    drawn = rng.random() < share
    return drawn and host.state is HostState.CONNECTED


def _vcpus(mhz: Mhz, host: Host) -> int:
    core_mhz = host.cpu_capacity_mhz / (host.cpu_cores or 1)
    needed = mhz / (core_mhz * _VCPU_FILL)
    return next((step for step in _VCPU_STEPS if step >= needed), _VCPU_STEPS[-1])


def _active(spec: InventorySpec, memory_mib: Mib, consumed: Mib, rng: Random) -> Mib:
    mean = spec.memory_active_mean / spec.memory_configured.mean
    share = rng.uniform(mean - _ACTIVE_JITTER, mean + _ACTIVE_JITTER)
    return min(round(memory_mib * share), consumed)


def _evc_mode(spec: InventorySpec, host: Host, rng: Random) -> str:
    oldest, offered = oldest_mode(spec), host.max_evc_mode
    drawn = rng.random() < spec.shares.newer_evc
    is_newer = offered is not None and EVC_CHAIN.index(offered) > EVC_CHAIN.index(oldest)
    if spec.evc or not drawn or not is_newer or offered is None:
        return oldest
    return offered


def _reach(partial: str, host: Host, spec: InventorySpec, rng: Random) -> str | None:
    drawn = rng.random() < spec.shares.partial_reach
    reachable = (host.datastores or frozenset()) | (host.networks or frozenset())
    return partial if drawn and partial in reachable else None


def _any(fabric: Fabric, rng: Random) -> str:
    return rng.choice(fabric.datastores[:-1]).id


def _network(fabric: Fabric, host: Host, spec: InventorySpec, rng: Random) -> str:
    partial = _reach(fabric.partial_network, host, spec, rng)
    return partial or rng.choice(fabric.networks[:-1]).id
