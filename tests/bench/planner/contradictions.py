"""The conflict table: must-rules that contradict each other in an otherwise sound cluster with many rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from balancer.assess.need import assess
from balancer.model.host import HostState
from balancer.model.need import Holds
from balancer.model.plan import Draft
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.plan import PlanSettings, make_draft
from balancer.policy.types import Goals, Policy
from tests.bench.planner.meter import Metered, metered
from tests.bench.planner.rulebook import members_under_rules
from tests.bench.planner.scenarios import Size, make
from tests.bench.planner.tables import number, table

POLICY = replace(Policy(), goals=Goals(contention=False, balance=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """One case: the rules that the conflicts name, against those that were written.

    `naming_s` is what writing the draft, conflicts included, takes more than without the contradiction.
    """

    case: str
    size: str
    written: frozenset[str]
    conflicts: int
    named: frozenset[str]
    relax: str
    took: Metered
    sound: Metered  # the same cluster without the contradiction
    naming_s: float | None


def run_contradiction(name: str, size: Size, seed: int) -> Contradiction:
    """Plan a cluster with and without one contradiction."""
    sound = make("rules", size, seed)
    broken, written = contradict(name, sound)
    draft, took = _planned(broken)
    plain, without = _planned(sound)
    return Contradiction(
        case=name,
        size=str(size),
        written=written,
        conflicts=len(draft.conflicts),
        named=frozenset(rule for conflict in draft.conflicts for rule in conflict.rules),
        relax=draft.conflicts[0].relax if draft.conflicts else "",
        took=took,
        sound=without,
        naming_s=_naming_s(draft, plain),
    )


def contradict(name: str, snapshot: Snapshot) -> tuple[Snapshot, frozenset[str]]:
    """Return the snapshot with one contradiction written into it, and the names of its rules."""
    return KINDS[name](snapshot)


def contradiction_table(found: Sequence[Contradiction]) -> str:
    """Return the table."""
    head = (
        "contradiction",
        "size",
        "conflicts named",
        "rules of it named",
        "other rules named",
        "plan s",
        "cpu s",
        "without it cpu s",
        "naming it s",
    )
    return table(
        head,
        (
            (
                row.case,
                row.size,
                str(row.conflicts),
                f"{len(row.named & row.written)} of {len(row.written)}",
                str(len(row.named - row.written)),
                number(row.took.wall_s, 2),
                number(row.took.cpu_s, 2),
                number(row.sound.cpu_s, 2),
                number(row.naming_s, 3),
            )
            for row in found
        ),
    )


def _planned(snapshot: Snapshot) -> tuple[Draft, Metered]:
    need = assess(snapshot, POLICY, Holds())
    return metered(lambda: make_draft(need, POLICY, PlanSettings()))


def _naming_s(draft: Draft, plain: Draft) -> float | None:
    stages = [d.stage_seconds.get("draft") for d in (draft, plain)]
    return None if None in stages else max(stages[0] - stages[1], 0.0)  # type: ignore[operator]


def _crowded(snapshot: Snapshot) -> tuple[Snapshot, frozenset[str]]:
    """Five VMs that must be apart and must run on four hosts."""
    vms = _free(snapshot, 5)
    hosts = _hosts(snapshot, 4)
    return _with(snapshot, _apart(vms), _on("on-four", vms, hosts))


def _halved(snapshot: Snapshot) -> tuple[Snapshot, frozenset[str]]:
    """Three VMs that must be apart and must run on four hosts, two of which enter maintenance."""
    vms, hosts = _free(snapshot, 3), _hosts(snapshot, 4)
    leaving = set(hosts[:2])
    changed = tuple(
        replace(host, state=HostState.ENTERING_MAINTENANCE) if host.id in leaving else host
        for host in snapshot.hosts
    )
    return _with(replace(snapshot, hosts=changed), _apart(vms), _on("on-four", vms, hosts))


def _torn(snapshot: Snapshot) -> tuple[Snapshot, frozenset[str]]:
    """Two VMs that must be apart and together."""
    vms = _free(snapshot, 2)
    together = Rule(name="conflict-together", type=RuleType.AFFINITY, vms=vms)
    return _with(snapshot, _apart(vms), together)


def _elsewhere(snapshot: Snapshot) -> tuple[Snapshot, frozenset[str]]:
    """Two VMs that must be together, each on hosts where the other must not be."""
    vms, hosts = _free(snapshot, 2), _hosts(snapshot, 6)
    together = Rule(name="conflict-together", type=RuleType.AFFINITY, vms=vms)
    here, there = _on("here", vms[:1], hosts[:3]), _on("there", vms[1:], hosts[3:])
    return _with(snapshot, together, here, there)


KINDS: Mapping[str, Callable[[Snapshot], tuple[Snapshot, frozenset[str]]]] = MappingProxyType(
    {
        "5 apart on 4 hosts": _crowded,
        "3 apart on 4 hosts, 2 in maintenance": _halved,
        "together and apart": _torn,
        "together on hosts with none in common": _elsewhere,
    }
)


def _apart(vms: tuple[VmId, ...]) -> Rule:
    return Rule(name="conflict-apart", type=RuleType.ANTI_AFFINITY, vms=vms)


def _on(name: str, vms: tuple[VmId, ...], hosts: tuple[HostId, ...]) -> Rule:
    kind = RuleType.VM_HOST_AFFINE
    return Rule(name=f"conflict-{name}", type=kind, vms=vms, hosts=frozenset(hosts))


def _with(snapshot: Snapshot, *rules: Rule) -> tuple[Snapshot, frozenset[str]]:
    names = frozenset(rule.name for rule in rules)
    return replace(snapshot, rules=(*snapshot.rules, *rules)), names


def _free(snapshot: Snapshot, count: int) -> tuple[VmId, ...]:
    """Return VMs under no rule that can move, smallest first, so that only the rules are in the way."""
    bound = set(members_under_rules(snapshot.rules))
    free = [vm for vm in snapshot.vms if vm.id not in bound and not vm.blockers]
    free.sort(key=lambda vm: (vm.footprint_mib, vm.id))
    return tuple(vm.id for vm in free[:count])


def _hosts(snapshot: Snapshot, count: int) -> tuple[HostId, ...]:
    return tuple(host.id for host in snapshot.hosts[:count])
