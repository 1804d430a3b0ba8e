"""The judgement of one configured cluster: was it read whole, DRS, EVC, and what stands against acting. Pure.

The vMotion set-up of its hosts is judged by `doctor_vmotion`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from balancer.assess.doctor_vmotion import judge_vmotion
from balancer.model.checkup import ClusterFacts, Unread
from balancer.model.evc import EvcOrder
from balancer.model.finding import Check, Finding, Outcome
from balancer.model.host import Host
from balancer.model.privileges import Place, Role
from balancer.model.snapshot import MANDATORY_MOVES_ONLY, Drs, Snapshot
from balancer.model.vm import Automation


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterWish:
    """What the configuration wants of a cluster. `acts`: VMs may be moved without being asked."""

    name: str
    mode: str
    acts: bool


def judge_cluster(
    facts: ClusterFacts, wish: ClusterWish, *, beside: Sequence[Finding] = ()
) -> tuple[Finding, ...]:
    """Return the findings of a cluster. `beside` are the vCenter's: some stand against acting here too."""
    snapshot = facts.snapshot
    if isinstance(snapshot, Unread):
        missed = _not_read(snapshot)
        return (missed, _verdict(wish, [*beside, missed]))
    findings = list(
        chain(
            _inventory(snapshot),
            _drs(snapshot, wish),
            _evc(snapshot),
            judge_vmotion(snapshot, facts.setups),
        )
    )
    return (*findings, _verdict(wish, [*beside, *findings]))


def _not_read(unread: Unread) -> Finding:
    return Finding(
        check=Check.CLUSTER,
        outcome=Outcome.UNCHECKED if unread.is_consequence else Outcome.PROBLEM,
        found=unread.why,
        mend=unread.mend or "The name must be one of those; the account must see the cluster.",
        blocks=True,
    )


def _inventory(snapshot: Snapshot) -> Iterator[Finding]:
    cluster = snapshot.cluster
    running = sum(1 for vm in snapshot.vms if vm.is_running)
    yield Finding(
        check=Check.CLUSTER, outcome=Outcome.OK, found=f"found as {cluster.id}, {cluster.name}"
    )
    found = (
        f"{_counted(len(snapshot.hosts), 'host')}, {_counted(len(snapshot.vms), 'VM')}, {running:,}"
        " of them running"
    )
    rejected = snapshot.source.rejected_objects
    if rejected:
        yield Finding(
            check=Check.INVENTORY,
            outcome=Outcome.ADVICE,
            found=f"{found}; {_counted(rejected, 'object')} could not be read whole and stay as they are",
            mend="Look in the vCenter for hosts and VMs that are disconnected, inaccessible or orphaned,"
            " and for objects that the account may not read.",
        )
    else:
        yield Finding(check=Check.INVENTORY, outcome=Outcome.OK, found=f"{found}, read whole")
    yield from _unknown_words(snapshot)
    yield from _tags(snapshot)
    yield from _hidden(snapshot)
    lost = [host.name for host in snapshot.hosts if not host.state.answers]
    if lost:
        yield Finding(
            check=Check.INVENTORY,
            outcome=Outcome.ADVICE,
            found=f"{_counted(len(lost), 'host')} out of reach of the vCenter",
            mend="Connect them again or take them out of the cluster: their VMs cannot move, and too"
            " many of them end all balancing.",
            objects=tuple(lost),
        )


def _unknown_words(snapshot: Snapshot) -> Iterator[Finding]:
    words = snapshot.source.unknown_words
    if words:
        yield Finding(
            check=Check.INVENTORY,
            outcome=Outcome.ADVICE,
            found=f"{_counted(len(words), 'word')} that this version does not know, taken for the stricter"
            f" side: {'; '.join(words)}",
            mend="See whether a newer version of the balancer knows them: until then some VMs may stay"
            " that could move.",
        )


def _tags(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield that rules may be hidden in tags that are not known: see docs/decisions/0027."""
    state = snapshot.source.tags
    if state.may_hide_rules:
        yield Finding(
            check=Check.INVENTORY,
            outcome=Outcome.ADVICE,
            found=f"the tags are not known ({state.value}): rules may be hidden in them, so that nothing"
            " but evacuations is planned",
            mend="Let the account read tags and their categories, or say that no rules are written as"
            " tags: read_tags: false at the vCenter.",
        )


def _hidden(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield datastores and networks that VMs have and the account is not shown: nothing can be told of them."""
    shown = {store.id for store in snapshot.datastores}
    shown |= {network.id for network in snapshot.networks}
    asked = {place for vm in snapshot.vms for place in (*vm.datastores, *vm.networks)}
    hidden = sorted(asked - shown)
    if hidden:
        yield Finding(
            check=Check.INVENTORY,
            outcome=Outcome.ADVICE,
            found=f"nothing is shown of {len(hidden)} of the datastores and networks that VMs use",
            mend=f"If they belong to this cluster, give the account the role {Role.READER} on"
            f" {Place.ROOT}: it reaches datastores and networks too.",
            objects=tuple(hidden),
        )


def _drs(snapshot: Snapshot, wish: ClusterWish) -> Iterator[Finding]:
    drs = snapshot.cluster.drs
    if not drs.acts_alone:
        yield Finding(check=Check.DRS, outcome=Outcome.OK, found=_drs_state(drs))
        return
    yield Finding(
        check=Check.DRS,
        outcome=Outcome.PROBLEM if wish.acts else Outcome.ADVICE,
        found=f"{_drs_state(drs)}: two balancers would work against each other",
        mend="Before anything acts here, set DRS to manual or partially automated, or its threshold to"
        f" the most conservative (vmotionRate {MANDATORY_MOVES_ONLY}). Do not switch it off: that"
        " deletes the cluster's resource pools.",
        blocks=True,
    )


def _drs_state(drs: Drs) -> str:
    if not drs.enabled:
        return "DRS is off"
    words = {
        Automation.MANUAL: "manual",
        Automation.PARTIALLY_AUTOMATED: "partially automated",
        Automation.FULLY_AUTOMATED: "fully automated",
    }
    level = words.get(drs.automation, "of unknown level") if drs.automation else "of unknown level"
    rate = f", vmotionRate {drs.vmotion_rate}" if drs.vmotion_rate else ""
    only = ", mandatory moves only" if drs.vmotion_rate == MANDATORY_MOVES_ONLY else ""
    return f"DRS is on, {level}{rate}{only}"


def _evc(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield what the hosts' processors mean for moves. Never stands against acting: laws judge each move."""
    hosts = [host for host in snapshot.hosts if host.state.answers]
    if not hosts:
        return
    vendors = sorted({host.cpu_vendor for host in hosts if host.cpu_vendor})
    if len(vendors) > 1:
        yield Finding(
            check=Check.EVC,
            outcome=Outcome.ADVICE,
            found=f"processors of {' and '.join(vendors)} in one cluster: no running VM moves between them",
            mend="Keep processors of one maker in a cluster.",
            objects=tuple(host.name for host in hosts if host.cpu_vendor == vendors[-1]),
        )
    mode = snapshot.cluster.evc_mode
    yield _evc_on(hosts, mode, snapshot) if mode else _evc_off(hosts)


def _evc_on(hosts: Sequence[Host], mode: str, snapshot: Snapshot) -> Finding:
    order = EvcOrder(snapshot.cluster.evc_modes)
    below = [
        host.name
        for host in hosts
        if host.max_evc_mode is None or order.can_run(host.max_evc_mode, mode) is not True
    ]
    found = f"EVC is on at {mode}"
    if not below:
        return Finding(
            check=Check.EVC, outcome=Outcome.OK, found=f"{found}, within reach of every host"
        )
    return Finding(
        check=Check.EVC,
        outcome=Outcome.ADVICE,
        found=f"{found}; {_counted(len(below), 'host')} cannot be shown to reach it",
        mend="See `balancer evc`; a host below the cluster's mode, or of unknown mode, takes no VM.",
        objects=tuple(below),
    )


def _evc_off(hosts: Sequence[Host]) -> Finding:
    modes = sorted({host.max_evc_mode or "unknown" for host in hosts})
    if len(modes) == 1 and modes != ["unknown"]:
        return Finding(
            check=Check.EVC,
            outcome=Outcome.OK,
            found=f"EVC is off; every host could do {modes[0]}",
        )
    return Finding(
        check=Check.EVC,
        outcome=Outcome.ADVICE,
        found=f"EVC is off, and the hosts differ: {', '.join(modes)}",
        mend="VMs started on newer hosts cannot go to older ones. `balancer evc` shows which mode can be"
        " enabled, and what stands in its way.",
    )


def _verdict(wish: ClusterWish, findings: Sequence[Finding]) -> Finding:
    against = list(dict.fromkeys(finding.check for finding in findings if finding.blocks))
    if not against:
        return Finding(
            check=Check.AUTOMATIC_MODE,
            outcome=Outcome.OK,
            found=f"nothing stands against it; configured is {wish.mode}",
        )
    return Finding(
        check=Check.AUTOMATIC_MODE,
        outcome=Outcome.PROBLEM if wish.acts else Outcome.ADVICE,
        found=f"stands against it: {', '.join(against)}; configured is {wish.mode}",
        mend=(
            "Set the mode to observe until these are mended."
            if wish.acts
            else "Observing is not affected. Mend these before the mode is raised."
        ),
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"
