"""Rules for a generated cluster that hold where its VMs stand: 40 % of the VMs are under one.

A VM is in one rule at most. Shares: anti-affinity 16 %, affinity 12 %, VM-host 12 % of the VMs; every
fifth rule is a should-rule.
"""

from collections.abc import Iterator

import numpy as np

from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from tests.bench.planner.population import Ints, Population

APART_SHARE, TOGETHER_SHARE, HOST_SHARE = 0.16, 0.12, 0.12
SHOULD_EVERY = 5
LARGEST_APART = 24


class Rulebook:
    """Deals VMs out to rules; each VM once."""

    def __init__(
        self,
        pop: Population,
        hosts: tuple[HostId, ...],
        vms: tuple[VmId, ...],
        rng: np.random.Generator,
    ) -> None:
        self.pop, self.hosts, self.vms, self.rng = pop, hosts, vms, rng
        self.free = np.ones(len(vms), dtype=bool)
        self.rules: list[Rule] = []

    def write(self) -> tuple[Rule, ...]:
        """Return the rules, in the order in which they were dealt."""
        count = len(self.vms)
        self._deal(RuleType.VM_HOST_AFFINE, HOST_SHARE * count / 2)
        self._deal(RuleType.VM_HOST_ANTI_AFFINE, HOST_SHARE * count / 2)
        self._deal(RuleType.AFFINITY, TOGETHER_SHARE * count)
        self._deal(RuleType.ANTI_AFFINITY, APART_SHARE * count)
        return tuple(self.rules)

    def _deal(self, kind: RuleType, wanted: float) -> None:
        dealt, misses = 0, 0
        while dealt < wanted and misses < 100:
            members, on = self._members(kind)
            if len(members) < 2:
                misses += 1
                continue
            self.free[members] = False
            dealt += len(members)
            self._add(kind, members, on)

    def _members(self, kind: RuleType) -> tuple[Ints, Ints]:
        match kind:
            case RuleType.AFFINITY:
                host = int(self.rng.integers(len(self.hosts)))
                return self._some(np.array([host]), int(self.rng.integers(2, 5))), _NOWHERE
            case RuleType.ANTI_AFFINITY:
                most = min(LARGEST_APART, max(2, len(self.hosts) * 3 // 4))
                return self._scattered(int(self.rng.integers(2, most + 1))), _NOWHERE
            case _:
                return self._on_some_hosts(kind)

    def _on_some_hosts(self, kind: RuleType) -> tuple[Ints, Ints]:
        """Return members and the hosts of the rule: an eighth to a third of all, or a quarter to avoid."""
        count = len(self.hosts)
        is_affine = kind is RuleType.VM_HOST_AFFINE
        share = self.rng.uniform(1 / 8, 1 / 3) if is_affine else 0.25
        on = np.sort(self.rng.choice(count, size=max(2, round(share * count)), replace=False))
        inside = on if is_affine else np.setdiff1d(np.arange(count), on)
        return self._some(inside, int(self.rng.integers(4, 21))), on

    def _some(self, hosts: Ints, most: int) -> Ints:
        pool = np.flatnonzero(self.free & np.isin(self.pop.at, hosts))
        return np.sort(self.rng.choice(pool, size=min(most, len(pool)), replace=False))

    def _scattered(self, count: int) -> Ints:
        hosts = self.rng.choice(len(self.hosts), size=count, replace=False)
        return np.sort(np.concatenate([self._some(np.array([host]), 1) for host in hosts]))

    def _add(self, kind: RuleType, members: Ints, on: Ints) -> None:
        number = len(self.rules)
        rule = Rule(
            name=f"{kind}-{number:04d}",
            type=kind,
            vms=tuple(self.vms[row] for row in members.tolist()),
            hosts=frozenset(self.hosts[row] for row in on.tolist()),
            mandatory=number % SHOULD_EVERY != SHOULD_EVERY - 1,
        )
        self.rules.append(rule)


_NOWHERE: Ints = np.zeros(0, dtype=np.int64)


def members_under_rules(rules: tuple[Rule, ...]) -> Iterator[VmId]:
    """Yield every VM that some rule names."""
    for rule in rules:
        yield from rule.vms
