"""EVC modes and their order, for exports that name modes and do not list them.

Where a server lists its own, these are not used. Only the chain of Intel's modes and that of AMD's from Zen
on, as the older ones are none: what is not listed cannot be compared, and no move is made that would need it.

Source: VMware, "Enhanced vMotion Compatibility (EVC) processor support", KB 1003212 (Broadcom KB 313545).
The keys up to intel-skylake and amd-zen stand in this order in VMware's own PowerCLI-Example-Scripts,
`Modules/PerVMEVC/PerVMEVC.psm1`, `Set-VMEvcMode` (2021); later keys are not in it, and were not checked there.
"""

from itertools import accumulate

from balancer.model.evc import EvcMode

_INTEL = (
    "intel-merom",
    "intel-penryn",
    "intel-nehalem",
    "intel-westmere",
    "intel-sandybridge",
    "intel-ivybridge",
    "intel-haswell",
    "intel-broadwell",
    "intel-skylake",
    "intel-cascadelake",
    "intel-icelake",
    "intel-sapphirerapids",
)
_AMD = ("amd-zen", "amd-zen2", "amd-zen3", "amd-zen4")


def _chain(vendor: str, keys: tuple[str, ...]) -> tuple[EvcMode, ...]:
    tracks = accumulate(({key} for key in keys), lambda below, key: below | key)
    return tuple(
        EvcMode(key=key, vendor=vendor, tier=tier, track=frozenset(track))
        for tier, (key, track) in enumerate(zip(keys, tracks, strict=True))
    )


EVC_MODES = (*_chain("intel", _INTEL), *_chain("amd", _AMD))
