"""Finds figures that cannot be in the unit that their file names. Small files are not judged."""

import numpy as np

from balancer.adapters.traces.faults import refused
from balancer.adapters.traces.matrix import Floats, Matrix
from balancer.model.units import Ratio

JUDGED_FROM = 100
"""So many figures above 0 say enough about their unit."""

MOST_BEYOND: Ratio = 0.1
"""Share of the figures above what is possible, above which it is the unit that is wrong."""

_PERCENT = 100.0
_KIB = 1024.0


def check_percent(matrix: Matrix) -> None:
    """Refuse a file of percent whose figures are shares of 1.

    Raises:
        InputError: no figure is above 1.
    """
    above = matrix.figures[matrix.figures > 0.0]
    if above.size >= JUDGED_FROM and above.max() <= 1.0:
        found = f"no figure is above {above.max():g}: these are shares of 1, not percent"
        raise refused(
            matrix.path, found, allowed="percent of the VM's own size", hint="multiply by 100"
        )


def check_mhz(matrix: Matrix, most: Floats) -> None:
    """Refuse CPU figures that are no MHz; `most` is what the size of each VM can give.

    Raises:
        InputError: none is above 100, or too many are far above what is possible.
    """
    above = matrix.figures[matrix.figures > 0.0]
    if above.size < JUDGED_FROM:
        return
    if above.max() <= _PERCENT:
        found = f"no VM ever wants more than {above.max():g}: that is percent or GHz, not MHz"
        hint = "percent of the VM's own size belongs into cpu_pct.csv; GHz: multiply by 1000"
        raise refused(matrix.path, found, allowed="MHz", hint=hint)
    beyond = _share_above(matrix.figures, 2.0 * most)
    if beyond > MOST_BEYOND:
        found = f"{beyond:.0%} of the figures are above twice what the VMs' processors give"
        hint = "kHz: divide by 1000; Hz: by 1,000,000; or the sizes are wrong"
        raise refused(matrix.path, found, allowed="MHz", hint=hint)


def check_mib(matrix: Matrix, sizes: Floats) -> None:
    """Refuse memory figures that are no MiB; `sizes` is the largest size of each VM.

    Raises:
        InputError: none is above 100 although the VMs are large, or too many are far above the sizes.
    """
    above = matrix.figures[matrix.figures > 0.0]
    if above.size < JUDGED_FROM:
        return
    if above.max() <= _PERCENT and np.median(sizes) >= _KIB:
        found = f"no VM ever touches more than {above.max():g}: that is percent or GiB, not MiB"
        hint = "percent of the VM's own size belongs into mem_pct.csv; GiB: multiply by 1024"
        raise refused(matrix.path, found, allowed="MiB", hint=hint)
    beyond = _share_above(matrix.figures, 2.0 * sizes)
    if beyond > MOST_BEYOND:
        unit = (
            "bytes: divide by 1,048,576"
            if above.max() > _KIB * _KIB * _KIB
            else "KiB: divide by 1024"
        )
        found = f"{beyond:.0%} of the figures are above twice the VMs' sizes"
        raise refused(matrix.path, found, allowed="MiB", hint=f"{unit}; or the sizes are wrong")


def _share_above(figures: Floats, limits: Floats) -> Ratio:
    return float((figures > limits).sum()) / max(float((figures > 0.0).sum()), 1.0)
