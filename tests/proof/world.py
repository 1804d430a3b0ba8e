"""The scripted vCenter of the state machine: it refuses a second task of a VM, and takes late requests late."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from balancer.model.errors import SubmitRefused, SubmitUnknown
from balancer.model.outcome import MigrationOrder
from balancer.model.units import HostId, VmId
from tests.proof.actors import Actor, WorldTime
from tests.support.fakes import Flight, Script, ScriptedVCenter

CALL_S = 30.0
"""How long a call waits for its answer."""


@dataclass(slots=True)
class World(ScriptedVCenter):
    """What is true. `late_s` says when the request of a VM arrives whose answer is lost.

    `asker` is the process whose call it is, `by_others` is told of what we did not bring about.
    """

    late_s: dict[VmId, float] = field(default_factory=dict)
    asker: Actor | None = None
    by_others: Callable[[], None] | None = None
    arrivals: list[tuple[float, VmId, HostId]] = field(default_factory=list)

    def submit(self, order: MigrationOrder) -> str:
        """Start a migration as scripted; a lost answer takes the whole time of a call."""
        self._advance()
        script = self.scripts.get(order.vm, self.default)
        if not self._is_out() and order.vm not in self.truth.vm_by_id:
            raise SubmitRefused("it has been deleted", fault="ManagedObjectNotFound")
        if not self._is_out() and self.is_flying(order.vm):
            raise SubmitRefused("another task is already in progress", fault="TaskInProgress")
        if self._is_out() or not script.reply_lost:
            return ScriptedVCenter.submit(self, order)
        self._count(order)
        late_s = self.late_s.get(order.vm, 0.0)
        if script.arrives and not late_s:
            self._take(order, script)
        elif script.arrives:
            self.at(self.clock.monotonic() + late_s, partial(self._take, order, script))
        if self.asker is not None:
            self.asker.pause(CALL_S)
        raise SubmitUnknown(f"asking for {order.vm}: no answer in {CALL_S:.0f} s")

    def ours_flying(self) -> list[Flight]:
        """Return our migrations under way."""
        return [f for f in self.flights.values() if not f.is_over and f.is_ours]

    def is_flying(self, vm: VmId) -> bool:
        """Whether a migration of a VM is under way."""
        return any(f.vm == vm and not f.is_over for f in self.flights.values())

    def targets(self) -> dict[VmId, HostId]:
        """Return where our migrations under way go."""
        return {flight.vm: flight.target for flight in self.ours_flying()}

    def advance_to(self, moment_s: float) -> None:
        """Let time pass to a moment, and everything that is due until then happen, one after the other."""
        assert isinstance(self.clock, WorldTime)
        while (due_s := self._next_s()) <= moment_s:
            self.clock.elapsed_s = max(self.clock.elapsed_s, due_s)
            self._advance()
        self.clock.elapsed_s = max(self.clock.elapsed_s, moment_s)

    def _next_s(self) -> float:
        flights = (flight.ends_s for flight in self.flights.values() if not flight.is_over)
        due = (due.at_s for due in self._due if not due.is_done)
        return min((*flights, *due), default=float("inf"))

    def be(self, **facts: Any) -> None:
        """Change facts of the whole cluster."""
        self._become(**facts)

    def heal(self) -> None:
        """End every fault; what hangs ends soon."""
        self.outages.clear()
        self.scripts.clear()
        self.late_s.clear()
        self.check_refusals.clear()
        for flight in self.flights.values():
            if flight.script.hangs and not flight.is_over:
                flight.script = replace(flight.script, hangs=False, seconds=1.0)

    def put_vm(self, vm: VmId, **facts: Any) -> None:
        """Change facts of a VM now; `arrivals` keeps where it came."""
        ScriptedVCenter.put_vm(self, vm, **facts)
        if "host" in facts:
            self.arrivals.append((self.clock.monotonic(), vm, facts["host"]))

    def _count(self, order: MigrationOrder) -> None:
        self.submits[order.vm] += 1
        self.orders.append(order)
        self.sent_at_s[order.vm] = self.clock.monotonic()

    def _take(self, order: MigrationOrder, script: Script) -> None:
        facts = self.truth.vm_by_id.get(order.vm)
        if facts is not None and not self.is_flying(order.vm) and facts.host != order.target:
            self._launch(order.vm, facts.host, order.target, script)

    def _land(self, flight: Flight) -> None:
        ScriptedVCenter._land(self, flight)
        if self.by_others and (not flight.is_ours or flight.script.lands_on):
            self.by_others()
