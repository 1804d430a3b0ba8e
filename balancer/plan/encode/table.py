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
    rows: dict[Key, int] = {}
    row_of = np.array([rows.setdefault(key, len(rows)) for key in keys], dtype=np.int64)
    codes = np.array([[code(key, host) for host in range(hosts)] for key in rows], dtype=np.uint8)
    return Table(row_of=row_of, codes=codes.reshape(len(rows), hosts))
