"""The cycles of one cluster: one after another, tried again after a failure, early where it pays.

Owns what is known of a cluster between its cycles, and the question what holds there now: configuration,
policy and windows, asked anew before each move. Every failure of a cycle ends here. When a job runs is the
daemon's.
"""

import logging
import secrets
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from balancer.approved import run_approved
from balancer.assess.demand import demand_of
from balancer.collect import Sighting
from balancer.collect.cluster_choice import find_cluster
from balancer.cycle import CycleReport, run_cycle
from balancer.early import EarlyCycles
from balancer.execute import Tools
from balancer.execute.chronicle import Chronicle
from balancer.execute.server_checks import ServerChecks
from balancer.execute.vigil import Vigil
from balancer.expose.audience import Audience
from balancer.expose.decision_words import log_fields
from balancer.expose.health import Health
from balancer.expose.logs import bind
from balancer.expose.metrics import ClusterMetrics
from balancer.foresight import Foresight
from balancer.model.changes import Change
from balancer.model.errors import BalancerError, PlanningFailed, PlanningStopped, SourceError
from balancer.model.events import CycleFailed
from balancer.model.reasons import WITHHELD, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds
from balancer.planner import Planning
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.mode import Mode, most_careful
from balancer.policy.vm_modes import VmModes
from balancer.policy.windows import next_change
from balancer.ports import Clock, ClusterRef, Events, Store
from balancer.site import Site
from balancer.watch import Watch
from balancer.wishes import Asked, Wishes

log = logging.getLogger(__name__)

FIRST_RETRY_S = 2.0
"""Back-off after a vCenter did not answer: doubles until the cluster's own interval is shorter."""

LOOK_AGAIN_S: Seconds = 10.0
"""How long an approval waits that could not be used, as outside of a window, unless a regular cycle comes first."""

MOST_DOUBLINGS = 12
"""Keeps the back-off a sane number; any interval is shorter by then."""


class Turns(Protocol):
    """What jobs need of the daemon that runs them."""

    store: Store
    clock: Clock
    health: Health
    holder: str
    planning: Planning

    def may_submit(self) -> Refusal | None:
        """Return why nothing may be submitted now (S8), or None: the daemon is stopping."""

    def stop_switch(self) -> Refusal | None:
        """Return why nothing may be sent anywhere, by the stop file."""

    def run_later(self, job: "ClusterJob", delay_s: Seconds, *, why: str) -> None:
        """Run a cluster's cycle once more before its next turn. One for each reason is kept."""

    def is_before_next_turn(self, watch: Watch, delay_s: Seconds) -> bool:
        """Whether a moment comes before the cluster's next regular cycle begins."""

    def next_turn(self, watch: Watch) -> datetime:
        """Return when the cluster's next cycle is due."""

    def foresight_of(self, watch: Watch) -> Foresight:
        """Return the memory of a cluster's demand; the same one each time."""

    def listeners_of(self, watch: Watch) -> Sequence[Events]:
        """Return who hears what happens to a cluster, beside its metrics."""


class ClusterJob:
    """The cycles of one cluster: never two at once, tried again with back-off after a failure.

    `watch` is replaced as a whole when the configuration changes. A cycle that runs keeps the policy that
    it plans with; what it sends is judged by the more careful of the mode at its begin and the new one.
    """

    def __init__(self, watch: Watch, turns: Turns, metrics: ClusterMetrics) -> None:
        self.watch = watch
        self._turns = turns
        self._metrics = metrics
        self._audience = Audience((metrics, *turns.listeners_of(watch)))
        metrics.on_progress(lambda: turns.health.progressed(watch.key))
        self._busy = threading.Lock()
        self._failures = 0
        self._notes: frozenset[str] = frozenset()
        self._last: Sighting | None = None
        self._barred: Refusal | None = None
        self._early = EarlyCycles(turns.clock, shortest_s=watch.shortest_interval_s)
        self._checks, self._chronicle = ServerChecks(), Chronicle()
        self._vm_modes = VmModes()
        self._vigil = Vigil()
        self._wishes = Wishes(turns.store, turns.clock, watch.key, turns.stop_switch)
        self._emptied: frozenset[HostId] | None = None
        self._no_approval_before_s = 0.0

    def run(self) -> None:
        """Run one cycle; every failure ends here, in the log and in the metrics."""
        if self._turns.may_submit() is not None or not self._busy.acquire(blocking=False):
            return
        cycle_id, begun = secrets.token_hex(4), self.watch
        self._early.begun()
        self._metrics.cycle_scheduled(self._turns.next_turn(self.watch))
        try:
            with bind(cycle_id=cycle_id, vcenter=self.watch.link.name, cluster=self.watch.name):
                self._run(cycle_id)
        finally:
            self._busy.release()
            self._run_early(self._early.ended())
            if self.watch is not begun:
                self._turns.run_later(self, 0.0, why="reconfigured")

    def reconfigured(self, watch: Watch) -> None:
        """Take new settings of the same cluster."""
        self._early.paced(watch.shortest_interval_s)
        self.watch = watch

    def retired(self) -> None:
        """Take it that the cluster is not watched any more: what runs is watched on, nothing more is sent."""
        self.watch = replace(self.watch, mode=Mode.OBSERVE)

    def hinted(self, changes: tuple[Change, ...]) -> None:
        """Hear of changes in this cluster; a cycle runs early where they are worth one."""
        self._run_early(self._early.heard(changes))

    def asked(self, asked: Asked) -> None:
        """Hear each second what people ask, and show it; run a cycle now for what cannot wait for its turn."""
        stops = self._wishes.stops_among(asked)
        self._metrics.paused({stop.reason for stop in stops})
        self._turns.health.paused(self.watch.key, str(stops[0]) if stops else "")
        before, self._emptied = self._emptied, self._wishes.emptied_among(asked)
        if before is not None and before != self._emptied:
            self._turns.run_later(self, 0.0, why="evacuation")
        is_free = not stops and not self._busy.locked() and not self._failures
        is_due = self._turns.clock.monotonic() >= self._no_approval_before_s
        if is_free and is_due and self._wishes.has_approval_among(asked):
            self._turns.run_later(self, 0.0, why="approved")

    def in_force(self, begun: Watch, snapshot: Snapshot) -> InForce:
        """Return what holds now for a cycle that began with `begun` and works on a snapshot."""
        now, watch = self._turns.clock.now(), self.watch
        policy = watch.policies.at(now)
        modes = self._vm_modes.of(snapshot, policy)
        return mode_in_force(policy, most_careful(begun.mode, watch.mode), now, vm_modes=modes)

    def _run_early(self, delay_s: Seconds | None) -> None:
        """Run a cycle after the delay, unless the next regular one comes first."""
        if delay_s is not None and self._turns.is_before_next_turn(self.watch, delay_s):
            name = {"cluster": self.watch.name, "vcenter": self.watch.link.name}
            log.info("cycle runs early", extra={**name, "in_s": round(delay_s, 1)})
            self._turns.run_later(self, delay_s, why="early")

    def _run_at_next_window(self) -> None:
        """Run a cycle when the next window opens or closes, unless the next regular one comes first."""
        now = self._turns.clock.now()
        change = next_change(self.watch.policies.at(now), now)
        if change is None:
            return
        delay_s = (change.at - now).total_seconds()
        if self._turns.is_before_next_turn(self.watch, delay_s):
            self._turns.run_later(self, delay_s, why="window")

    def _run(self, cycle_id: str) -> None:
        try:
            report = self._cycle(cycle_id)
        except SourceError as error:
            self._turns.health.vcenter_down(self.watch.link.name, str(error))
            self._retry(error)
            self._fail("vCenter could not be asked", error)
        except PlanningStopped as error:
            log.info("cycle given up", extra={"detail": str(error)})
        except PlanningFailed as error:
            self._fail("planning failed", error, **error.facts)
        except BalancerError as error:
            self._fail("cycle failed", error)
        except Exception as error:
            self._metrics.cycle_failed(error)
            self._audience.tell(CycleFailed(why="unexpected error", at=self._turns.clock.now()))
            self._turns.health.cycle_failed(self.watch.key, "unexpected error")
            log.exception("cycle failed unexpectedly")
        else:
            self._succeed(report)
        self._run_at_next_window()

    def _cycle(self, cycle_id: str) -> CycleReport:
        """Carry out an approved plan where one waits, else plan anew."""
        site, report = self._site(), None
        if self._wishes.has_approval():
            report = run_approved(site, cycle_id=cycle_id)
            if report is None:
                now_s = self._turns.clock.monotonic()
                self._no_approval_before_s = now_s + LOOK_AGAIN_S
        return report or run_cycle(site, cycle_id=cycle_id)

    def _may_submit(self) -> Refusal | None:
        """Return why nothing may be sent at this moment: a stop of the daemon, or a person's word."""
        return self._turns.may_submit() or self._wishes.why_stopped()

    def _site(self) -> Site:
        watch, turns = self.watch, self._turns
        link = watch.link
        tools = Tools(
            vcenter=link.name,
            cluster_name=watch.name,
            holder=turns.holder,
            inventory=link.inventory,
            migrator=link.migrator,
            store=turns.store,
            clock=turns.clock,
            events=self._audience,
            may_submit=self._may_submit,
            demand_of=demand_of,
            checks=self._checks,
            chronicle=self._chronicle,
            vigil=self._vigil,
        )
        cluster = find_cluster(link.inventory, watch.name)
        return Site(
            cluster=cluster,
            barred=self._asked_whether_barred(watch, cluster),
            policy=self._wishes.applied_to(watch.policies.at(turns.clock.now())),
            in_force=lambda snapshot: self.in_force(watch, snapshot),
            settings=watch.settings,
            tools=tools,
            last=self._last,
            may_move=self._wishes.may_move,
            planning=turns.planning,
            foresight=turns.foresight_of(watch),
        )

    def _asked_whether_barred(self, watch: Watch, cluster: ClusterRef) -> Refusal | None:
        """Ask before each cycle that may act: rights change, and a mended account needs no restart.

        It is asked where a window keeps it from acting, too: that may open before the plan is made.
        """
        barred = watch.link.barred(cluster) if watch.mode.may_act else None
        if barred is not None and barred != self._barred:
            told = {"configured": watch.mode.value, "reason": barred.reason.value}
            log.warning("observed only", extra={**told, "detail": barred.detail})
        elif barred is None and self._barred is not None and watch.mode.may_act:
            log.warning("acting again", extra={"configured": watch.mode.value})
        self._barred = barred
        return barred

    def _succeed(self, report: CycleReport) -> None:
        self._failures, self._last = 0, report.seen.sighting
        sent = {outcome.move.vm for outcome in report.outcomes if outcome.was_sent}
        self._early.moved(sent)
        if self.watch.link.changes is not None:
            self.watch.link.changes.follow(report.seen.snapshot.cluster.id, self.hinted)
        self._turns.health.vcenter_up(self.watch.link.name)
        self._turns.health.cycle_ended(self.watch.key)
        held = report.held if report.held and report.held.reason in WITHHELD else None
        self._turns.health.acting_withheld(self.watch.key, str(held or ""))
        because = report.plan.mode_because
        self._turns.health.mode_in_force(self.watch.key, report.plan.mode, str(because or ""))
        extra = {
            "status": report.plan.status.value,
            "moves_planned": len(report.plan.moves),
            "moves_done": sum(1 for outcome in report.outcomes if outcome.was_sent),
            "imbalance": round(report.plan.before.imbalance, 4),
            **log_fields(report.plan.decision),
            "mode": report.plan.mode,
            "mode_because": because.detail if because else "",
            "held": held.reason.value if held else None,
        }
        log.info("cycle ended", extra=extra)
        self._tell_notes(report.plan.notes)

    def _tell_notes(self, notes: Sequence[str]) -> None:
        """Tell what the policy says in vain; once, and again when it has been otherwise between."""
        for note in notes:
            if note not in self._notes:
                log.warning("policy has no such effect", extra={"detail": note})
        self._notes = frozenset(notes)

    def _fail(self, message: str, error: BalancerError, **facts: object) -> None:
        self._metrics.cycle_failed(error)
        self._audience.tell(CycleFailed(why=str(error), at=self._turns.clock.now()))
        self._turns.health.cycle_failed(self.watch.key, str(error))
        told = {"error": str(error), "kind": type(error).__name__}
        log.error(message, extra={**facts, **told})

    def _retry(self, error: SourceError) -> None:
        """Come back before the next turn, unless the error says that only time or a person mends it."""
        self._failures += 1
        delay_s = FIRST_RETRY_S * 2 ** min(self._failures - 1, MOST_DOUBLINGS)
        if error.is_transient and delay_s < self.watch.interval_s:
            self._turns.run_later(self, delay_s, why="again")

    def missed(self) -> None:
        """Count a cycle that did not start in time, as when the one before it still migrates VMs."""
        self._metrics.cycle_missed()
        log.info(
            "cycle skipped", extra={"cluster": self.watch.name, "vcenter": self.watch.link.name}
        )
