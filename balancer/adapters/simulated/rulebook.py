"""Generated rules over VMs that already stand somewhere: all must-rules hold but the broken pairs.

Used by `inventory.generate` last. No VM is under two rules, and VMs that cannot move take no part, so
that every broken rule can be mended.
"""

from collections import defaultdict
from random import Random

from balancer.adapters.simulated.spec import InventorySpec
from balancer.model.host import Host, HostState
from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from balancer.model.vm import Automation, Vm

_PINNED_PER_RULE = 5
_HOST_GROUP_SHARE = 4


def make_rules(
    spec: InventorySpec, hosts: tuple[Host, ...], vms: list[Vm], rng: Random
) -> tuple[Rule, ...]:
    """Return the rules, broken pairs first."""
    deck = Deck(hosts, vms, rng)
    return (
        *_broken_pairs(spec, deck),
        *_triples(spec, deck),
        *_together(spec, deck),
        *_pinned(spec, deck),
        *_shoulds(spec, deck),
    )


class Deck:
    """The movable VMs not yet under a rule, in random order, by host. Each is dealt once."""

    def __init__(self, hosts: tuple[Host, ...], vms: list[Vm], rng: Random) -> None:
        self.hosts = [host.id for host in hosts if host.state is HostState.CONNECTED]
        self.rng = rng
        self._left: defaultdict[HostId, list[VmId]] = defaultdict(list)
        for vm in rng.sample(vms, len(vms)):
            if vm.is_running and not vm.blockers and vm.automation is Automation.FULLY_AUTOMATED:
                self._left[vm.host].append(vm.id)

    def same_host(self, count: int) -> tuple[VmId, ...]:
        """Deal VMs of one host, the one with the most left; empty where none has so many."""
        host = max(sorted(self._left), key=lambda h: len(self._left[h]))
        return self._deal([host] * count) if len(self._left[host]) >= count else ()

    def other_hosts(self, count: int) -> tuple[VmId, ...]:
        """Deal VMs of different hosts; empty where fewer hosts have any left."""
        rich = [host for host in self.hosts if self._left[host]]
        return self._deal(self.rng.sample(rich, count)) if len(rich) >= count else ()

    def from_hosts(self, hosts: list[HostId], count: int) -> tuple[VmId, ...]:
        """Deal up to `count` VMs from the given hosts in turn."""
        dealt: list[VmId] = []
        for host in hosts * count:
            if len(dealt) < count and self._left[host]:
                dealt.append(self._left[host].pop())
        return tuple(dealt)

    def host_group(self) -> list[HostId]:
        """Draw a quarter of the connected hosts, two at least."""
        size = min(max(2, len(self.hosts) // _HOST_GROUP_SHARE), len(self.hosts))
        return sorted(self.rng.sample(self.hosts, size))

    def _deal(self, hosts: list[HostId]) -> tuple[VmId, ...]:
        return tuple(self._left[host].pop() for host in hosts)


def _groups(share: float, vms: int, size: int) -> int:
    return max(1, round(share * vms / size)) if share > 0 else 0


def _named(name: str, kind: RuleType, groups: list[tuple[VmId, ...]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(name=f"{name}-{row}", type=kind, vms=vms)
        for row, vms in enumerate(groups, start=1)
        if vms
    )


def _broken_pairs(spec: InventorySpec, deck: Deck) -> tuple[Rule, ...]:
    pairs = [deck.same_host(2) for _ in range(spec.rules.broken_pairs)]
    return _named("apart-pair", RuleType.ANTI_AFFINITY, pairs)


def _triples(spec: InventorySpec, deck: Deck) -> tuple[Rule, ...]:
    count = _groups(spec.rules.triples_apart, spec.vms, 3)
    triples = [deck.other_hosts(3) for _ in range(count)]
    return _named("apart", RuleType.ANTI_AFFINITY, triples)


def _together(spec: InventorySpec, deck: Deck) -> tuple[Rule, ...]:
    count = _groups(spec.rules.pairs_together, spec.vms, 2)
    return _named("together", RuleType.AFFINITY, [deck.same_host(2) for _ in range(count)])


def _pinned(spec: InventorySpec, deck: Deck) -> tuple[Rule, ...]:
    left = _groups(spec.rules.pinned, spec.vms, 1)
    rules: list[Rule] = []
    while left > 0:
        hosts, take = deck.host_group(), min(left, _PINNED_PER_RULE)
        left -= take
        vms = deck.from_hosts(hosts, take)
        rules.append(_vm_host(f"licensed-{len(rules) + 1}", vms, hosts, mandatory=True))
    return tuple(rules)


def _shoulds(spec: InventorySpec, deck: Deck) -> tuple[Rule, ...]:
    rules = []
    for row in range(1, spec.rules.should_rules + 1):
        if row % 2:
            name, kind = f"rather-apart-{row}", RuleType.ANTI_AFFINITY
            rules.append(Rule(name=name, type=kind, vms=deck.same_host(2), mandatory=False))
        else:
            vms, hosts = deck.other_hosts(2), deck.host_group()
            rules.append(_vm_host(f"rather-here-{row}", vms, hosts, mandatory=False))
    return tuple(rule for rule in rules if rule.vms)


def _vm_host(name: str, vms: tuple[VmId, ...], hosts: list[HostId], *, mandatory: bool) -> Rule:
    return Rule(
        name=name,
        type=RuleType.VM_HOST_AFFINE,
        vms=vms,
        hosts=frozenset(hosts),
        mandatory=mandatory,
    )
