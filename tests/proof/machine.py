"""The executor's state machine: processes, an in-memory vCenter, a journal, and whatever may go wrong with them.

Every rule does one thing and lets time pass to the next moment at which a process goes on. The oracle looks on
at every intent, request and landing; at the end all faults are mended and the books must agree with the truth.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep, MoveState
from balancer.model.past import Breaker, Past
from balancer.model.plan import Move, MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from balancer.model.vm import Automation, PowerState
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from tests.proof.actors import Actor, WorldTime
from tests.proof.oracle import Oracle
from tests.proof.ports import InventoryPort, MigratorPort, StorePort
from tests.proof.scenes import BAD_LUCK, LIMITS, VMS, some_cluster, some_moves
from tests.proof.world import World
from tests.support.builders import NOON
from tests.support.fakes import RecordingEvents
from tests.unit.execute.stage import demand_of, host_id, plan, vm_id

INTERVAL_S = 20.0
HEALED_AFTER = 80
BAD_LUCK_RATIO = 0.4
OTHER_CLUSTER = ClusterId("domain-c2")
SEEN: Counter[str] = Counter()
"""How often each rule was applied and each fault struck, over all runs of this process."""

FOUND: list[tuple[int, str]] = []
"""After how many steps something was found, and what."""

BAD_STATES = [state for state in HostState if state is not HostState.CONNECTED]
BAD_POWER = [power for power in PowerState if power is not PowerState.ON]
Places = dict[VmId, HostId]
hosts = st.integers(1, 4).map(host_id)
vms = st.integers(1, VMS).map(vm_id)
seeds = st.integers(0, 2**32)


@contextmanager
def noted() -> Iterator[None]:
    """Write down what was found, and when."""
    try:
        yield
    except Exception as err:
        FOUND.append((SEEN["steps"], f"{type(err).__name__}: {err}"))
        raise


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
        self.random = random
        self.others: list[int] = []
        self.start(seed)

    def rows(self) -> list[JournalRow]:
        """Return every row of the journal, oldest first."""
        long_ago = NOON - timedelta(days=3650)
        here = self.store.rows_since("vc1", self.world.start.cluster.id, long_ago)
        there = self.store.rows_since("vc1", OTHER_CLUSTER, long_ago)
        return sorted((*here, *there), key=lambda row: row.id)

    # time

    def tick(self, name: str) -> None:
        """Let the next process that has something to do do it."""
        SEEN[name] += 1
        SEEN["steps"] += 1
        self.actors = [actor for actor in self.actors if not actor.is_over]
        if not self.actors:
            self.start(self.random.getrandbits(32))
        awake = min(self.actors, key=lambda actor: actor.wakes_s)
        with noted():
            self.world.advance_to(awake.wakes_s)
            awake.go_on()

    @rule()
    def time_passes(self) -> None:
        self.tick("time passes")

    @rule(times=st.integers(4, 20))
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
    @rule(number=st.integers(0, 5))
    def kill(self, number: int) -> None:
        """Kill a process now and then; all the time would let nothing be moved."""
        if number < len(self.actors):
            self.actors[number].kill()
            SEEN["killed"] += 1
        self.tick("kill")

    @precondition(lambda self: self.actors)
    @rule(number=st.integers(0, 1), seconds=st.sampled_from([1.0, 3.0, 15.0, 40.0, 120.0]))
    def freeze(self, number: int, seconds: float) -> None:
        actor = self.actors[number % len(self.actors)]
        actor.wakes_s = self.time.elapsed_s + seconds
        self.tick("freeze")

    @precondition(lambda self: self.actors)
    @rule(number=st.integers(0, 5))
    def ask_to_stop(self, number: int) -> None:
        if number < len(self.actors):
            self.actors[number].is_asked_to_stop = True
            SEEN["asked to stop"] += 1
        self.tick("stop request")

    # what vCenter does

    @rule(vm=vms, luck=st.sampled_from(sorted(BAD_LUCK)), seconds=st.floats(0.5, 300))
    def script(self, vm: VmId, luck: str, seconds: float) -> None:
        """Let the next migration of a VM go wrong in one way."""
        self.spoil(vm, luck, seconds)
        self.tick("script")

    def spoil(self, vm: VmId, luck: str, seconds: float) -> None:
        """Say how the next migration of a VM goes."""
        SEEN[f"next: {luck}"] += 1
        self.world.scripts[vm] = replace(BAD_LUCK[luck], seconds=seconds)
        self.world.late_s[vm] = seconds % 29 if luck == "late request" else 0.0

    @rule(seconds=st.floats(1, 60))
    def outage(self, seconds: float) -> None:
        now_s = self.time.elapsed_s
        self.world.outages.append((now_s, now_s + seconds))
        self.tick("outage")

    @rule(host=hosts, state=st.sampled_from(BAD_STATES), seconds=st.floats(5, 60))
    def host_changes(self, host: HostId, state: HostState, seconds: float) -> None:
        self.world.put_host(host, state)
        self.later(seconds, lambda: self.world.put_host(host, HostState.CONNECTED))
        self.by_others(f"host {state}")

    @rule(vm=vms, power=st.sampled_from(BAD_POWER), seconds=st.floats(5, 150))
    def vm_power(self, vm: VmId, power: PowerState, seconds: float) -> None:
        self.world.put_vm(vm, power=power)
        self.later(seconds, lambda: self.world.put_vm(vm, power=PowerState.ON))
        self.by_others(f"vm {power}")

    @precondition(lambda self: len(self.world.truth.vms) > VMS - 3)
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

    @rule(seconds=st.floats(2, 30))
    def drs_acts(self, seconds: float) -> None:
        self.put_drs(Automation.FULLY_AUTOMATED)
        self.later(seconds, lambda: self.put_drs(Automation.MANUAL))
        self.by_others("drs fully automated")

    def put_drs(self, automation: Automation) -> None:
        """Set the cluster's own DRS."""
        cluster = self.world.truth.cluster
        drs = replace(cluster.drs, enabled=True, automation=automation)
        self.world.be(cluster=replace(cluster, drs=drs))

    @rule(vm=vms)
    def check_refuses(self, vm: VmId) -> None:
        no = Refusal.of(Reason.SERVER_CHECK, "the server says no", vm=vm)
        self.world.check_refusals[vm] = (no,)
        self.tick("check refuses")

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Let others change something after a time."""

        def change() -> None:
            act()
            self.oracle.waive()

        self.world.at(self.time.elapsed_s + seconds, change)

    def by_others(self, name: str) -> None:
        """Take it that others have changed something."""
        self.oracle.waive()
        self.tick(name)

    # what people and the system do

    @precondition(lambda self: not self.oracle.is_paused)
    @rule()
    def pause(self) -> None:
        at = self.time.now()
        self.store.pause(Pause(shard="vc1/prod", by="somebody", at=at))
        self.oracle.is_paused = True
        self.later(25.0, self.resume)
        self.tick("pause")

    def resume(self) -> None:
        """End the pause."""
        self.store.resume("vc1/prod", by="somebody", at=self.time.now())
        self.oracle.is_paused = False

    @rule()
    def mode(self) -> None:
        """Make the mode more careful for a time."""
        self.oracle.observes = True
        self.later(12.0, self.act_again)
        self.tick("mode observe")

    def act_again(self) -> None:
        """Let the mode be automatic again."""
        self.oracle.observes = False

    @rule(trouble=st.sampled_from(["down", "late error"]), seconds=st.floats(1, 30))
    def journal(self, trouble: str, seconds: float) -> None:
        self.trouble = trouble
        self.later(seconds, self.write_again)
        self.tick(f"journal {trouble}")

    def write_again(self) -> None:
        """Let the journal be well again."""
        self.trouble = ""

    @rule(hour=st.sampled_from([-3600.0, 0.0, 3600.0]))
    def clock_jumps(self, hour: float) -> None:
        self.time.jump_s = hour
        self.tick("clock jumps")

    @rule(seconds=st.floats(5, 40))
    def breaker_opens(self, seconds: float) -> None:
        at = self.wall()
        broken = Breaker(level=1, since=at, until=at + timedelta(seconds=seconds), is_open=True)
        self.store.put_breaker("vc1", self.world.truth.cluster.id, broken, at=at)
        self.tick("breaker opens")

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
            cluster=OTHER_CLUSTER,
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
        tools, places = self.tools_of(actor), {}
        while not actor.is_asked_to_stop:
            try:
                places = self.cycle(actor, tools, random, places)
            except SourceError:
                SEEN["cycle without vcenter"] += 1
            except StoreError:
                SEEN["cycle without journal"] += 1
            actor.pause(INTERVAL_S)

    def cycle(self, actor: Actor, tools: Tools, random: Random, before: Places) -> Places:
        """Do what `run_cycle` does, with moves made at random in place of a planner's; return where VMs are."""
        (ref,) = tools.inventory.clusters()
        asked_at = tools.clock.now()
        snapshot = tools.inventory.snapshot(ref)
        settle(snapshot, self.policy, tools)
        past = review(snapshot, self.policy, tools, asked_at=asked_at, before=before)
        now, mind = tools.clock.now(), self.oracle.mind(actor)
        mind.is_held = self.breaker_is_open(now)
        closed = why_closed(past, LIMITS, now=now)
        if closed:
            SEEN[f"cycle held: {closed.reason}"] += 1
        else:
            self.carry_out(actor, tools, random, snapshot, past)
        return {vm.id: vm.host for vm in snapshot.vms}

    def carry_out(
        self, actor: Actor, tools: Tools, random: Random, snapshot: Snapshot, past: Past
    ) -> None:
        """Make moves, admit them, and carry them out."""
        now, mind = tools.clock.now(), self.oracle.mind(actor)
        cycle_id = f"{actor.name}-{int(self.time.elapsed_s * 1000)}"
        moves = some_moves(random, snapshot, cycle_id)
        for one in moves:
            if random.random() < BAD_LUCK_RATIO and one.vm not in self.world.scripts:
                self.spoil(one.vm, random.choice(sorted(BAD_LUCK)), random.uniform(0.5, 250))
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
            self.store.advance(self.others.pop(), JournalStep(state=MoveState.DONE, at=self.wall()))
        with noted():
            self.settle_all()
            self.judge_the_end()

    def judge_the_end(self) -> None:
        """Compare the books with the truth, when all has ended."""
        rows = [row for row in self.rows() if row.entry.cluster != OTHER_CLUSTER]
        self.oracle.closed(rows)
        for row in rows:
            SEEN[f"row {row.state}"] += 1

    def settle_all(self) -> None:
        """Run nothing but settling, until no row is open."""
        teller = Actor("the end", self.time, lambda _: None)
        tools = self.tools_of(teller)
        for _ in range(HEALED_AFTER):
            self.world.advance_to(self.time.elapsed_s + 100.0)
            (ref,) = self.world.clusters()
            settle(self.world.snapshot(ref), self.policy, tools)
            if not self.store.open_rows("vc1"):
                break
        teller.kill()
