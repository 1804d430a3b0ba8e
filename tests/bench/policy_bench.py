"""How long selectors and rules take on a large cluster: `python -m tests.bench.policy_bench [VMS]`.

Prints a table of processor time, never fails on it. 200 rules: every kind of selector, the dear ones
(patterns that begin with a wildcard, regular expressions) as often as the cheap ones.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from random import Random
from time import process_time

from balancer.model.snapshot import ResourcePool, Snapshot
from balancer.model.units import Seconds
from balancer.policy.resolve import resolve
from balancer.policy.rule_types import Enforce, PolicyRule, RuleKind
from balancer.policy.selection import Selection
from balancer.policy.selector import Selector, Size
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm

RULES = 200
GUESTS = ("rhel9_64Guest", "ubuntu64Guest", "windows2022srvNext_64Guest")
TIERS = ("web", "app", "db", "cache", "batch")


def large(vms: int, hosts: int = 200) -> Snapshot:
    """Return a cluster in which everything that selectors speak of is filled in."""
    chance = Random(7)
    pools = tuple(ResourcePool(id=f"pool-{n}", name=f"team-{n}") for n in range(50))
    machines = []
    for number in range(1, vms + 1):
        tier = chance.choice(TIERS)
        tags = {f"tier:{tier}", f"team:{chance.randrange(50)}"}
        if number % 100 == 0:
            tags.add(f"balancer:anti-affinity:group-{number // 500}")
        machines.append(
            vm(
                number,
                1 + number % hosts,
                name=f"{tier}-{chance.randrange(100)}-{number:05d}.example.org",
                folder=f"site-{number % 2}/{tier}/{number % 40}",
                resource_pool=f"pool-{number % 50}",
                tags=frozenset(tags),
                attributes={"owner": f"team-{number % 50}"},
                guest_os=chance.choice(GUESTS),
                vcpus=chance.choice((1, 2, 4, 8, 16)),
            )
        )
    every = [host(n, groups=frozenset({f"rack-{n % 20}"})) for n in range(1, hosts + 1)]
    return snapshot(every, machines, resource_pools=pools)


def selectors() -> Iterator[Selector]:
    """Yield selectors of every kind for ever, no two alike."""
    for n in cycle(range(10_000)):
        tier = TIERS[n % 5]
        yield Selector(globs=(f"{tier}-{n % 100}-*",))
        yield Selector(globs=(f"*-{n:05d}.*",))
        yield Selector(regexes=(rf"{tier}-\d+-\d*{n % 1000}\.example\.(org|com)",))
        yield Selector(tags=(f"team:{n % 50}",), some=(Selector(tags=(f"tier:{tier}",)),))
        yield Selector(folders=(f"site-{n % 2}/{tier}",), none_of=Selector(globs=(f"*{n}*",)))
        yield Selector(pools=(f"team-{n % 50}",), size=Size(vcpus_at_least=n % 16))
        yield Selector(attributes=(("owner", f"team-{n % 50}"),), guest_os=("rhel*",))
        yield Selector(names=tuple(f"{tier}-{k}-{n:05d}.example.org" for k in range(20)))


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


def timed(work: Callable[[], object], times: int = 5) -> Seconds:
    """Return the least processor time of several runs."""
    found = []
    for _ in range(times):
        start = process_time()
        work()
        found.append(process_time() - start)
    return min(found)


def main(vms: int) -> None:
    """Print the table."""
    snap = large(vms)
    wanted = list(islice(selectors(), RULES))
    rules = tuple(
        PolicyRule(
            name=f"r{n}", kind=RuleKind.ANTI_AFFINITY, vms=selector, enforce=Enforce.SHOULD, most=9
        )
        for n, selector in enumerate(wanted)
    )
    policy = Policy(rules=rules)

    def select(of: list[Selector]) -> None:
        selection = Selection(snap)
        for selector in of:
            selection.vms(selector)

    say(f"{vms} VMs, {len(snap.hosts)} hosts, {RULES} rules")
    say(f"index and one selector    {timed(lambda: select(wanted[:1])) * 1e3:8.1f} ms")
    say(f"index and {RULES} selectors   {timed(lambda: select(wanted)) * 1e3:8.1f} ms")
    say(f"resolve, no policy        {timed(lambda: resolve(snap, Policy())) * 1e3:8.1f} ms")
    say(f"resolve, {RULES} rules        {timed(lambda: resolve(snap, policy)) * 1e3:8.1f} ms")
    for kind in range(8):
        only = wanted[kind::8]
        name = ", ".join(part for part in Selector.__slots__ if getattr(only[0], part))
        say(f"  {len(only)} of {name:<22} {timed(lambda only=only: select(only)) * 1e3:8.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
