"""The executor's state machine: processes, an in-memory vCenter, a journal, and whatever may go wrong with them.

Every rule does one thing and lets time pass to the next moment at which a process goes on. The oracle looks on
at every intent, request and landing; at the end all faults are mended and the books must agree with the truth.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from balancer.adapters.store.memory import MemoryStore
from balancer.execute import Tools, execute
from balancer.execute.budgets import admit
from balancer.execute.gates import why_closed
from balancer.execute.review import review
from balancer.execute.settle import settle
from balancer.model.control import Pause
from balancer.model.errors import SourceError, StoreError
from balancer.model.host import HostState
from balancer.model.lease import Allowance, Lease, Permit
from balancer.model.outcome import JournalEntry, JournalStep, MoveState
from balancer.model.past import Breaker
from balancer.model.plan import Move, MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from balancer.model.vm import PowerState
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits, Policy
from tests.proof.actors import Actor, WorldTime
from tests.proof.oracle import Oracle
from tests.proof.ports import InventoryPort, MigratorPort, StorePort
from tests.proof.scenes import BAD_LUCK, LIMITS, VMS, some_cluster, some_moves
from tests.proof.world import World
from tests.support.fakes import RecordingEvents, Script
from tests.unit.execute.stage import demand_of, host_id, plan, vm_id

INTERVAL_S = 20.0
HEALED_AFTER = 80
SEEN: Counter[str] = Counter()
"""How often each rule was applied and each fault struck, over all runs of this process."""

hosts = st.integers(1, 4).map(host_id)
vms = st.integers(1, VMS).map(vm_id)
seeds = st.integers(0, 2**32)


class ExecutorMachine(RuleBasedStateMachine):
    """Processes that execute plans made at random, in a world that is made to fail."""

    @initialize(seed=seeds)
    def open(self, seed: int) -> None:
        """Make a cluster, and one process."""
        random = Random(seed)
        self.time, self.store = WorldTime(), MemoryStore()
        self.world = World(some_cluster(random), self.time)  # type: ignore[arg-type]
        self.policy = Policy(limits=LIMITS)
        self.oracle = Oracle(
            world=self.world,
            time=self.time,
            limits=LIMITS,
            rows=self.rows,
            is_strict=len(self.world.start.rules) == 2,
        )
        self.world.after_each = self.oracle.landed
        self.world.by_others = self.oracle.waive
        self.oracle.waive()
        self.actors: list[Actor] = []
        self.started, self.trouble = 0, ""
        self.others: list[int] = []
        self.start(seed)

    def rows(self) -> tuple[Any, ...]:
        """Return every row of the journal."""
        return tuple(self.store._rows)

    # time

    def tick(self, name: str) -> None:
        """Let the next process that has something to do do it."""
        SEEN[name] += 1
        SEEN["steps"] += 1
        self.actors = [actor for actor in self.actors if not actor.is_over]
        awake = min(self.actors, key=lambda actor: actor.wakes_s, default=None)
        until_s = awake.wakes_s if awake else self.time.elapsed_s + 5.0
        self.time.elapsed_s = max(self.time.elapsed_s, until_s)
        self.world.advance()
        if awake:
            awake.go_on()

    @rule()
    def time_passes(self) -> None:
        self.tick("time passes")

    @rule(times=st.integers(2, 12))
    def much_time_passes(self, times: int) -> None:
        for _ in range(times):
            self.tick("time passes")

    # processes

    @precondition(lambda self: len(self.actors) < 2)
    @rule(seed=seeds)
    def start(self, seed: int) -> None:
        """Start a process; it may find another one at work."""
        self.started += 1
        name = f"process-{self.started}"
        actor = Actor(name, self.time, lambda me: self.live(me, Random(seed)))
        SEEN["second process" if self.actors else "process"] += 1
        self.actors.append(actor)

    @precondition(lambda self: self.actors)
    @rule(number=st.integers(0, 1))
    def kill(self, number: int) -> None:
        actor = self.actors[number % len(self.actors)]
        actor.kill()
        self.tick("kill")

    @precondition(lambda self: self.actors)
    @rule(number=st.integers(0, 1), seconds=st.sampled_from([1.0, 3.0, 15.0, 40.0, 120.0]))
    def freeze(self, number: int, seconds: float) -> None:
        actor = self.actors[number % len(self.actors)]
        actor.wakes_s = self.time.elapsed_s + seconds
        self.tick("freeze")

    @precondition(lambda self: self.actors)
    @rule(number=st.integers(0, 1))
    def ask_to_stop(self, number: int) -> None:
        self.actors[number % len(self.actors)].is_asked_to_stop = True
        self.tick("stop request")

    # what vCenter does

    @rule(vm=vms, luck=st.sampled_from(sorted(BAD_LUCK)), seconds=st.floats(0.5, 300))
    def script(self, vm: VmId, luck: str, seconds: float) -> None:
        """Let the next migration of a VM go wrong in one way."""
        script: Script = replace(BAD_LUCK[luck], seconds=seconds)
        self.world.scripts[vm] = script
        self.world.late_s[vm] = seconds % 29 if luck == "late request" else 0.0
        self.tick(f"next: {luck}")

    @rule(seconds=st.floats(1, 200))
    def outage(self, seconds: float) -> None:
        now_s = self.time.elapsed_s
        self.world.outages.append((now_s, now_s + seconds))
        self.tick("outage")

    @rule(host=hosts, state=st.sampled_from(list(HostState)))
    def host_changes(self, host: HostId, state: HostState) -> None:
        self.world.put_host(host, state)
        self.by_others(f"host {state}")

    @rule(host=hosts)
    def host_is_back(self, host: HostId) -> None:
        self.world.put_host(host, HostState.CONNECTED)
        self.by_others("host back")

    @rule(vm=vms, power=st.sampled_from(list(PowerState)))
    def vm_power(self, vm: VmId, power: PowerState) -> None:
        self.world.put_vm(vm, power=power)
        self.by_others(f"vm {power}")

    @rule(vm=vms)
    def vm_is_deleted(self, vm: VmId) -> None:
        self.world.drop_vm(vm)
        self.by_others("vm deleted")

    @rule(vm=vms)
    def vm_is_replaced(self, vm: VmId) -> None:
        self.world.put_vm(vm, uuid=f"another-{self.time.elapsed_s}")
        self.by_others("vm replaced")

    @rule(vm=vms, host=hosts)
    def vm_is_moved(self, vm: VmId, host: HostId) -> None:
        if not self.world.is_flying(vm):
            self.world.put_vm(vm, host=host)
        self.by_others("vm moved by others")

    @rule(vm=vms, host=hosts, seconds=st.floats(5, 120))
    def vm_is_migrated(self, vm: VmId, host: HostId, seconds: float) -> None:
        facts = self.world.truth.vm_by_id.get(vm)
        if facts and facts.host != host and not self.world.is_flying(vm):
            self.world.fly_foreign(vm, host, seconds)
        self.by_others("vm migrated by others")

    @rule(acts=st.booleans())
    def drs(self, acts: bool) -> None:
        cluster = self.world.truth.cluster
        automation = "fullyAutomated" if acts else "manual"
        changed = replace(cluster.drs, enabled=acts, automation=automation)
        self.world.be(cluster=replace(cluster, drs=changed))
        self.by_others("drs fully automated" if acts else "drs off")

    @rule(vm=vms)
    def check_refuses(self, vm: VmId) -> None:
        no = Refusal.of(Reason.SERVER_CHECK, "the server says no", vm=vm)
        self.world.check_refusals[vm] = (no,)
        self.tick("check refuses")

    def by_others(self, name: str) -> None:
        """Take it that others have changed something."""
        self.oracle.waive()
        self.tick(name)

    # what people and the system do

    @rule()
    def pause(self) -> None:
        at = self.time.now()
        self.store.pause(Pause(shard="vc1/prod", by="somebody", at=at))
        self.oracle.is_paused = True
        self.tick("pause")

    @precondition(lambda self: self.oracle.is_paused)
    @rule()
    def resume(self) -> None:
        self.store.resume("vc1/prod", by="somebody", at=self.time.now())
        self.oracle.is_paused = False
        self.tick("resume")

    @rule(observes=st.booleans())
    def mode(self, observes: bool) -> None:
        self.oracle.observes = observes
        self.tick("mode observe" if observes else "mode automatic")

    @rule(trouble=st.sampled_from(["", "", "down", "late error"]))
    def journal(self, trouble: str) -> None:
        self.trouble = trouble
        self.tick(f"journal {trouble or 'well'}")

    @rule(hour=st.sampled_from([-3600.0, 0.0, 3600.0]))
    def clock_jumps(self, hour: float) -> None:
        self.time.jump_s = hour
        self.tick("clock jumps")

    @rule(seconds=st.floats(60, 3600))
    def breaker_opens(self, seconds: float) -> None:
        at = self.wall()
        broken = Breaker(level=1, since=at, until=at + timedelta(seconds=seconds), is_open=True)
        self.store.put_breaker("vc1", self.world.truth.cluster.id, broken)
        self.tick("breaker opens")

    @rule()
    def breaker_closes(self) -> None:
        self.store.put_breaker("vc1", self.world.truth.cluster.id, Breaker())
        self.tick("breaker closes")

    @precondition(lambda self: len(self.others) < 5)
    @rule(number=st.integers(1, 50))
    def other_cluster_moves(self, number: int) -> None:
        """Let another cluster of the vCenter take a slot."""
        try:
            self.others.append(self.store.begin(self.of_other_cluster(number), self.permit()))
        except StoreError:
            SEEN["other cluster found no slot"] += 1
        self.tick("other cluster moves")

    @precondition(lambda self: self.others)
    @rule()
    def other_cluster_is_done(self) -> None:
        step = JournalStep(state=MoveState.DONE, at=self.wall())
        self.store.advance(self.others.pop(), step)
        self.tick("other cluster done")

    def wall(self) -> Any:
        """Return our wall clock."""
        return self.time.now() + timedelta(seconds=self.time.jump_s)

    def permit(self) -> Permit:
        """Return what the other cluster's intents are written under."""
        at = self.wall()
        lease = self.store.take_lease("vc1/test", "other", at=at, lasts_s=30.0)
        assert isinstance(lease, Lease)
        most = LIMITS.migrations_per_vcenter
        allowance = Allowance(
            open_in_vcenter=most, open_in_cluster=8, open_on_source=8, open_on_target=8
        )
        return Permit(lease=lease, allowance=allowance)

    def of_other_cluster(self, number: int) -> JournalEntry:
        """Return a move of another cluster."""
        return JournalEntry(
            vcenter="vc1",
            cluster=ClusterId("domain-c2"),
            plan_id="other",
            cycle_id="other",
            move_id=MoveId(f"other-{number}"),
            vm=VmId(f"vm-{900 + number}"),
            vm_name=f"other{number}",
            vm_uuid="",
            source=HostId("host-90"),
            target=HostId("host-91"),
            reason=MoveReason.BALANCE,
            expected_seconds=30.0,
            intended_at=self.wall(),
        )

    # one process

    def live(self, actor: Actor, random: Random) -> None:
        """Run cycles until a stop is asked for."""
        tools = self.tools_of(actor)
        while not actor.is_asked_to_stop:
            try:
                self.cycle(actor, tools, random)
            except SourceError:
                SEEN["cycle without vcenter"] += 1
            except StoreError:
                SEEN["cycle without journal"] += 1
            actor.pause(INTERVAL_S)

    def cycle(self, actor: Actor, tools: Tools, random: Random) -> None:
        """Do what `run_cycle` does, with moves made at random in place of a planner's."""
        (ref,) = tools.inventory.clusters()
        snapshot = tools.inventory.snapshot(ref)
        settle(snapshot, self.policy, tools)
        past = review(snapshot, self.policy, tools)
        now, mind = tools.clock.now(), self.oracle.mind(actor)
        mind.is_held = self.breaker_is_open(now)
        if why_closed(past, now=now):
            SEEN["cycle held"] += 1
            return
        cycle_id = f"{actor.name}-{int(self.time.elapsed_s * 1000)}"
        moves = some_moves(random, snapshot, cycle_id)
        free = InForce(mode=Mode.AUTOMATIC)
        marked, _ = admit(moves, snapshot, LIMITS, past.rows, now=now, in_force=free)
        made = plan(*marked, created_at=snapshot.taken_at, snapshot_taken_at=snapshot.taken_at)
        mind.plan, mind.cycle = made, cycle_id
        for outcome in execute(made, snapshot, self.policy, tools, cycle_id=cycle_id):
            SEEN[f"move {outcome.state or outcome.refusal.reason}"] += 1  # type: ignore[union-attr]

    def breaker_is_open(self, now: Any) -> bool:
        """Whether the breaker that stands in the store is open."""
        past = self.store.past("vc1", self.world.truth.cluster.id, self.time.now())
        until = past.breaker.until
        return past.breaker.is_open and until is not None and now < until

    def tools_of(self, actor: Actor) -> Tools:
        """Return the tools of one process."""
        stopping = Refusal.of(Reason.STOPPING, "asked to stop")
        observing = Refusal.of(Reason.OBSERVE_MODE, "mode observe")

        def may_move(move: Move, is_mandatory: bool) -> Refusal | None:
            del move, is_mandatory
            return observing if self.oracle.observes else None

        trouble: Callable[[], str] = lambda: self.trouble  # noqa: E731
        return Tools(
            vcenter="vc1",
            cluster_name="prod",
            holder=actor.name,
            inventory=InventoryPort(actor, self.world, self.oracle),
            migrator=MigratorPort(actor, self.world, self.oracle),
            store=StorePort(actor, self.store, self.oracle, trouble),  # type: ignore[arg-type]
            clock=actor,
            events=RecordingEvents(),
            may_submit=lambda: stopping if actor.is_asked_to_stop else None,
            demand_of=demand_of,
            may_move=may_move,
            poll_s=2.0,
        )

    # the end

    def teardown(self) -> None:
        """Mend everything, settle what is open, and compare the books with the truth."""
        if not hasattr(self, "actors"):
            return
        for actor in self.actors:
            actor.kill()
        self.trouble = ""
        self.world.heal()
        while self.others:
            self.store.advance(
                self.others.pop(), JournalStep(state=MoveState.DONE, at=self.wall())
            )
        self.settle_all()
        rows = [row for row in self.rows() if row.entry.cluster == "domain-c1"]
        self.oracle.closed(rows)
        for row in rows:
            SEEN[f"row {row.state}"] += 1

    def settle_all(self) -> None:
        """Run nothing but settling, until no row is open."""
        teller = Actor("the end", self.time, lambda _: None)
        tools = self.tools_of(teller)
        for _ in range(HEALED_AFTER):
            self.time.elapsed_s += 100.0
            self.world.advance()
            (ref,) = self.world.clusters()
            settle(self.world.snapshot(ref), self.policy, tools)
            if not self.store.open_rows("vc1"):
                break
        teller.kill()
