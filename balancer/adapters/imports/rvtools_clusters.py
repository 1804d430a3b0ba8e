"""Which cluster a row of an RVTools export belongs to, also where two datacenters have clusters of one name."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from balancer.adapters.imports.cells import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """The clusters that have hosts. One whose name several datacenters have is called `datacenter/cluster`."""

    names: tuple[str, ...]
    ambiguous: frozenset[str]
    wanted: str = ""

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Self:
        """Read the rows of hosts."""
        places: dict[str, set[str]] = defaultdict(set)
        for line in lines:
            if line.text("cluster"):
                places[line.text("cluster")].add(line.text("datacenter"))
        ambiguous = frozenset(name for name, found in places.items() if len(found) > 1)
        names = {
            f"{place}/{name}" if name in ambiguous else name
            for name, found in places.items()
            for place in found
        }
        return cls(names=tuple(sorted(names)), ambiguous=ambiguous)

    def narrowed(self, wanted: str) -> Self:
        """Return the same with one cluster that is meant."""
        return replace(self, wanted=wanted)

    @property
    def is_ambiguous(self) -> bool:
        """Whether another datacenter has a cluster of the same name as the one that is meant."""
        return self.wanted.rpartition("/")[2] in self.ambiguous

    def has(self, line: Line) -> bool:
        """Whether a row is of the cluster that is meant."""
        name = line.text("cluster")
        if name in self.ambiguous:
            name = f"{line.text('datacenter')}/{name}"
        return bool(name) and name == self.wanted
