"""What is still to be asked for, shared by those who ask side by side.

Owns the sharing out of keys and the ending: an error of one ends the others after the query that each of them
is making. Used by `statistics`.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context


class Queue:
    """Keys in their order. Safe for several threads. `is_calm`: the last answer was no refusal."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._left = list(keys)
        self.is_calm = False

    def holds_any(self) -> bool:
        """Whether there is anything left to be taken."""
        return bool(self._left)

    def taken(self, count: int) -> list[str]:
        """Return the next keys, which are then out of the queue."""
        with self._lock:
            batch, self._left = self._left[:count], self._left[count:]
            return batch

    def put_back(self, keys: Iterable[str]) -> None:
        """Have keys taken next, once more."""
        with self._lock:
            self._left = [*keys, *self._left]

    def drop(self) -> list[str]:
        """Return everything that is left, which is then out of the queue."""
        return self.taken(len(self._left))


def side_by_side(queue: Queue, step: Callable[[], None], *, workers: int) -> None:
    """Take steps in this thread and up to `workers - 1` others, while the queue is calm and holds keys.

    Raises:
        Exception: what a step raised; the others have ended by then.
    """

    def work() -> None:
        is_whole = False
        try:
            while queue.is_calm and queue.holds_any():
                step()
            is_whole = True
        finally:
            if not is_whole:
                queue.drop()

    if workers < 2:
        work()
        return
    with ThreadPoolExecutor(workers - 1, thread_name_prefix="statistics") as pool:
        others = [pool.submit(copy_context().run, work) for _ in range(workers - 1)]
        work()
    for other in others:
        other.result()
