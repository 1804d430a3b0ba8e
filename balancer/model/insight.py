"""Why a VM moves or stays, and what a host gives and takes: the planner's answers as values.

Made by `plan.insight` and `plan.host_insight` from the same functions as the plan; rendered by `expose`.
"""

from dataclasses import dataclass

from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId, Mhz, Mib, Ratio, Seconds, VmId


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFigures:
    """One host in one placement. Ratios are of usable capacity; `cost` is its part of `State.cost`.

    `memory_ratio` is demand, what contention and balance are measured by; `footprint_ratio` is memory
    held, what the ceiling is judged by.
    """

    cpu_ratio: Ratio
    memory_ratio: Ratio
    footprint_ratio: Ratio
    vms: int
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One thing that a VM must pass to go to a host: holds, a law, the threshold, the price.

    `now` answers for the cluster as it stands, `after` for the cluster once all other moves of the plan
    are done. None is a yes, unless the gate does not apply to a VM that does not run.
    """

    name: str
    now: Refusal | None
    after: Refusal | None
    applies: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswer:
    """What vCenter's own check of a migration said; no refusal and no `unanswered` is a yes.

    `warnings` forbid nothing; their reasons are as those of refusals. `unanswered` says why there is no
    answer. Source: vSphere API, `CheckResult.error` ("would fail") and `CheckResult.warning` ("may fail or
    yield an undesirable state").
    """

    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[Refusal, ...] = ()
    unanswered: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInsight:
    """One other host for a VM, all other moves of the plan done.

    `gain` is by how much contention and imbalance fall, `price` what moving costs (broken should-rules
    included), both in units of `State.cost`. `gates` are in the order in which they are asked.
    `cautions` forbid nothing. `server` is what vCenter's own check said, None where it was not asked.
    """

    host: HostId
    gates: tuple[Gate, ...]
    gain: float
    price: float
    seconds: Seconds
    before: HostFigures
    after: HostFigures
    is_chosen: bool = False
    cautions: tuple[Refusal, ...] = ()
    server: ServerAnswer | None = None

    @property
    def net(self) -> float:
        """Return what the move is worth."""
        return self.gain - self.price

    @property
    def refusal(self) -> Refusal | None:
        """Return the first thing that speaks against it, once the other moves are done."""
        return next((gate.after for gate in self.gates if gate.after), None)

    @property
    def refusal_now(self) -> Refusal | None:
        """Return the first thing that speaks against it as the cluster stands."""
        return next((gate.now for gate in self.gates if gate.now), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingTarget:
    """One other host for a VM that does not run. `gates` say which apply; there are no figures of load."""

    host: HostId
    gates: tuple[Gate, ...]
    server: ServerAnswer | None = None

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Return what would speak against it besides that the VM does not run."""
        found = (gate.now for gate in self.gates if gate.now)
        return tuple(no for no in found if no.reason is not Reason.NOT_RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmInsight:
    """One VM. Either `moves` tells where the plan takes it, or `stays` why it does not.

    `movers` are the VMs that go together with it, itself included. `source` is its host with it and
    without it, all other moves of the plan done. `targets` are the other hosts, the best first, those
    that are ruled out last. `relax` is the cheapest change where something stays unmet. A VM that does not
    run has `resting` instead of `targets`.
    """

    vm: VmId
    host: HostId
    movers: tuple[VmId, ...]
    cpu_mhz: Mhz
    memory_mib: Mib
    footprint_mib: Mib
    moves: tuple[Move, ...] = ()
    stays: Refusal | None = None
    relax: str = ""
    source: tuple[HostFigures, HostFigures] | None = None
    targets: tuple[TargetInsight, ...] = ()
    resting: tuple[RestingTarget, ...] = ()

    @property
    def chosen(self) -> TargetInsight | None:
        """Return the target to which the plan takes the VM."""
        return next((target for target in self.targets if target.is_chosen), None)

    @property
    def runner_up(self) -> TargetInsight | None:
        """Return the best target that nothing rules out but its price, other than the chosen one."""
        open_ones = [t for t in self.targets if not t.is_chosen and is_lawful(t)]
        return open_ones[0] if open_ones else None


PRICE = "price"
"""The gate of what a move is worth; all before it are laws, holds and thresholds."""


def is_lawful(target: TargetInsight) -> bool:
    """Whether nothing but the price may speak against a target, once the other moves are done."""
    return all(gate.after is None for gate in target.gates if gate.name != PRICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInsight:
    """One host before and after the plan, what leaves and comes, and what cannot.

    `ceilings` are the highest CPU demand and held memory to which a move may fill it, `thresholds` those
    above which it is relieved, CPU and memory each. `cannot_leave` has one refusal for each VM that stays
    and that no host may take; `may_leave` counts the others that stay. `cannot_come` and `may_come` are
    the same for the VMs elsewhere that the plan leaves alone.
    """

    host: HostId
    before: HostFigures
    after: HostFigures
    ceilings: tuple[Ratio, Ratio]
    thresholds: tuple[Ratio, Ratio]
    most_vms: int | None
    leaving: tuple[Move, ...]
    arriving: tuple[Move, ...]
    may_leave: int
    cannot_leave: tuple[Refusal, ...]
    may_come: int
    cannot_come: tuple[Refusal, ...]
