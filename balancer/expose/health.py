"""Whether the process is alive and ready, judged by what it has done lately and not by its existence.

Alive: every cluster's loop ended a cycle, failed at one, or showed progress within its limit. Ready:
every configured vCenter answered within its limit, and no stop was asked for. Told by the daemon, read
by the probes; holds no secrets, since probes are answered to everybody who may connect.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from threading import Lock

from balancer.expose.figures import duration
from balancer.model.units import Seconds
from balancer.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthProblem:
    """One thing that is not as it should be: what, and why."""

    subject: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What a probe is told. Fine where there are no problems; `notes` are worth knowing and no problem."""

    problems: tuple[HealthProblem, ...] = ()
    notes: tuple[HealthProblem, ...] = ()

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(slots=True)
class _Vcenter:
    """When a vCenter last answered (monotonic seconds), and why it did not since, if so."""

    within_s: Seconds
    answered_s: Seconds | None = None
    failure: str = ""


@dataclass(slots=True)
class _Loop:
    """When a loop last showed progress (monotonic seconds)."""

    within_s: Seconds
    progressed_s: Seconds
    withheld: str = ""
    mode: str = ""
    because: str = ""
    paused: str = ""


class Health:
    """The state behind the probes. Thread-safe.

    `vcenters` gives for each configured vCenter, and `loops` for each cluster's loop, within how many
    seconds it must have answered or progressed. A loop's limit must exceed its interval and the longest
    silence of a cycle; the time before the first progress counts from the construction.
    """

    def __init__(
        self, clock: Clock, *, vcenters: Mapping[str, Seconds], loops: Mapping[str, Seconds]
    ) -> None:
        self._clock = clock
        self._lock = Lock()
        self._is_stopping = False
        self._refused = ""
        self._vcenters: dict[str, _Vcenter] = {}
        self._loops: dict[str, _Loop] = {}
        self.expect(vcenters=vcenters, loops=loops)

    def expect(self, *, vcenters: Mapping[str, Seconds], loops: Mapping[str, Seconds]) -> None:
        """Take other vCenters and loops, or other limits; what is known of those that stay is kept."""
        now_s = self._clock.monotonic()
        with self._lock:
            known, looped = self._vcenters, self._loops
            self._vcenters = {
                name: replace(known[name], within_s=within)
                if name in known
                else _Vcenter(within_s=within)
                for name, within in vcenters.items()
            }
            self._loops = {
                name: replace(looped[name], within_s=within)
                if name in looped
                else _Loop(within_s=within, progressed_s=now_s)
                for name, within in loops.items()
            }

    def configuration_refused(self, why: str) -> None:
        """Take note of why a new configuration is not in force; empty where the newest one is."""
        with self._lock:
            self._refused = why

    def vcenter_up(self, vcenter: str) -> None:
        """Take note that a vCenter answered."""
        with self._lock:
            known = self._vcenters.get(vcenter)
            if known is not None:
                known.answered_s, known.failure = self._clock.monotonic(), ""

    def vcenter_down(self, vcenter: str, why: str) -> None:
        """Take note that a vCenter did not answer, and why, in words for people."""
        with self._lock:
            known = self._vcenters.get(vcenter)
            if known is not None:
                known.failure = why or "it did not answer"

    def cycle_ended(self, loop: str) -> None:
        """Take note that a cycle ended well."""
        self.progressed(loop)

    def cycle_failed(self, loop: str, why: str = "") -> None:
        """Take note that a cycle failed: the loop is alive, readiness is a matter of the vCenter."""
        del why  # told in the log and in readiness; a loop that fails is a loop that runs
        self.progressed(loop)

    def progressed(self, loop: str) -> None:
        """Take note that a loop did something."""
        with self._lock:
            known = self._loops.get(loop)
            if known is not None:
                known.progressed_s = self._clock.monotonic()

    def acting_withheld(self, loop: str, why: str) -> None:
        """Take note of why a loop whose mode acts only shows its plans; empty where it does act."""
        with self._lock:
            known = self._loops.get(loop)
            if known is not None:
                known.withheld = why

    def paused(self, loop: str, why: str) -> None:
        """Take note of who stopped a loop from sending anything; empty where nobody did."""
        with self._lock:
            known = self._loops.get(loop)
            if known is not None:
                known.paused = why

    def mode_in_force(self, loop: str, mode: str, because: str) -> None:
        """Take note of the mode in force, and of what holds it there; that is empty for automatic."""
        with self._lock:
            known = self._loops.get(loop)
            if known is not None:
                known.mode, known.because = mode, because

    def stopping(self) -> None:
        """Take note that a stop was asked for: not ready from now on."""
        with self._lock:
            self._is_stopping = True

    def liveness(self) -> HealthReport:
        """Return which loops have stopped making progress."""
        now_s = self._clock.monotonic()
        with self._lock:
            stuck = [
                HealthProblem(
                    subject=f"cluster {name}",
                    why=f"no progress for {duration(now_s - loop.progressed_s)}, "
                    f"more than {duration(loop.within_s)}",
                )
                for name, loop in sorted(self._loops.items())
                if now_s - loop.progressed_s > loop.within_s
            ]
        return HealthReport(problems=tuple(stuck))

    def readiness(self) -> HealthReport:
        """Return which vCenters have not answered lately, and whether a stop was asked for."""
        now_s = self._clock.monotonic()
        with self._lock:
            stopping = self._is_stopping
            notes = tuple(self._notes())
            reasons = [(name, _why_not(vc, now_s)) for name, vc in sorted(self._vcenters.items())]
        problems = [HealthProblem(subject=f"vCenter {n}", why=why) for n, why in reasons if why]
        if stopping:
            problems.append(HealthProblem(subject="process", why="a stop was asked for"))
        return HealthReport(problems=tuple(problems), notes=notes)

    def _notes(self) -> Iterator[HealthProblem]:
        """Yield what is worth knowing; called with the lock held."""
        for name, loop in sorted(self._loops.items()):
            if loop.paused:
                yield HealthProblem(subject=f"cluster {name}", why=f"stopped: {loop.paused}")
            if loop.because:
                yield HealthProblem(subject=f"cluster {name}", why=f"{loop.mode}: {loop.because}")
            if loop.withheld:
                why = f"observed only: {loop.withheld}"
                yield HealthProblem(subject=f"cluster {name}", why=why)
        if self._refused:
            why = f"the new one is refused, the one before it stays in force: {self._refused}"
            yield HealthProblem(subject="configuration", why=why)


def _why_not(vcenter: _Vcenter, now_s: Seconds) -> str:
    """Return why a vCenter does not count as answering; empty where it does."""
    if vcenter.failure:
        return vcenter.failure
    if vcenter.answered_s is None:
        return "it has not answered yet"
    silence_s = now_s - vcenter.answered_s
    if silence_s > vcenter.within_s:
        return f"no answer for {duration(silence_s)}, more than {duration(vcenter.within_s)}"
    return ""
