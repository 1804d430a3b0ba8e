"""Processes in virtual time: each runs in a thread of its own, and only one at a time, until it pauses.

A pause is where time passes: a sleep, a call that takes its time. In it the process can be frozen (simply not
gone on with) or killed; then nothing of it reaches a port any more, as after SIGKILL.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from balancer.model.units import Seconds
from tests.support.builders import NOON


class Killed(BaseException):
    """The process is gone: nothing catches it."""


class WorldTime:
    """The time of everything. `jump_s` is by how much our own wall clock is wrong."""

    def __init__(self) -> None:
        self.elapsed_s: Seconds = 0.0
        self.jump_s: Seconds = 0.0

    def now(self) -> datetime:
        """Return the server's time, which is right."""
        return NOON + timedelta(seconds=self.elapsed_s)

    def monotonic(self) -> Seconds:
        """Return the seconds since the beginning."""
        return self.elapsed_s

    def sleep(self, seconds: Seconds) -> None:
        """Never called: time passes by `Actor.pause`."""
        raise AssertionError(f"nobody sleeps here ({seconds} s)")


class Actor:
    """One process. Also the clock that its code is given."""

    def __init__(self, name: str, time: WorldTime, life: "Callable[[Actor], None]") -> None:
        self.name, self._time = name, time
        self.wakes_s = time.elapsed_s
        self.is_over = self.is_dead = self.is_asked_to_stop = False
        self.error: BaseException | None = None
        self._mine, self._theirs = threading.Semaphore(0), threading.Semaphore(0)
        self._life = life
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # for whoever directs

    def go_on(self) -> None:
        """Let it run until it pauses again, or ends; raises what it raised."""
        if self.is_over:
            return
        self._mine.release()
        self._theirs.acquire()
        if self.error is not None:
            raise self.error

    def kill(self) -> None:
        """End it where it is."""
        self.is_dead = True
        self.go_on()
        self._thread.join()

    # for the process: `ports.Clock`, and a pause

    def now(self) -> datetime:
        """Return our wall clock."""
        self.live()
        return NOON + timedelta(seconds=self._time.elapsed_s + self._time.jump_s)

    def monotonic(self) -> Seconds:
        """Return the seconds since the beginning."""
        self.live()
        return self._time.elapsed_s

    def sleep(self, seconds: Seconds) -> None:
        """Pause."""
        self.pause(seconds)

    def pause(self, seconds: Seconds) -> None:
        """Give the stage to others, and go on after so many seconds at the earliest."""
        self.live()
        self.wakes_s = self._time.elapsed_s + seconds
        self._theirs.release()
        self._mine.acquire()
        self.live()

    def live(self) -> None:
        """Pass if it was not killed."""
        if self.is_dead:
            raise Killed

    def _run(self) -> None:
        self._mine.acquire()
        try:
            self.live()
            self._life(self)
        except Killed:
            pass
        except BaseException as err:
            self.error = err
        self.is_over = True
        self._theirs.release()
