"""Pieces of work side by side, one process each and so many at a time; what comes of each is told as it ends.

Owns the lives of these processes, and what the end of one means that says nothing. Knows nothing of the work but
that it is a function at the top of a module, and that task and answer can be pickled. With one at a time the work
is done in this very process.
"""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from types import MappingProxyType
from typing import Generic, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Tell = Callable[[int, int], None]
"""Told how much of a piece of work is over, of how much."""

Work = Callable[[Task, Tell], Answer]
Heard = Callable[[int, int, int], None]
"""Hears the place of a task among all, how much of it is over, and of how much."""

_PARTS = 200
"""Times that a process says how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A piece of work that did not come to its end. `traceback` is empty where its process said nothing."""

    why: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Over(Generic[Answer]):
    answer: Answer | Lost


@dataclass(slots=True, kw_only=True)
class _Running:
    place: int
    process: SpawnProcess
    pipe: Connection


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def side_by_side(
    tasks: Sequence[Task], work: "Work[Task, Answer]", *, jobs: int, heard: Heard
) -> "Generator[tuple[int, Answer | Lost], None, None]":
    """Do all tasks, at most `jobs` at a time, and yield the place of each with what came of it, as they end.

    A process ends with its task, and all of them when the iterator is closed. An interrupt from the terminal
    reaches this process alone.
    """
    if jobs <= 1:
        for place, task in enumerate(tasks):
            yield place, _attempted(work, task, _thinned(place, heard))
        return
    with _processes() as running:
        waiting = list(enumerate(tasks))[::-1]
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_started(*waiting.pop(), work))
            for one, over in _listen(running, heard):
                running.remove(one)
                yield one.place, over


@contextmanager
def _processes() -> Iterator[list[_Running]]:
    running: list[_Running] = []
    try:
        yield running
    finally:
        for one in running:
            one.process.kill()
        for one in running:
            _buried(one)


def _buried(one: _Running) -> None:
    one.process.join()
    one.pipe.close()
    one.process.close()


def _started(place: int, task: Task, work: "Work[Task, Answer]") -> _Running:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(theirs, work, task), daemon=True)
    # Started with the first process otherwise, and lets interrupts through again: that one would hear them.
    # Source: Lib/multiprocessing/resource_tracker.py, ensure_running, Python 3.11 to 3.13.
    resource_tracker.ensure_running()
    with _deaf_to_interrupts():
        process.start()
    theirs.close()
    return _Running(place=place, process=process, pipe=ours)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Block the interrupt, as what is started meanwhile goes on doing; here it comes a moment later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _listen(running: Sequence[_Running], heard: Heard) -> "list[tuple[_Running, Answer | Lost]]":
    """Wait for news; return those that have ended."""
    ended: list[tuple[_Running, Answer | Lost]] = []
    by_pipe: Mapping[object, _Running] = {one.pipe: one for one in running}
    for pipe in wait([one.pipe for one in running]):
        one = by_pipe[pipe]
        try:
            news = one.pipe.recv()
        except (EOFError, OSError):
            ended.append((one, _last_words(one)))
            continue
        if isinstance(news, _Over):
            ended.append((one, news.answer))
            _buried(one)
        else:
            heard(one.place, *news)
    return ended


def _last_words(one: _Running) -> Lost:
    one.process.join()
    code = one.process.exitcode or 0
    _buried(one)
    if code < 0:
        out_of_memory = ": the machine may be out of memory" if -code == signal.SIGKILL else ""
        return Lost(
            why=f"its process was ended by signal {-code} ({signal.strsignal(-code)}){out_of_memory}"
        )
    return Lost(why=f"its process ended with exit code {code} and said nothing")


def _do(pipe: Connection, work: "Work[Task, Answer]", task: Task) -> None:
    """Do a task in a process of its own. Where nobody listens any more, there is nothing left to do."""
    with suppress(BrokenPipeError):
        answer = _attempted(work, task, _thinned(0, lambda _, over, of: pipe.send((over, of))))
        pipe.send(_Over(answer=answer))


def _attempted(work: "Work[Task, Answer]", task: Task, tell: Tell) -> "Answer | Lost":
    try:
        return work(task, tell)
    except BrokenPipeError:
        raise
    except MemoryError:
        return Lost(why="it ran out of memory; give fewer --jobs, or fewer days")
    except Exception as err:
        return Lost(why=f"{type(err).__name__}: {err}", traceback=traceback.format_exc())


def _thinned(place: int, heard: Heard) -> Tell:
    """Return a listener that passes on each two-hundredth part of the way, and the end."""
    last = -1

    def tell(over: int, of: int) -> None:
        nonlocal last
        part = over * _PARTS // of if of else _PARTS
        if part != last:
            last = part
            heard(place, over, of)

    return tell


def _read_only(items: dict[object, object]) -> Mapping[object, object]:
    return MappingProxyType(items)


def _taken_apart(
    mapping: "MappingProxyType[object, object]",
) -> tuple[Callable[[dict[object, object]], Mapping[object, object]], tuple[dict[object, object]]]:
    return _read_only, (dict(mapping),)


ForkingPickler.register(MappingProxyType, _taken_apart)
