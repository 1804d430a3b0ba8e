"""The heap's thresholds: taken by glibc, left alone elsewhere."""

import ctypes
import gc
import platform
import subprocess
import sys

import pytest

from balancer.adapters.heap import keep_heap_flat, leave_what_stays

HOLES = """
import ctypes, sys
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
library = ctypes.CDLL(None)
library.mallinfo2.restype = Info
if sys.argv[1] == "flat":
    from balancer.adapters.heap import keep_heap_flat
    assert keep_heap_flat()
kept = []
for size in (8_000_000, 4_000_000, 2_000_000):  # the first one freed makes glibc keep the others on its heap
    large = bytes(size)
    kept.append(bytes(2_000))
    del large
print(library.mallinfo2().arena)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the thresholds are glibc's")
def test_large_buffers_leave_no_holes_in_the_heap() -> None:
    def heap_bytes(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", HOLES, how], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert heap_bytes("flat") + 1_000_000 < heap_bytes("as it is")


def test_a_c_library_without_thresholds_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())

    assert not keep_heap_flat()


def test_what_stays_is_no_longer_looked_at() -> None:
    before = gc.get_freeze_count()
    try:
        leave_what_stays()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
