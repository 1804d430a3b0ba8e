"""The judgement of a cluster's vMotion set-up: which hosts are ready, how fast, and which differ. Pure.

Owns the advice. A host that is not ready is left out by the planner anyway; what is said here mends it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Interface
from itertools import chain

from balancer.assess.doctor_places import judge_places
from balancer.assess.doctor_streams import fastest_link, judge_streams
from balancer.model.checkup import Adapter, Unread, VmotionSetup
from balancer.model.finding import Check, Finding, Outcome
from balancer.model.host import Host
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId

SLOW_BELOW_MBPS = 10_000.0
"""vCenter runs four vMotions at a time over 1 GbE, eight from 10 GbE on. Source: Broadcom KB 326281."""

_LEAST_READY = 2
_LINK_LOCAL = "169.254."


def judge_vmotion(
    snapshot: Snapshot, setups: tuple[VmotionSetup, ...] | Unread
) -> Iterator[Finding]:
    """Yield the findings on hosts that can give or take VMs; the others are told by their state."""
    hosts = [host for host in snapshot.hosts if host.state.gives or host.state.takes]
    if isinstance(setups, Unread):
        yield from _ready(hosts, {})
        yield Finding(
            check=Check.VMOTION_SPEED,
            outcome=Outcome.UNCHECKED,
            found=setups.why,
            mend=setups.mend or "Give the account the role balancer-reader on the vCenter's root.",
        )
    else:
        known = {setup.host: setup for setup in setups}
        yield from _ready(hosts, known)
        yield from _not_shown([host.name for host in hosts if host.id not in known])
        ready = [known[host.id] for host in hosts if host.vmotion.enabled and host.id in known]
        yield from chain(
            _addresses(ready),
            _speeds(ready),
            _mtu(ready),
            judge_streams(ready),
        )
    yield from judge_places(snapshot, hosts)


def _ready(hosts: Sequence[Host], setups: Mapping[HostId, VmotionSetup]) -> Iterator[Finding]:
    ready = [host for host in hosts if host.vmotion.enabled]
    lame = [host for host in hosts if not host.vmotion.enabled]
    is_useless = len(ready) < _LEAST_READY
    why: dict[str, list[str]] = defaultdict(list)
    for host in lame:
        why[_why_not(setups.get(host.id))].append(host.name)
    for reason, names in sorted(why.items()):
        yield Finding(
            check=Check.VMOTION,
            outcome=Outcome.PROBLEM,
            found=f"{len(names)} of {_counted(len(hosts), 'host')} not ready for vMotion: {reason}",
            mend=_MENDS[reason],
            objects=tuple(names),
        )
    if is_useless:
        yield Finding(
            check=Check.VMOTION,
            outcome=Outcome.PROBLEM,
            found=f"{len(ready)} of {_counted(len(hosts), 'host')} ready for vMotion: nothing can be moved",
            mend="A cluster needs at least two hosts with vMotion.",
            blocks=True,
        )
    elif not lame:
        found = f"all {len(ready)} hosts ready, {_spread(host.vmotion.link_mbps for host in ready)}"
        yield Finding(check=Check.VMOTION, outcome=Outcome.OK, found=found)


def _not_shown(names: Sequence[str]) -> Iterator[Finding]:
    if names:
        yield Finding(
            check=Check.VMOTION_SPEED,
            outcome=Outcome.UNCHECKED,
            found=f"the server does not show the vMotion set-up of {_counted(len(names), 'host')}",
            mend="See that they are connected, and that the account may read them.",
            objects=tuple(names),
        )


_NOT_TOLD = "the server does not show why"
_NOT_SUPPORTED = "the host does not support it"
_NO_ADAPTER = "no vmkernel adapter is selected for it"
_LINKS_DOWN = "every link behind its adapters is down"
_SWITCHED_OFF = "it is switched off"
_MENDS = {
    _NOT_TOLD: "Look at the host's vMotion adapters in the vCenter.",
    _NOT_SUPPORTED: "See licence and hardware of the host; without vMotion it gives and takes nothing.",
    _NO_ADAPTER: "Enable vMotion on a vmkernel adapter of the host.",
    _LINKS_DOWN: "Look at the cables and switch ports behind the vMotion adapters.",
    _SWITCHED_OFF: "Enable vMotion on the host's vmkernel adapter.",
}


def _why_not(setup: VmotionSetup | None) -> str:
    if setup is None:
        return _NOT_TOLD
    if not setup.is_supported:
        return _NOT_SUPPORTED
    if not setup.adapters:
        return _NO_ADAPTER
    links = [speed for adapter in setup.adapters for speed in adapter.links_mbps]
    return _LINKS_DOWN if links and not any(links) else _SWITCHED_OFF


def _addresses(setups: Sequence[VmotionSetup]) -> Iterator[Finding]:
    """Yield adapters without a usable address, addresses used twice, and networks that differ."""
    adapters = [(setup, adapter) for setup in setups for adapter in setup.adapters]
    without = [_called(s, a) for s, a in adapters if not _is_usable(a)]
    if without:
        yield Finding(
            check=Check.VMOTION_ADDRESS,
            outcome=Outcome.PROBLEM,
            found=f"{_counted(len(without), 'vMotion adapter')} without a usable address",
            mend="Give them addresses in the vMotion network; 169.254.x.x means that DHCP gave none.",
            objects=tuple(without),
        )
    uses = Counter(adapter.address for _, adapter in adapters if _is_usable(adapter))
    twice = [_called(s, a) for s, a in adapters if a.address and uses[a.address] > 1]
    if twice:
        yield Finding(
            check=Check.VMOTION_ADDRESS,
            outcome=Outcome.PROBLEM,
            found="the same address on several vMotion adapters",
            mend="Give each adapter an address of its own.",
            objects=tuple(twice),
        )
    yield from _stacks(adapters)
    yield from _subnets(adapters)


def _stacks(adapters: Sequence[tuple[VmotionSetup, Adapter]]) -> Iterator[Finding]:
    """Yield hosts whose adapters are on another TCP/IP stack than most."""
    counts = Counter(adapter.stack for _, adapter in adapters if adapter.stack)
    if len(counts) < 2:
        return
    common = max(counts, key=lambda stack: (counts[stack], stack))
    other = {s.name for s, adapter in adapters if adapter.stack not in (None, common)}
    yield Finding(
        check=Check.VMOTION_ADDRESS,
        outcome=Outcome.ADVICE,
        found=f"vMotion adapters on different TCP/IP stacks; most are on {common}",
        mend="Put all of a cluster on one stack: they have gateways and routes of their own.",
        objects=tuple(sorted(other)),
    )


def _subnets(adapters: Sequence[tuple[VmotionSetup, Adapter]]) -> Iterator[Finding]:
    """Yield hosts that share no vMotion network with the most common one."""
    networks = {(s.name, net) for s, a in adapters if (net := _network(a))}
    if not networks:
        return
    common, _ = max(
        Counter(net for _, net in networks).items(), key=lambda item: (item[1], item[0])
    )
    inside = {name for name, net in networks if net == common}
    apart = sorted({name for name, _ in networks} - inside)
    if apart:
        yield Finding(
            check=Check.VMOTION_ADDRESS,
            outcome=Outcome.ADVICE,
            found=f"{_counted(len(apart), 'host')} with no vMotion address in {common}, which most have",
            mend="Put them into one network, or see that it is routed (TCP/IP stack `vmotion`).",
            objects=tuple(apart),
        )


def _speeds(setups: Sequence[VmotionSetup]) -> Iterator[Finding]:
    speeds = {setup.name: speed for setup in setups if (speed := fastest_link(setup))}
    slow = sorted(name for name, speed in speeds.items() if speed < SLOW_BELOW_MBPS)
    if slow:
        yield Finding(
            check=Check.VMOTION_SPEED,
            outcome=Outcome.ADVICE,
            found=f"vMotion over links below 10 Gb/s ({_spread(speeds[name] for name in slow)})",
            mend="Give vMotion 10 Gb/s or more: over 1 Gb/s vCenter runs four at a time instead of eight,"
            " and large VMs take long.",
            objects=tuple(slow),
        )
    elif speeds:
        yield Finding(check=Check.VMOTION_SPEED, outcome=Outcome.OK, found=_spread(speeds.values()))
    if len(set(speeds.values())) > 1:
        most = max(speeds.values())
        yield Finding(
            check=Check.VMOTION_MIXED_SPEED,
            outcome=Outcome.ADVICE,
            found=f"hosts differ in the speed of their vMotion links: {_by_speed(speeds.values())}",
            mend="A copy goes at the speed of the slower host. Give these hosts links like the others'.",
            objects=tuple(sorted(name for name, speed in speeds.items() if speed < most)),
        )
    mixed = sorted(setup.name for setup in setups if len(_up(setup)) > 1)
    if mixed:
        yield Finding(
            check=Check.VMOTION_MIXED_SPEED,
            outcome=Outcome.ADVICE,
            found="links of different speeds behind the vMotion adapters of one host",
            mend="Which link a copy takes is left to chance. Put links of one speed behind vMotion.",
            objects=tuple(mixed),
        )


def _mtu(setups: Sequence[VmotionSetup]) -> Iterator[Finding]:
    sizes = Counter(adapter.mtu for s in setups for adapter in s.adapters if adapter.mtu)
    if len(sizes) < 2:
        return
    common = max(sizes, key=lambda size: (sizes[size], size))
    other = {s.name for s in setups for adapter in s.adapters if adapter.mtu not in (None, common)}
    yield Finding(
        check=Check.VMOTION_MTU,
        outcome=Outcome.ADVICE,
        found=f"vMotion adapters differ in MTU: {', '.join(str(size) for size in sorted(sizes))}",
        mend=f"Set one MTU on adapters and switches; most have {common}. Large frames that a switch"
        " drops make migrations hang and fail.",
        objects=tuple(sorted(other)),
    )


def _up(setup: VmotionSetup) -> set[float]:
    return {speed for adapter in setup.adapters for speed in adapter.links_mbps if speed}


def _is_usable(adapter: Adapter) -> bool:
    return bool(adapter.address) and not str(adapter.address).startswith(_LINK_LOCAL)


def _network(adapter: Adapter) -> str | None:
    """Return the network of a usable IPv4 address, None where it is another or none."""
    if not _is_usable(adapter):
        return None
    try:
        return str(IPv4Interface(f"{adapter.address}/{adapter.netmask}").network)
    except ValueError:
        return None


def _called(setup: VmotionSetup, adapter: Adapter) -> str:
    return f"{setup.name} {adapter.device}"


def _spread(speeds: Iterable[float]) -> str:
    low, high = (f"{speed / 1000:g}" for speed in _ends(speeds))
    return f"{low} Gb/s" if low == high else f"{low} to {high} Gb/s"


def _ends(speeds: Iterable[float]) -> tuple[float, float]:
    ordered = sorted(speeds)
    return ordered[0], ordered[-1]


def _by_speed(speeds: Iterable[float]) -> str:
    counted = sorted(Counter(speeds).items())
    return ", ".join(f"{count} with {speed / 1000:g} Gb/s" for speed, count in counted)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"
