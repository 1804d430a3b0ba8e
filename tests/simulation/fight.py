"""A day of our cycle in virtual time beside somebody else who balances the same cluster by a measure of his own.

His DRS setting is not visible to us, or the daemon would refuse at once. Load is constant; the migrations of
both take time, and each sees those of the other.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.spec import RuleShares, VmShares
from balancer.adapters.store.memory import MemoryStore
from balancer.collect import Sighting
from balancer.cycle import CycleReport, run_cycle
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds, VmId
from balancer.plan import PlanSettings
from balancer.policy.in_force import mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.site import Site
from tests.support.builders import NOON
from tests.support.fakes import FakeClock, Script, ScriptedVCenter
from tests.support.tools import tools_over

CYCLE_S: Seconds = 300.0
HELD_CYCLE_S: Seconds = 1800.0
"""Cycles that send nothing are further apart here, to save the time of planning in vain."""

DAY_S: Seconds = 86_400.0
MOST_A_ROUND = 8

QUICK = PlanSettings(polish_windows=0, refine_rounds=0)
"""Plans need not be the best ones here: that there is something to move is enough."""

Places = Mapping[VmId, HostId]
Adversary = Callable[[ScriptedVCenter, Places], Sequence[tuple[VmId, HostId]]]
"""Says what it wants to move now, from the truth and from where VMs were when we began."""


def takes_back(vcenter: ScriptedVCenter, start: Places) -> list[tuple[VmId, HostId]]:
    """Move back whatever is not where it was."""
    return [(vm.id, start[vm.id]) for vm in vcenter.truth.vms if vm.host != start[vm.id]]


def takes_one_back(vcenter: ScriptedVCenter, start: Places) -> list[tuple[VmId, HostId]]:
    """Move back one VM a round."""
    return takes_back(vcenter, start)[:1]


def levels_numbers(vcenter: ScriptedVCenter, start: Places) -> list[tuple[VmId, HostId]]:
    """Level the number of running VMs."""
    del start
    return _levelled(vcenter.truth, lambda vm: 1.0, step=1.0)


def levels_memory(vcenter: ScriptedVCenter, start: Places) -> list[tuple[VmId, HostId]]:
    """Level the configured memory."""
    del start
    sizes = {vm.id: vm.memory_mib for vm in vcenter.truth.vms}
    return _levelled(vcenter.truth, lambda vm: sizes[vm], step=min(sizes.values()))


def _levelled(
    truth: Snapshot, weight: Callable[[VmId], float], *, step: float
) -> list[tuple[VmId, HostId]]:
    """Move one VM after another from the fullest host to the emptiest, as long as that levels them."""
    places = {vm.id: vm.host for vm in truth.running_vms}
    moves: list[tuple[VmId, HostId]] = []
    for _ in range(len(places)):
        load = dict.fromkeys(sorted(truth.host_by_id), 0.0)
        for vm, host in places.items():
            load[host] += weight(vm)
        full, empty = max(load, key=lambda h: load[h]), min(load, key=lambda h: load[h])
        gap = load[full] - load[empty]
        fitting = [vm for vm, on in sorted(places.items()) if on == full and weight(vm) < gap]
        if gap <= step or not fitting:
            break
        vm = min(fitting, key=lambda vm: (abs(weight(vm) - gap / 2), vm))
        places[vm] = empty
        moves.append((vm, empty))
    return moves


def settled(snap: Snapshot, adversary: Adversary) -> Snapshot:
    """Return the cluster as the adversary has left it after a long time without us."""
    vcenter = ScriptedVCenter(snap, FakeClock(NOON))
    start = {vm.id: vm.host for vm in snap.vms}
    for _ in range(50):
        moves = adversary(vcenter, start)
        for vm, host in moves:
            vcenter.put_vm(vm, host=host)
        if not moves:
            break
    return vcenter.truth


def cluster(hosts: int, vms: int, seed: int) -> Snapshot:
    """Return an uneven cluster without rules or VMs that cannot move, its DRS hidden."""
    none = RuleShares(
        triples_apart=0.0, pairs_together=0.0, pinned=0.0, broken_pairs=0, should_rules=0
    )
    free = VmShares(blocked=0.0, manual=0.0, reserved=0.0, newer_evc=0.0, partial_reach=0.0)
    spec = InventorySpec(hosts=hosts, vms=vms, rules=none, shares=free, taken_at=NOON)
    return generate(spec, seed)


@dataclass(kw_only=True)
class Fight:
    """Our cycle every 5 minutes, and the adversary's rounds. `delay_s` is when his first one comes."""

    start: Snapshot
    adversary: Adversary | None
    every_s: Seconds = 300.0
    delay_s: Seconds = 60.0
    policy: Policy = field(default_factory=Policy)
    store: MemoryStore = field(default_factory=MemoryStore)
    last: Sighting | None = None
    reports: list[CycleReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.vcenter = ScriptedVCenter(self.start, self.clock, default=Script(seconds=20.0))
        self.places = {vm.id: vm.host for vm in self.start.vms}
        if self.adversary:
            self.vcenter.at(self.delay_s, self.let_act)
        self.tools = tools_over(self.vcenter, self.store)

    def run(self, lasts_s: Seconds = DAY_S) -> None:
        """Let cycles follow each other."""
        while self.clock.monotonic() < lasts_s:
            begun_s = self.clock.monotonic()
            held = self.cycle().held
            every_s = CYCLE_S if held is None else HELD_CYCLE_S
            rest_s = every_s - (self.clock.monotonic() - begun_s)
            while rest_s > 0:
                self.clock.sleep(min(rest_s, 20.0))
                rest_s -= 20.0
                self.vcenter.clusters()  # lets happen what is due

    def cycle(self) -> CycleReport:
        """Run one cycle as the daemon does."""
        site = Site(
            cluster=self.vcenter.clusters()[0],
            policy=self.policy,
            in_force=lambda _: mode_in_force(self.policy, Mode.AUTOMATIC, self.clock.now()),
            settings=QUICK,
            tools=self.tools,
            last=self.last,
        )
        report = run_cycle(site, cycle_id=f"c-{len(self.reports)}")
        self.last = report.seen.sighting
        self.reports.append(report)
        return report

    @property
    def per_vm(self) -> Counter[VmId]:
        """Return how often we moved each VM."""
        return self.vcenter.submits

    @property
    def in_all(self) -> int:
        """Return how many moves we made."""
        return sum(self.vcenter.submits.values())

    def let_act(self) -> None:
        """Let the adversary move what it wants, and come back."""
        if self.adversary is None:
            return
        busy = {flight.vm for flight in self.vcenter.flights.values() if not flight.is_over}
        for vm, host in self.adversary(self.vcenter, self.places)[:MOST_A_ROUND]:
            if vm not in busy:
                self.vcenter.fly_foreign(vm, host, seconds=20.0)
        self.vcenter.at(self.clock.monotonic() + self.every_s, self.let_act)
