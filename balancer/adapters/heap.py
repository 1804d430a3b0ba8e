"""The C library's heap, told to give large buffers back, so that a daemon's memory stays flat.

glibc raises its threshold for mappings of their own with each large buffer that is freed (up to 32 MiB). Answers
of a vCenter and letters to the processes that plan are such buffers: they then land on the heap between small
things and leave holes that stay. Fixed thresholds and few arenas avoid that. Nothing is done elsewhere than on
glibc. Source: mallopt(3), "M_MMAP_THRESHOLD"; measured with tests/proof/soak.py: 1 MiB of holes instead of
11 MiB after four minutes, with the same live objects.
"""

import ctypes
import gc

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Source: malloc.h of glibc."""

MAPPED_FROM_BYTES = 64 * 1024
TRIMMED_FROM_BYTES = 128 * 1024
ARENAS = 2


def keep_heap_flat() -> bool:
    """Fix the thresholds of this process's heap; whether the C library took them. Call it before anything large."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = {
        M_MMAP_THRESHOLD: MAPPED_FROM_BYTES,
        M_TRIM_THRESHOLD: TRIMMED_FROM_BYTES,
        M_ARENA_MAX: ARENAS,
    }
    taken = {parameter: mallopt(parameter, value) == 1 for parameter, value in wanted.items()}
    return all(taken.values())


def leave_what_stays() -> None:
    """Take what has been loaded so far out of the collector's sight; call it once, when everything is loaded.

    A full collection is due when a quarter of what it looked at last has come anew. With 150,000 objects of
    modules among these, rings that cycles leave behind wait long. Source: Python, "gc", `freeze`.
    """
    gc.collect()
    gc.freeze()
