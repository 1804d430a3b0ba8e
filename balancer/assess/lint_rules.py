"""Finds what rules ask that cannot be, is asked already, or cannot be once a host fails.

Reads the rules that are in force on one snapshot: the policy's, those of tags, and the cluster's own as the
policy takes them. A finding has a part of the policy or a tag in it; contradictions within the cluster's own
rules are the plan's to tell. Hosts that take no VM now count as there: they come back. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from balancer.assess.lint_room import OF_HOSTS, allowed_hosts, find_places
from balancer.model.rule import Rule, RuleOrigin, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.lint_types import Level, LintFinding, LintKind
from balancer.policy.problems import plain

MOST_PAIRS = 200_000
"""Pairs of rules that are compared; of more rules than that the last ones are not."""


MOST_WORK = 20_000_000
"""VMs of a rule that other rules bind, times hosts squared: larger rules are not matched for each lost host."""


@dataclass(frozen=True, kw_only=True)
class RuleBook:
    """The rules in force on a snapshot, and where those of the policy and of tags are written."""

    snapshot: Snapshot
    places: Mapping[str, str]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Return the enabled rules."""
        return self.snapshot.active_rules()

    @cached_property
    def hosts(self) -> frozenset[HostId]:
        """Return the hosts that may run VMs when nothing is wrong: all but those kept for HA."""
        return frozenset(self.snapshot.host_by_id) - self.snapshot.cluster.ha.failover_hosts

    @cached_property
    def members(self) -> Mapping[str, tuple[VmId, ...]]:
        """Return the running VMs of each rule."""
        running = {vm.id for vm in self.snapshot.running_vms}
        return {r.name: tuple(vm for vm in r.vms if vm in running) for r in self.rules}

    @cached_property
    def musts(self) -> tuple[Rule, ...]:
        """Return the rules that are laws."""
        return tuple(rule for rule in self.rules if rule.mandatory)

    @cached_property
    def allowed(self) -> Mapping[VmId, frozenset[HostId]]:
        """Return where the VM-host laws let VMs run."""
        return allowed_hosts(self.snapshot, self.musts, self.hosts)

    def is_ours(self, *rules: Rule) -> bool:
        """Whether one of the rules is the policy's or a tag's."""
        return any(rule.origin is not RuleOrigin.DRS for rule in rules)

    def finding(
        self, level: Level, kind: LintKind, rule: Rule, *, why: str, mend: str
    ) -> LintFinding:
        """Return a finding about a rule, at its place."""
        return LintFinding(
            level=level,
            kind=kind,
            rule=rule.name,
            where=self.places.get(rule.name, ""),
            why=why,
            mend=mend,
        )

    def called(self, rule: Rule) -> str:
        """Return a rule's name with its place, or that it is the cluster's own."""
        own = "of the cluster" if rule.origin is RuleOrigin.DRS else self.places.get(rule.name, "")
        return f"'{plain(rule.name)}' ({own})" if own else f"'{plain(rule.name)}'"

    def vm(self, vm: VmId) -> str:
        """Return a VM's name."""
        return plain(self.snapshot.vm_by_id[vm].name)

    def host(self, host: HostId) -> str:
        """Return a host's name."""
        return plain(self.snapshot.host_by_id[host].name)


def lint_rules(book: RuleBook) -> Iterator[LintFinding]:
    """Yield what is wrong with the rules, each with its mend."""
    impossible: set[str] = set()
    for finding in (*_without_host(book), *_contradictions(book), *_without_room(book)):
        impossible.add(finding.rule)
        yield finding
    yield from _out_of_service(book, impossible)
    yield from _one_host_down(book, impossible)
    yield from _redundant(book)
    yield from _idle(book)


def _without_host(book: RuleBook) -> Iterator[LintFinding]:
    """Yield the VMs that VM-host laws leave no host, told at the last of these rules."""
    told: set[tuple[str, ...]] = set()
    for vm, hosts in book.allowed.items():
        rules = [r for r in book.musts if r.type in OF_HOSTS and vm in r.vms]
        names = tuple(rule.name for rule in rules)
        if hosts or len(rules) < 2 or names in told or not book.is_ours(*rules):
            continue
        told.add(names)
        at = next(rule for rule in reversed(rules) if book.is_ours(rule))
        others = ", ".join(book.called(rule) for rule in rules if rule is not at)
        yield book.finding(
            Level.ERROR,
            LintKind.CONTRADICTORY,
            at,
            why=f"together with {others} it leaves {book.vm(vm)} no host",
            mend="let the rules name a common host, or make one of them enforce: should",
        )


def _contradictions(book: RuleBook) -> Iterator[LintFinding]:
    """Yield rules that keep VMs together of which others keep too many apart."""
    together = [rule for rule in book.rules if rule.type is RuleType.AFFINITY]
    apart = [rule for rule in book.rules if rule.type is RuleType.ANTI_AFFINITY]
    for one in together:
        for other in apart:
            shared = sorted(set(one.vms) & set(other.vms))
            if len(shared) <= other.most or not book.is_ours(one, other):
                continue
            at, against = (other, one) if book.is_ours(other) else (one, other)
            names = ", ".join(map(book.vm, shared[:5]))
            are_laws = one.mandatory and other.mandatory
            yield book.finding(
                Level.ERROR if are_laws else Level.WARNING,
                LintKind.CONTRADICTORY,
                at,
                why=f"{names}: {book.called(one)} keeps them together and {book.called(other)} apart",
                mend=f"take them out of one of the two, or remove {book.called(against)}",
            )


def _without_room(book: RuleBook) -> Iterator[LintFinding]:
    """Yield rules that have more VMs than places, or whose VMs have no places in common."""
    for rule in book.rules:
        vms = book.members[rule.name]
        if rule.type in OF_HOSTS or len(vms) < 2 or not book.is_ours(rule):
            continue
        everywhere = find_places(rule, vms, {}, book.hosts)
        found = find_places(rule, vms, book.allowed, book.hosts)
        if found == len(vms):
            continue
        level = Level.ERROR if rule.mandatory else Level.WARNING
        if everywhere < len(vms):
            what = "groups of hosts and single hosts" if rule.domains else "hosts"
            yield book.finding(
                level,
                LintKind.OVERSIZE,
                rule,
                why=f"{len(vms)} running VMs, and with at most {rule.most} each the {what} take {everywhere}",
                mend="raise most, select fewer VMs, or set enforce: should",
            )
            continue
        bound = " and ".join(_binding(book, vms))
        words = (
            f"only {found} of its {len(vms)} VMs find a place"
            if found
            else "its VMs have no host in common"
        )
        yield book.finding(
            level, LintKind.CONTRADICTORY, rule,
            why=f"{words}, given {bound}",
            mend="let these rules leave more hosts, or set enforce: should",
        )  # fmt: skip


def _binding(book: RuleBook, vms: Sequence[VmId]) -> Iterator[str]:
    group = set(vms)
    for rule in book.musts:
        if rule.type in OF_HOSTS and group & set(rule.vms):
            yield book.called(rule)


def _out_of_service(book: RuleBook, impossible: set[str]) -> Iterator[LintFinding]:
    """Yield rules to run on hosts of which none takes VMs now."""
    serving = {host.id for host in book.snapshot.serving_hosts}
    for rule in book.rules:
        is_bound = rule.type is RuleType.VM_HOST_AFFINE and rule.hosts
        if (
            is_bound
            and book.is_ours(rule)
            and not rule.hosts & serving
            and rule.name not in impossible
        ):
            names = ", ".join(sorted(map(book.host, rule.hosts))[:5])
            yield book.finding(
                Level.WARNING, LintKind.UNREACHABLE, rule,
                why=f"none of its hosts takes VMs now: {names}",
                mend="bring one of them into service, or name others",
            )  # fmt: skip


def _one_host_down(book: RuleBook, impossible: set[str]) -> Iterator[LintFinding]:
    """Yield laws that hold now and could not once some host fails."""
    for rule in book.musts:
        vms = book.members[rule.name]
        is_lost = rule.name in impossible or find_places(rule, vms, book.allowed, book.hosts) < len(
            vms
        )
        if is_lost or not vms or not book.is_ours(rule):
            continue
        if _is_bound(book, vms) and len(vms) * len(book.hosts) ** 2 > MOST_WORK:
            yield book.finding(
                Level.INFO,
                LintKind.ONE_HOST_DOWN,
                rule,
                why=f"whether it can hold with a host down was not looked at: {len(vms):,} VMs",
                mend="split it into rules of fewer VMs",
            )
            continue
        fatal = [host for host in sorted(book.hosts) if _fails_without(book, rule, vms, host)]
        if fatal:
            names = " or ".join(sorted(map(book.host, fatal))[:5])
            more = f" or one of {len(fatal) - 5} more" if len(fatal) > 5 else ""
            which = "any host" if len(fatal) == len(book.hosts) else f"{names}{more}"
            yield book.finding(
                Level.WARNING, LintKind.ONE_HOST_DOWN, rule,
                why=f"it cannot hold while {which} is down",
                mend="leave its VMs one host more, or set enforce: should",
            )  # fmt: skip


def _is_bound(book: RuleBook, vms: Sequence[VmId]) -> bool:
    return any(vm in book.allowed for vm in vms)


def _fails_without(book: RuleBook, rule: Rule, vms: Sequence[VmId], host: HostId) -> bool:
    left = book.hosts - {host}
    return find_places(rule, vms, book.allowed, left) < len(vms)


def _redundant(book: RuleBook) -> Iterator[LintFinding]:
    """Yield rules that ask what another one asks already."""
    told: set[str] = set()
    for count, (one, other) in enumerate(combinations(book.rules, 2)):
        if count >= MOST_PAIRS:
            return
        for weak, strong in ((other, one), (one, other)):
            if {weak.name, strong.name} & told or not book.is_ours(weak):
                continue
            if _is_implied(weak, strong):
                told.add(weak.name)
                yield book.finding(
                    Level.WARNING, LintKind.REDUNDANT, weak,
                    why=f"{book.called(strong)} asks for all of it already",
                    mend="remove it",
                )  # fmt: skip
                break


def _is_implied(weak: Rule, strong: Rule) -> bool:
    """Whether whatever obeys `strong` obeys `weak`."""
    if weak.type is not strong.type or not set(weak.vms) <= set(strong.vms):
        return False
    if weak.mandatory and not strong.mandatory:
        return False
    match weak.type:
        case RuleType.AFFINITY:
            return True
        case RuleType.ANTI_AFFINITY:
            return strong.most <= weak.most and strong.domains == weak.domains
        case RuleType.VM_HOST_AFFINE:
            return strong.hosts <= weak.hosts
        case RuleType.VM_HOST_ANTI_AFFINE:
            return strong.hosts >= weak.hosts


def _idle(book: RuleBook) -> Iterator[LintFinding]:
    """Yield rules that forbid nothing."""
    for rule in book.rules:
        why = _why_idle(book, rule) if book.is_ours(rule) else ""
        if why:
            yield book.finding(
                Level.WARNING, LintKind.NO_EFFECT, rule, why=why, mend="mend or remove it"
            )


def _why_idle(book: RuleBook, rule: Rule) -> str:
    if rule.type is RuleType.ANTI_AFFINITY and len(rule.vms) <= rule.most:
        return (
            f"at most {rule.most} of its {len(rule.vms)} VMs may share a host: it forbids nothing"
        )
    if rule.type is RuleType.VM_HOST_AFFINE and rule.hosts >= book.hosts:
        return "it names every host: it forbids nothing"
    return ""
