"""Roll-ups as bytes: one code for each figure, compressed VM by VM.

A mean is written as its difference from the step before (but for ready time), the percentile from the mean, and the
maximum from the percentile: what stays the same is nearly nothing then. Owns this form, and how newer
figures are laid over kept ones; knows no database.
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.model.rollup import Measure, Series, Statistic
from balancer.model.scale import UNKNOWN, Codes

LEVEL = 6
"""Of zlib. 9 takes twice as long for 1 % less."""

JUMPS = Measure.READY
"""What jumps from step to step: its difference from the step before is no smaller than itself."""

_ORDER = tuple(Statistic)

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """Codes of the shape (steps, ids) by series; ids ascend."""

    steps: int
    ids: Ids
    codes: Mapping[Series, Codes]


def packed_ids(ids: Ids) -> bytes:
    """Return ascending ids as bytes."""
    return zlib.compress(np.diff(ids, prepend=0).astype("<u4").tobytes(), LEVEL)


def unpacked_ids(data: bytes) -> Ids:
    """Return the ids; raises `ValueError` or `zlib.error` for what is none."""
    ids: Ids = np.frombuffer(zlib.decompress(data), dtype="<u4").astype(np.int64).cumsum()
    return ids


def packed(sheet: Sheet) -> dict[Series, bytes]:
    """Return the bytes of each series."""
    return {
        series: zlib.compress(_difference(series, sheet.codes).T.tobytes(), LEVEL)
        for series in sheet.codes
    }


def unpacked(
    data: Mapping[Series, bytes], steps: int, ids: Ids, wanted: Collection[Series]
) -> Sheet:
    """Return the series wanted; `data` holds them and what they are differences from.

    Raises:
        ValueError: the bytes are not those of so many steps and ids, or one is missing.
    """
    codes: dict[Series, Codes] = {}
    for series in (Series(measure, one) for measure in Measure for one in Statistic):
        if series in data:
            found = _matrix(data[series], steps, len(ids))
            codes[series] = _summed(series, found, codes)
    return Sheet(
        steps=steps, ids=ids, codes={each: codes[each] for each in wanted if each in codes}
    )


def needed_for(wanted: Collection[Series]) -> set[Series]:
    """Return the series that must be read for those wanted."""
    return {
        Series(measure, before)
        for measure, statistic in wanted
        for before in _ORDER[: _ORDER.index(statistic) + 1]
    }


def overlaid(old: Sheet, new: Sheet, at: int) -> Sheet:
    """Return the old figures with the new ones from step `at` on; where the new know nothing the old stay."""
    ids: Ids = np.union1d(old.ids, new.ids)
    from_old, from_new = np.searchsorted(ids, old.ids), np.searchsorted(ids, new.ids)
    steps = max(old.steps, at + new.steps)
    codes: dict[Series, Codes] = {}
    for series in {**old.codes, **new.codes}:
        whole = np.zeros((steps, len(ids)), dtype=np.uint8)
        if series in old.codes:
            whole[: old.steps, from_old] = old.codes[series]
        if series in new.codes:
            part, given = whole[at : at + new.steps], new.codes[series]
            part[:, from_new] = np.where(given == UNKNOWN, part[:, from_new], given)
        codes[series] = whole
    return Sheet(steps=steps, ids=ids, codes=codes)


def joined(sheets: Sequence[tuple[int, Sheet]]) -> Sheet:
    """Return sheets as one; each with the step at which it begins."""
    whole = Sheet(steps=0, ids=np.zeros(0, dtype=np.int64), codes={})
    for at, sheet in sheets:
        whole = overlaid(whole, sheet, at)
    return whole


def _difference(series: Series, codes: Mapping[Series, Codes]) -> Codes:
    own, below = codes[series], _below(series)
    if below is None and series.measure is JUMPS:
        return own
    if below is None:
        return np.diff(own, axis=0, prepend=np.zeros((1, own.shape[1]), dtype=np.uint8))
    return own - codes[below] if below in codes else own


def _summed(series: Series, difference: Codes, codes: Mapping[Series, Codes]) -> Codes:
    below = _below(series)
    if below is None and series.measure is JUMPS:
        return difference
    if below is None:
        return np.add.accumulate(difference, axis=0, dtype=np.uint8)
    return difference + codes[below] if below in codes else difference


def _below(series: Series) -> Series | None:
    """Return the series that one is written as the difference from; None for a mean."""
    place = _ORDER.index(series.statistic)
    return Series(series.measure, _ORDER[place - 1]) if place else None


def _matrix(data: bytes, steps: int, columns: int) -> Codes:
    try:
        found = np.frombuffer(zlib.decompress(data), dtype=np.uint8)
        return found.reshape(columns, steps).T
    except (zlib.error, ValueError) as err:
        raise ValueError(f"figures of {steps} steps and {columns} members are damaged") from err
