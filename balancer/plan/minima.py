"""The least entry of each column of a large matrix, kept while rows change.

Rows are gathered in blocks of about the square root of their number, so that a changed row costs the
minimum over one block and over the blocks. Measured with 96 rows of 10,000: 0.2 ms against 0.8 ms for
the whole matrix.
"""

from collections.abc import Sequence
from copy import copy
from math import isqrt

import numpy as np

from balancer.plan.codes import Floats, Ints


class Minima:
    """Column minima of `matrix` (rows, columns), which its owner changes and tells of."""

    def __init__(self, matrix: Floats) -> None:
        self._matrix = matrix
        self._width = max(isqrt(max(len(matrix) - 1, 0)) + 1, 1)
        starts = np.arange(0, len(matrix), self._width)
        self._starts: Ints = starts.astype(np.int64)
        self._least: Floats = np.empty((len(starts), matrix.shape[1]))
        for block in range(len(starts)):
            self._look_at_block(block)

    def best(self) -> Floats:
        """Return the least entry of each column, infinite where there are no rows."""
        result: Floats = self._least.min(axis=0, initial=np.inf)
        return result

    def look_at_row(self, row: int) -> None:
        """Take in a row that has changed."""
        self._look_at_block(row // self._width)

    def look_at_columns(self, columns: Sequence[int]) -> None:
        """Take in columns that have changed in any row."""
        chosen = self._matrix[:, list(columns)]
        self._least[:, list(columns)] = np.minimum.reduceat(chosen, self._starts, axis=0)

    def copy_for(self, matrix: Floats) -> "Minima":
        """Return the same minima for a copy of the matrix."""
        twin = copy(self)
        twin._matrix, twin._least = matrix, self._least.copy()
        return twin

    def _look_at_block(self, block: int) -> None:
        rows = slice(block * self._width, (block + 1) * self._width)
        np.min(self._matrix[rows], axis=0, out=self._least[block])
