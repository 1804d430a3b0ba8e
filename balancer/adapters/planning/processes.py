"""The daemon's planner: asks processes of our own, so many at a time, each with caps of memory and time.

Owns whose turn it is and which processes are kept warm. Makes no plan and judges none. Whatever becomes of a
process, the next plan gets a sound one; and a stop ends them all at once.
"""

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from balancer.adapters.planning.child import Child
from balancer.adapters.planning.letters import Question
from balancer.adapters.solver import SolverProcesses
from balancer.model.errors import PlanInvalid, PlanningFailed, PlanningStopped, PlanningTimedOut
from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds
from balancer.plan import PlanSettings
from balancer.policy.in_force import InForce
from balancer.policy.types import Policy
from balancer.ports import Clock

COMMAND = (sys.executable or "python3", "-P", "-m", "balancer.adapters.planning.worker")

KEEP_WARM_S: Seconds = 30.0
"""How long a process waits for the next plan. Starting one takes 1 s of a core and one that waits 55 MiB: with
cycles of minutes the first is 0.3 % of a core, with cycles of seconds it would be a fifth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What planning may take: address space of one process, seconds of one plan, plans at the same time."""

    memory_mib: int
    patience_s: Seconds
    processes: int


class PlanningProcesses:
    """A `site.Planning` in processes. Thread-safe. Starts nothing before it is asked for something."""

    def __init__(self, caps: Caps, clock: Clock, command: Sequence[str] = COMMAND) -> None:
        self._caps = caps
        self._clock = clock
        self._command = tuple(command)
        self._turns = threading.Condition()
        self._idle: list[tuple[Child, float]] = []
        self._busy: set[Child] = set()
        self._is_closed = False

    def prepare(self) -> None:
        """Start a process, so that it gets ready while the cluster is read; not where one waits already.

        That it cannot be started is told where a plan is asked for.
        """
        with self._turns, suppress(PlanningFailed):
            is_full = len(self._busy) >= self._caps.processes
            if not (self._is_closed or self._idle or is_full):
                self._idle.append((self._started(), self._clock.monotonic()))

    def plan(
        self,
        snapshot: Snapshot,
        policy: Policy,
        *,
        settings: PlanSettings,
        past: Past | None = None,
        in_force: InForce | None = None,
        unfit: Sequence[Refusal] | None = None,
    ) -> Plan:
        """Plan as `planner.plan_snapshot` does. Waits for a turn, and then for the plan, `patience_s` each.

        Raises:
            PlanInvalid: the plan did not pass the independent check.
            PlanningFailed: the process crashed, ran out of memory or met a bug, or could not be started.
            PlanningTimedOut: no turn or no plan in time.
            PlanningStopped: `close` was called meanwhile.
        """
        question = Question(
            snapshot=snapshot,
            policy=policy,
            settings=replace(settings, open_solver=SolverProcesses),
            past=past,
            in_force=in_force,
            unfit=None if unfit is None else tuple(unfit),
            patience_s=self._caps.patience_s,
        )
        child, is_sound = self._taken(), False
        try:
            plan = child.ask(question)
            is_sound = True
        except PlanInvalid:
            is_sound = True
            raise
        except PlanningFailed as error:
            if self._is_closed:
                raise PlanningStopped("planning was ended: the daemon stops") from error
            raise
        finally:
            self._give_back(child, is_sound=is_sound)
        return plan

    def rest(self) -> None:
        """End the processes that have waited for long. To be called once in a while."""
        until_s = self._clock.monotonic() - KEEP_WARM_S
        with self._turns:
            tired = [child for child, since_s in self._idle if since_s <= until_s]
            self._idle = [entry for entry in self._idle if entry[0] not in tired]
        for child in tired:
            child.end()

    def close(self) -> None:
        """End every process at once, also those that plan: who waits for one gets `PlanningStopped`."""
        with self._turns:
            self._is_closed = True
            idle, self._idle = self._idle, []
            for child in self._busy:
                child.kill()
            self._turns.notify_all()
        for child, _ in idle:
            child.end()

    def _taken(self) -> Child:
        """Return a process to ask, warm or new, once it is our turn."""
        with self._turns:
            if not self._turns.wait_for(self._is_my_turn, self._caps.patience_s):
                raise PlanningTimedOut(
                    f"no turn to plan within {self._caps.patience_s:g} s: {self._caps.processes} other "
                    "plans are being made; raise planning.processes if the machine has more cores"
                )
            if self._is_closed:
                raise PlanningStopped("planning was not begun: the daemon stops")
            child = self._warm() or self._started()
            self._busy.add(child)
            return child

    def _is_my_turn(self) -> bool:
        return self._is_closed or len(self._busy) < self._caps.processes

    def _warm(self) -> Child | None:
        """Return a process that waits; one that ended meanwhile, as by the kernel's choice, is passed over."""
        while self._idle:
            child, _ = self._idle.pop()
            if child.is_running:
                return child
            child.end()
        return None

    def _started(self) -> Child:
        try:
            return Child(self._command, memory_mib=self._caps.memory_mib)
        except OSError as error:
            raise PlanningFailed(
                f"planning: its process could not be started: {error.strerror or error}"
            ) from error

    def _give_back(self, child: Child, *, is_sound: bool) -> None:
        with self._turns:
            self._busy.discard(child)
            is_kept = is_sound and not self._is_closed
            if is_kept:
                self._idle.append((child, self._clock.monotonic()))
            self._turns.notify()
        if not is_kept:
            child.end()
