"""A ring of equal steps: the newest of them stay, and nothing is shifted when a step is added.

Owns where a step and a column lie, not what the figures mean. Columns lie in blocks of equal width, so that one
more costs no copy of the others; a row is touched only once something is written to it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Cells = npt.NDArray[Any]
Places = npt.NDArray[np.intp]
"""Numbers of columns."""


class Ring:
    """`layers` figures of each column at each of the newest `steps` steps. `blank` is what nothing known is.

    `width` is the number of columns of a block: half of that many are empty on average.
    """

    def __init__(self, *, layers: int, steps: int, width: int, blank: np.generic) -> None:
        self.steps, self._width = steps, width
        self._layers, self._blank = layers, blank
        self._blocks: list[Cells] = []

    @property
    def nbytes(self) -> int:
        """Return the bytes of all cells."""
        return sum(block.nbytes for block in self._blocks)

    def fit(self, columns: int) -> None:
        """Have room for so many columns; room that is one block too much is given back."""
        while len(self._blocks) * self._width < columns:
            self._blocks.append(self._empty())
        del self._blocks[max(-(-columns // self._width) + 1, 1) :]

    def clear(self, first: int, last: int) -> None:
        """Let nothing be known of the steps from first to last; as many as there are at most."""
        for block in self._blocks:
            for start, end in self._spans(max(first, last - self.steps + 1), last + 1):
                block[:, start:end] = self._blank

    def put(self, step: int, row: Cells) -> None:
        """Write a step: `row` has the shape (layers, columns), from the first column on."""
        at = step % self.steps
        width = self._width
        for number, block in enumerate(self._blocks):
            part = row[:, number * width : (number + 1) * width]
            block[:, at, : part.shape[1]] = part

    def rows(self, layer: int, first: int, last: int, columns: slice) -> Cells:
        """Return a copy (steps, columns) of the steps from first to last, within those that are kept."""
        out = np.empty((last - first + 1, columns.stop - columns.start), dtype=self._blank.dtype)
        width = self._width
        for number in range(columns.start // width, -(-columns.stop // width)):
            begin, end = max(columns.start, number * width), min(columns.stop, (number + 1) * width)
            source = self._blocks[number][layer, :, begin - number * width : end - number * width]
            target, at = out[:, begin - columns.start : end - columns.start], 0
            for start, stop in self._spans(first, last + 1):
                target[at : at + stop - start] = source[start:stop]
                at += stop - start
        return out

    def fill(self, layer: int, first: int, columns: Places, rows: Cells) -> None:
        """Write `rows` (steps, columns), from step `first` on, where nothing is known yet."""
        numbers = columns // self._width
        for number in np.unique(numbers):
            here = np.flatnonzero(numbers == number)
            within, at = columns[here] % self._width, 0
            for start, stop in self._spans(first, first + len(rows)):
                cells = self._blocks[number][layer, start:stop]
                old, new = cells[:, within], rows[at : at + stop - start, here]
                cells[:, within] = np.where(self._is_blank(old), new, old)
                at += stop - start

    def column(self, column: int) -> Cells:
        """Return a view (layers, steps) of one column, in the order of the ring."""
        return self._blocks[column // self._width][:, :, column % self._width]

    def drop(self, column: int, last: int) -> None:
        """Put the last column in the place of one that goes."""
        if column != last:
            self.column(column)[...] = self.column(last)
        self.column(last)[...] = self._blank

    def _spans(self, first: int, end: int) -> list[tuple[int, int]]:
        """Return where the steps from first to before end lie: in one piece, or in two."""
        if end <= first:
            return []
        start, stop = first % self.steps, (end - 1) % self.steps + 1
        return [(start, stop)] if start < stop else [(start, self.steps), (0, stop)]

    def _is_blank(self, cells: Cells) -> Cells:
        return np.isnan(cells) if np.isnan(self._blank) else cells == self._blank

    def _empty(self) -> Cells:
        shape = (self._layers, self.steps, self._width)
        if self._blank == 0:
            return np.zeros(shape, dtype=self._blank.dtype)  # no page is touched
        return np.full(shape, self._blank)
