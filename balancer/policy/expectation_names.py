"""From the names in a test of policies to the VMs and hosts that they mean in a snapshot.

A name that nobody has, that two have, or a selector that selects nobody is a mistake and never an
expectation that is met by nobody.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.expectation_document import ExpectationDocument
from balancer.policy.expectation_types import Expectation, ExpectationKind
from balancer.policy.problems import Loc, Mistake, nearest, plain, shown
from balancer.policy.selection import select_hosts, select_vms
from balancer.policy.selector_document import SelectorDocument

_VM = "running VM"
Id = TypeVar("Id", bound=str)
Given = tuple[str, ...] | SelectorDocument


class Named(Protocol):
    """A VM or a host."""

    @property
    def name(self) -> str:
        """Its display name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The expectations that could be read, and what is wrong with the others."""

    expectations: tuple[Expectation, ...]
    mistakes: tuple[Mistake, ...]


def expected_of(
    entries: Sequence[ExpectationDocument], snapshot: Snapshot, place: Callable[[Loc], str]
) -> Expected:
    """Return what a test expects of a snapshot, whose rules are those that are in force.

    `place` gives the `file:line:column` of a path of the document.
    """
    reader = _Reader(snapshot)
    found = [reader.read(entry, ("expect", row), place) for row, entry in enumerate(entries)]
    return Expected(expectations=tuple(found), mistakes=tuple(reader.mistakes))


class _Reader:
    """Reads entries one by one and gathers the mistakes of all."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.mistakes: list[Mistake] = []

    def read(
        self, entry: ExpectationDocument, path: Loc, place: Callable[[Loc], str]
    ) -> Expectation:
        kind = next(kind for kind in ExpectationKind if getattr(entry, kind.value) is not None)
        path = (*path, kind.value)
        rule = entry.rule_holds
        return Expectation(
            kind=kind,
            place=place(path),
            vms=self._vms_of(entry, path),
            hosts=self._hosts_of(entry, path),
            count=entry.moves_at_most or entry.moves_at_least or 0,
            status=entry.status,
            rule=self._rule(rule, path) if rule else "",
            mode=entry.mode,
        )

    def _vms_of(self, entry: ExpectationDocument, path: Loc) -> tuple[VmId, ...]:
        several = entry.never_share_host or entry.share_host
        if several:
            return self._several(several, path)
        if entry.runs_on:
            return self._vms(entry.runs_on.vms, (*path, "vms"))
        return self._vms(entry.stay, path) if entry.stay else ()

    def _hosts_of(self, entry: ExpectationDocument, path: Loc) -> tuple[HostId, ...]:
        if entry.runs_on:
            return self._hosts(entry.runs_on.hosts, (*path, "hosts"))
        return self._hosts(entry.empty, path) if entry.empty else ()

    def _several(self, given: Given, path: Loc) -> tuple[VmId, ...]:
        before = len(self.mistakes)
        vms = self._vms(given, path)
        if len(vms) < 2 and len(self.mistakes) == before:
            found = f"{len(vms)} running VM" + ("" if len(vms) == 1 else "s")
            self.mistakes.append(Mistake(path=path, found=found, allowed="two or more"))
        return vms

    def _rule(self, name: str, path: Loc) -> str:
        names = {rule.name for rule in self._snapshot.active_rules()}
        if name not in names:
            allowed = plain(", ".join(sorted(names)[:8])) or "the cluster has no rules"
            found = f"no rule {shown(name)} is in force"
            hint = nearest(name, names)
            self.mistakes.append(Mistake(path=path, found=found, allowed=allowed, hint=hint))
        return name

    def _vms(self, given: Given, path: Loc) -> tuple[VmId, ...]:
        running = {vm.id: vm for vm in self._snapshot.running_vms}
        if isinstance(given, SelectorDocument):
            chosen = select_vms(given.value(), self._snapshot) & running.keys()
            return self._some(_VM, chosen, path)
        return self._named(_VM, given, running, path)

    def _hosts(self, given: Given, path: Loc) -> tuple[HostId, ...]:
        if isinstance(given, SelectorDocument):
            chosen = select_hosts(given.value(), self._snapshot)
            return self._some("host", chosen, path)
        return self._named("host", given, self._snapshot.host_by_id, path)

    def _some(self, kind: str, chosen: frozenset[Id], path: Loc) -> tuple[Id, ...]:
        if not chosen:
            allowed = f"a selector of at least one {kind}"
            self.mistakes.append(Mistake(path=path, found=f"selects no {kind}", allowed=allowed))
        return tuple(sorted(chosen))

    def _named(
        self, kind: str, names: Sequence[str], known: Mapping[Id, Named], path: Loc
    ) -> tuple[Id, ...]:
        found: set[Id] = set()
        for row, name in enumerate(names):
            fitting = [key for key in known if key == name]
            fitting = fitting or [key for key, one in known.items() if one.name == name]
            found.update(fitting[:1])
            if len(fitting) != 1:
                is_off = kind == _VM and self._is_off(name)
                unclear = _unclear(kind, name, fitting, known, (*path, row))
                off = replace(unclear, found=f"{shown(name)} does not run", hint="")
                self.mistakes.append(off if is_off else unclear)
        return tuple(sorted(found))

    def _is_off(self, name: str) -> bool:
        return any(name in (vm.id, vm.name) for vm in self._snapshot.vms if not vm.is_running)


def _unclear(
    kind: str, name: str, fitting: Sequence[str], known: Mapping[Id, Named], path: Loc
) -> Mistake:
    if fitting:
        ids = ", ".join(sorted(fitting)[:8])
        return Mistake(
            path=path, found=f"{shown(name)} names {len(fitting)} {kind}s", allowed=f"an id: {ids}"
        )
    names = {one.name for one in known.values()} | set(known)
    return Mistake(
        path=path,
        found=f"there is no {kind} {shown(name)}",
        allowed=f"the name or id of one of {len(known):,}",
        hint=nearest(name, names),
    )
