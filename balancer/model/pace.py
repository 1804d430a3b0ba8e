"""How much longer vMotions between two hosts take than the model of duration says: learnt, and 1.0 at first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from balancer.model.duration import SETUP_SECONDS
from balancer.model.units import HostId, Seconds

SLOWEST = 8.0
FASTEST = 0.25
"""Bounds of a pace: what lies beyond them is no property of two hosts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paces:
    """Factors on the model's seconds: of all hosts together, of each as source and as target, of pairs.

    They multiply. A host or pair that is not named has 1.0.
    """

    cluster: float = 1.0
    source: Mapping[HostId, float] = field(default_factory=lambda: MappingProxyType({}))
    target: Mapping[HostId, float] = field(default_factory=lambda: MappingProxyType({}))
    pair: Mapping[tuple[HostId, HostId], float] = field(
        default_factory=lambda: MappingProxyType({})
    )

    @property
    def is_known(self) -> bool:
        """Whether anything differs from the model."""
        return self.cluster != 1.0 or bool(self.source or self.target or self.pair)

    def of(self, source: HostId, target: HostId) -> float:
        """Return the factor from one host to another, between `FASTEST` and `SLOWEST`."""
        both = self.target.get(target, 1.0) * self.pair.get((source, target), 1.0)
        return _within(self.cluster * self.source.get(source, 1.0) * both)

    def of_source(self, source: HostId) -> float:
        """Return the factor from one host to any other of which nothing is known."""
        return _within(self.cluster * self.source.get(source, 1.0))


MODEL = Paces()
"""As the model says: nothing learnt yet."""


def _within(factor: float) -> float:
    return min(max(factor, FASTEST), SLOWEST)


def at_pace(seconds: Seconds, pace: float) -> Seconds:
    """Return what the model's seconds become; never less than the set-up takes."""
    return max(seconds * pace, SETUP_SECONDS)
