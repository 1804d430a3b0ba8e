"""Wall time, processor time and peak memory of one call in this process."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What a call took. `peak_mib` is the process's peak during the call; None where it cannot be read."""

    wall_s: float
    cpu_s: float
    peak_mib: float | None


def metered(call: Callable[[], T], *, repeats: int = 1) -> tuple[T, Metered]:
    """Return the result and the median of the times of some calls; the peak is that of the first."""
    gc.collect()
    can_read = _reset_peak()
    result, times = _timed(call)
    peak = peak_mib() if can_read else None
    rows = [times] + [_timed(call)[1] for _ in range(repeats - 1)]
    middle = sorted(rows)[len(rows) // 2]
    return result, Metered(wall_s=middle[0], cpu_s=middle[1], peak_mib=peak)


def _timed(call: Callable[[], T]) -> tuple[T, tuple[float, float]]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, (time.perf_counter() - wall, time.process_time() - cpu)


def _reset_peak() -> bool:
    """Ask Linux to forget the peak so far; False where it cannot be asked. Source: proc(5), clear_refs."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_mib() -> float | None:
    """Return the highest resident memory of this process so far; None where it cannot be read."""
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1024
    return None
