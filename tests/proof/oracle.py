"""What must hold whenever the executor writes an intent, sends a request, or a migration lands: S2 to S8.

Written plainly against the truth of the scripted vCenter and the journal's rows. Shares no code with the
executor, the admission or the rules; where a promise leaves room, the room is a named number here.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations
from types import MappingProxyType

from balancer.model.host import HostState
from balancer.model.lease import Lease
from balancer.model.outcome import JournalRow, MigrationOrder, MoveState
from balancer.model.plan import Plan
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Automation
from balancer.policy.types import Limits
from tests.proof.actors import Actor, WorldTime
from tests.proof.world import World
from tests.support.fakes import Flight

OPEN = (MoveState.INTENT, MoveState.SUBMITTED, MoveState.UNKNOWN)
LEASE_S = 30.0
GIVEN_UP_S = 20.0
SEND_WITHIN_S = 2.0
LOOKED_WITHIN_S = 2.0
MEMORY_CEILING = 0.96


@dataclass(kw_only=True)
class Mind:
    """What one process has done so far, as its ports saw it."""

    plan: Plan | None = None
    cycle: str = ""
    seen: Snapshot | None = None
    seen_s: float = float("-inf")
    row: int = 0
    intent_s: float = float("-inf")
    token: int = 0
    renewed_s: float = float("-inf")
    is_held: bool = False


@dataclass(kw_only=True)
class Oracle:
    """Looks on. `rows` are all of the journal; `sent` the rows that were sent, `waived` the laws broken by others.

    `is_strict` says that no VMs must stay together: the rest of a group that was begun may follow although the
    mode has become more careful or the plan has aged.
    """

    world: World
    time: WorldTime
    limits: Limits
    rows: Callable[[], Sequence[JournalRow]]
    is_strict: bool
    newest: int = 0
    is_paused: bool = False
    observes: bool = False
    sent: dict[int, MigrationOrder] = field(default_factory=dict)
    waived: set[tuple[str, ...]] = field(default_factory=set)
    minds: dict[Actor, Mind] = field(default_factory=dict)

    def mind(self, actor: Actor) -> Mind:
        """Return what is known of a process."""
        return self.minds.setdefault(actor, Mind())

    # S4: leases

    def leased(self, actor: Actor, lease: Lease, *, asked_s: float) -> None:
        """Take it that a process was given or has renewed a lease."""
        mind = self.mind(actor)
        assert lease.token >= self.newest, "S4: a token went backwards"
        self.newest = lease.token
        mind.token, mind.renewed_s = lease.token, asked_s

    # S2, S4, S6, S8: an intent

    def intended(self, actor: Actor, row: int) -> None:
        """Judge an intent that was written just now."""
        mind, now_s = self.mind(actor), self.time.elapsed_s
        mind.row, mind.intent_s = row, now_s
        assert mind.token == self.newest, f"S4: intent under token {mind.token} of {self.newest}"
        assert now_s - mind.renewed_s < LEASE_S, "S4: intent after the lease's end"
        assert not self.is_paused, "S8: intent during a pause"
        assert not (self.observes and self.is_strict), "S1: intent in mode observe"
        assert not actor.is_asked_to_stop, "S8: intent after a stop request"
        assert not mind.is_held, "S8: intent of a cycle whose breaker is open"
        self._judge_budgets(mind)

    def _judge_budgets(self, mind: Mind) -> None:
        rows, limits = self.rows(), self.limits
        new = next(row for row in rows if row.id == mind.row)
        here = [r for r in rows if r.entry.cluster == new.entry.cluster]
        open_rows = [r for r in rows if r.state in OPEN]
        open_here = [r for r in here if r.state in OPEN]
        vms = Counter(row.entry.vm for row in open_here)
        assert max(vms.values()) == 1, "S2: two open rows of one VM"
        hosts = Counter(h for r in open_here for h in (r.entry.source, r.entry.target))
        assert len(open_rows) <= limits.migrations_per_vcenter, "S6: slots of the vCenter"
        assert len(open_here) <= limits.migrations_per_cluster, "S6: slots of the cluster"
        for end in (new.entry.source, new.entry.target):
            assert hosts[end] <= limits.migrations_per_host, f"S6: slots of {end}"
        self._judge_counts(new, [r for r in here if r.state is not MoveState.ABORTED])

    def _judge_counts(self, new: JournalRow, sent: list[JournalRow]) -> None:
        limits = self.limits
        alike = [r for r in sent if r.entry.reason.is_mandatory == new.entry.reason.is_mandatory]
        of_run = [r for r in alike if r.state in OPEN or r.entry.cycle_id == new.entry.cycle_id]
        if new.entry.reason.is_mandatory:
            assert len(of_run) <= limits.mandatory_moves_per_run, "S6: mandatory moves of a run"
            return
        vms = len(self.world.start.vms)
        at_least = limits.moves_per_run_at_least
        most = min(
            max(int(vms * limits.moves_per_run_ratio), at_least), limits.moves_per_run_at_most
        )
        assert len(of_run) <= most, f"S6: {len(of_run)} load moves of a run, {most} allowed"
        at = new.entry.intended_at
        hour = [
            r for r in alike if r.state in OPEN or r.entry.intended_at > at - timedelta(hours=1)
        ]
        most = max(int(vms * limits.moves_per_hour_ratio), at_least)
        assert len(hour) <= most, f"S6: {len(hour)} load moves in an hour, {most} allowed"
        day = [r for r in sent if r.entry.vm == new.entry.vm]
        day = [r for r in day if r.entry.intended_at > at - timedelta(days=1)]
        assert len(day) <= limits.moves_per_vm_per_day, f"S6: {len(day)} moves of a VM in a day"

    # S2 to S5, S7, S8: a request

    def sends(self, actor: Actor, order: MigrationOrder) -> None:
        """Judge a request that is about to be sent."""
        mind, now_s = self.mind(actor), self.time.elapsed_s
        row = next((r for r in self.rows() if r.id == mind.row), None)
        assert row is not None, "S2: sent without a row"
        asked = (row.entry.vm, row.entry.target)
        assert asked == (order.vm, order.target), "S2: sent without an intent of its own"
        assert row.id not in self.sent, "S3: sent a second time"
        assert row.state is MoveState.INTENT, f"S3: sent for a row that is {row.state}"
        self.sent[row.id] = order
        assert now_s - mind.intent_s < SEND_WITHIN_S, "S4: sent late after the intent"
        assert now_s - mind.renewed_s < GIVEN_UP_S + SEND_WITHIN_S, "S4: sent after the lease"
        self._judge_freshness(mind)
        self._judge_facts(mind, order, row)

    def _judge_freshness(self, mind: Mind) -> None:
        assert mind.plan is not None, "S5: sent without a plan"
        assert self.time.elapsed_s - mind.seen_s < LOOKED_WITHIN_S, "S5: sent without a fresh look"
        age_s = (self.time.now() - mind.plan.created_at).total_seconds()
        completing_s = 0.0 if self.is_strict else self.limits.migration_timeout_s
        assert age_s <= self.limits.plan_age_s + completing_s + SEND_WITHIN_S, (
            f"S5, S8: the plan is {age_s:.0f} s old"
        )

    def _judge_facts(self, mind: Mind, order: MigrationOrder, row: JournalRow) -> None:
        """Compare with the truth at the last look; what changed in the moment after nobody can see."""
        assert mind.seen is not None
        truth = mind.seen
        drs = truth.cluster.drs
        assert not (drs.enabled and drs.automation is Automation.FULLY_AUTOMATED), "S1: beside DRS"
        vm = truth.vm_by_id.get(order.vm)
        assert vm is not None, "S5: the VM is gone"
        assert vm.uuid == row.entry.vm_uuid, "S5: another VM has the id"
        assert vm.is_running, "S5: the VM does not run"
        assert vm.host == row.entry.source, "S5: the VM is elsewhere"
        assert all(f.vm != order.vm for f in truth.in_flight), "S5: the VM is migrating"
        target = truth.host_by_id.get(order.target)
        assert target is not None, "S5: the target is gone"
        takes = {HostState.CONNECTED}
        takes |= {HostState.QUARANTINE} if row.entry.reason.is_mandatory else set()
        assert target.state in takes, f"S5: the target is {target.state}"
        self._judge_memory(order, truth)
        flying = self.world.targets()
        new = broken(truth, {**flying, order.vm: order.target}) - broken(truth, flying)
        kept_apart = {what for what in new - self.waived if what[0] != "memory"}
        assert not kept_apart, f"S7: would be broken by this move: {sorted(kept_apart)}"

    def _judge_memory(self, order: MigrationOrder, truth: Snapshot) -> None:
        """Add up what is on the target, what we have on its way there, and the new one."""
        arriving = {r.entry.vm for r in self.rows() if self._comes(r, order.target)}
        running = [vm for vm in truth.vms if vm.is_running]
        there = [vm for vm in running if vm.host == order.target or vm.id in arriving]
        held = sum(vm.footprint_mib for vm in there)
        room = MEMORY_CEILING * truth.host_by_id[order.target].usable_memory_mib
        assert held <= room + 1, f"S5: {held:.0f} MiB on {order.target}, {room:.0f} allowed"

    def _comes(self, row: JournalRow, host: HostId) -> bool:
        """Whether a row's VM is, for all that the journal knows, on its way to a host."""
        return row.state in OPEN and row.entry.target == host

    # S7: at every instant

    def waive(self) -> None:
        """Take what is broken now, or will be once all has landed, as broken by others."""
        self.waived |= broken(self.world.truth, self.world.targets())

    def landed(self, truth: Snapshot) -> None:
        """Judge what is true after a landing."""
        new = broken(truth) - self.waived
        assert not new, f"S7: broken by us: {sorted(map(str, new))}"

    # the end

    def closed(self, ends: Sequence[JournalRow]) -> None:
        """Judge the books when nothing is under way any more and no row is open."""
        flights = list(self.world.flights.values())
        for row in ends:
            assert row.state not in OPEN, f"row {row.id} stays {row.state}"
            mine = [f for f in flights if f.task == row.task] if row.task else []
            if row.state is MoveState.DONE:
                places = [(vm, host) for _, vm, host in self.world.arrivals]
                came = (row.entry.vm, row.entry.target) in places
                assert came, f"lost: row {row.id} is done, its VM never came there"
            if row.state is MoveState.ABORTED:
                assert not mine, f"lost: row {row.id} is aborted, its task was there"
        claimed = Counter(row.task for row in ends if row.task)
        assert max(claimed.values(), default=1) == 1, "two rows claim one task"
        self._judge_lost(ends, claimed)

    def _judge_lost(self, ends: Sequence[JournalRow], claimed: Counter[str]) -> None:
        """Every migration of ours belongs to a row: by its task, or as the answer to an open question."""
        lone = [f for f in self.world.flights.values() if f.is_ours]
        lone = [f for f in lone if f.task not in claimed]
        free = [r for r in ends if not r.task and r.id in self.sent]
        for flight in lone:
            row = next(
                (r for r in free if (r.entry.vm, r.entry.target) == (flight.vm, flight.target)),
                None,
            )
            assert row is not None, f"lost: no row for {flight}"
            if row.state is MoveState.ABORTED:
                assert not _moves(flight), f"lost: row {row.id} is aborted: {flight}"
            free.remove(row)


def _moves(flight: Flight) -> bool:
    """Whether a migration brings its VM anywhere."""
    script = flight.script
    return not script.lies and (not script.task_fault or script.fails_after_switch)


def broken(
    truth: Snapshot, targets: Mapping[VmId, HostId] = MappingProxyType({})
) -> set[tuple[str, ...]]:
    """Return every rule that keeps VMs apart and is broken, and every host that is too full.

    A VM with a target counts on both hosts: whatever lands first, it is in what is returned.
    """
    running = [vm for vm in truth.vms if vm.is_running]
    places = {vm.id: {vm.host, targets.get(vm.id, vm.host)} for vm in running}
    found: set[tuple[str, ...]] = set()
    for rule in truth.rules:
        if rule.type is not RuleType.ANTI_AFFINITY or not (rule.enabled and rule.mandatory):
            continue
        members = sorted(set(rule.vms) & places.keys())
        for one, other in combinations(members, 2):
            if places[one] & places[other]:
                found.add((rule.name, one, other))
    held: Counter[str] = Counter()
    for vm in running:
        for place in places[vm.id]:
            held[place] += int(vm.footprint_mib)
    for host in truth.hosts:
        if held[host.id] > MEMORY_CEILING * host.usable_memory_mib + 1:
            found.add(("memory", host.id))
    return found
