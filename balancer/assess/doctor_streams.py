"""The judgement of how hosts make streams of a vMotion: too few adapters before 7.0 U2, old tuning after. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil

from balancer.model.checkup import Unread, VmotionSetup
from balancer.model.finding import Check, Finding, Outcome

STREAM_MBPS = 15_000.0
"""What one stream carries; before 7.0 U2 each vmkernel adapter has one.
Source: Broadcom KB 323379; nielshagoort.com, "Auto-tuning vMotion streams" (2021)."""

STREAMS_SCALE_FROM = (7, 0, 2)
"""7.0 U2 makes streams by the speed of the link, and manual tuning stands in the way. Source: as above."""

STREAM_OPTIONS = {"Migrate.VMotionStreamHelpers": "0"}
"""Options that tune streams by hand, with their defaults. Source: published lists of ESXi's advanced
options ("0 to dynamically allocate"), ESXi 5.5 to 8.0."""

_OF_ONE_HOST = frozenset({"Migrate.Vmknic"})
"""Options that name something of their host, and so may differ."""


def judge_streams(setups: Sequence[VmotionSetup]) -> Iterator[Finding]:
    """Yield what keeps hosts that are ready for vMotion from filling their links."""
    yield from _single_adapters(setups)
    yield from _tuning(setups)


def fastest_link(setup: VmotionSetup) -> float:
    """Return the speed of the fastest link behind the adapters, in Mb/s; 0 where none is known."""
    return max((speed for adapter in setup.adapters for speed in adapter.links_mbps), default=0.0)


def _single_adapters(setups: Sequence[VmotionSetup]) -> Iterator[Finding]:
    """Yield hosts before 7.0 U2 whose link is faster than the one stream of their one adapter."""
    found = [
        setup
        for setup in setups
        if _is_before_scaling(setup) and _streams(setup) * STREAM_MBPS < fastest_link(setup)
    ]
    if not found:
        return
    wanted = max(ceil(fastest_link(setup) / STREAM_MBPS) for setup in found)
    yield Finding(
        check=Check.VMOTION_ADAPTERS,
        outcome=Outcome.ADVICE,
        found="hosts before ESXi 7.0 U2 with too few vmkernel adapters to fill their vMotion link: one"
        f" carries some {STREAM_MBPS / 1000:g} Gb/s",
        mend=f"Upgrade to 7.0 U2 or later, or enable vMotion on {wanted} vmkernel adapters.",
        objects=tuple(setup.name for setup in found),
    )


def _tuning(setups: Sequence[VmotionSetup]) -> Iterator[Finding]:
    readable = [(s, s.options) for s in setups if not isinstance(s.options, Unread)]
    tuned: dict[str, list[str]] = defaultdict(list)
    for setup, options in readable:
        for key, default in STREAM_OPTIONS.items():
            if _scales(setup) and options.get(key, default) != default:
                tuned[f"{key} is {options[key]}"].append(setup.name)
    for what, names in sorted(tuned.items()):
        key = what.partition(" ")[0]
        yield Finding(
            check=Check.VMOTION_TUNING,
            outcome=Outcome.ADVICE,
            found=f"{what} on hosts that scale streams by themselves (from 7.0 U2 on)",
            mend=f"Set {key} back to {STREAM_OPTIONS[key]}: tuning by hand stands in its way.",
            objects=tuple(names),
        )
    yield from _differing([(setup.name, options) for setup, options in readable])
    unread = [s for s in setups if isinstance(s.options, Unread)]
    if unread:
        first = unread[0].options
        yield Finding(
            check=Check.VMOTION_TUNING,
            outcome=Outcome.UNCHECKED,
            found=f"advanced options not shown: {first.why if isinstance(first, Unread) else ''}",
            mend="Give the account the role balancer-reader on the vCenter's root, propagating.",
            objects=tuple(setup.name for setup in unread),
        )
    elif readable and not tuned:
        found = "no manual tuning of vMotion streams"
        yield Finding(check=Check.VMOTION_TUNING, outcome=Outcome.OK, found=found)


def _differing(hosts: Sequence[tuple[str, Mapping[str, str]]]) -> Iterator[Finding]:
    """Yield the options of vMotion in which hosts differ from most of their neighbours."""
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for _, options in hosts:
        for key, value in options.items():
            values[key][value] += 1
    for key in sorted(values):
        if len(values[key]) < 2 or key in STREAM_OPTIONS or key in _OF_ONE_HOST:
            continue
        common = max(values[key], key=lambda value: (values[key][value], value))
        yield Finding(
            check=Check.VMOTION_TUNING,
            outcome=Outcome.ADVICE,
            found=f"{key} is not {common} as on {values[key][common]} of {len(hosts)} hosts",
            mend="Set one value on all hosts of the cluster.",
            objects=tuple(n for n, options in hosts if options.get(key, common) != common),
        )


def _streams(setup: VmotionSetup) -> int:
    """Return the streams of a host that does not scale them: one an adapter, or more by hand."""
    options = {} if isinstance(setup.options, Unread) else setup.options
    helpers = options.get("Migrate.VMotionStreamHelpers", "0")
    return max(len(setup.adapters), int(helpers) if helpers.isdigit() else 0)


def _is_before_scaling(setup: VmotionSetup) -> bool:
    return bool(setup.version) and setup.version[:3] < STREAMS_SCALE_FROM


def _scales(setup: VmotionSetup) -> bool:
    return bool(setup.version) and setup.version[:3] >= STREAMS_SCALE_FROM
