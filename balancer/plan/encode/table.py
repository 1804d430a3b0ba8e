"""The form of a static law as a table: VMs that a law cannot tell apart share one row."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from balancer.plan.codes import Codes, Ints

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Codes of refusal for K classes of VMs and H hosts; `row_of` gives the class of each VM."""

    row_of: Ints  # (N,)
    codes: Codes  # (K, H)

    def expand(self) -> Codes:
        """Return the codes of every VM, (N, H)."""
        result: Codes = self.codes[self.row_of]
        return result


def tabulate(keys: Sequence[Key], hosts: int, code: Callable[[Key, int], int]) -> Table:
    """Ask `code(key, host)` once per distinct key and host. Keys hold all that the law looks at."""
    row_of, first = numbered(keys)
    distinct = [keys[place] for place in first]
    codes = np.array([[code(key, host) for host in range(hosts)] for key in distinct], np.uint8)
    return Table(row_of=row_of, codes=codes.reshape(len(first), hosts))


def numbered(keys: Sequence[Hashable]) -> tuple[Ints, list[int]]:
    """Return the number of each key's class, in order of first occurrence, and where each first occurs."""
    first = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    row_of = np.fromiter(map(number.__getitem__, keys), dtype=np.int64, count=len(keys))
    return row_of, [first[key] for key in number]
