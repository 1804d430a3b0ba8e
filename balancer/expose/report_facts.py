"""What a report says around the moves: what the plan was made from, what stays safe, how to apply it.

Only words over the plan's `Brief`; what that does not know is said to be not known. A part of `report_view`.
"""

import shlex
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from balancer.expose.figures import counted, duration, moment, percent
from balancer.expose.origin import Origin
from balancer.expose.report_rows import Fact
from balancer.model.brief import Brief, FactQuality, FailoverRoom
from balancer.model.digest import SHOWN_DIGITS, plan_digest
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.version import VERSION

NOT_KNOWN = "not known"

LEAST_FALL = 1e-12
"""A fall in cost below this is rounding."""

ACTING_LIMITS = (
    ("moves_per_run_at_most", "moves in one run, at most"),
    ("mandatory_moves_per_run", "evacuations and rule repairs in one run"),
    ("migrations_per_host", "migrations of one host at once"),
    ("migrations_per_cluster", "of the cluster"),
    ("migrations_per_vcenter", "of the vCenter"),
    ("moves_per_vm_per_day", "moves of one VM in a day"),
)
COOL_DOWNS = (
    ("residence_s", "after a move its VM stays"),
    ("failed_vm_hold_s", "after a failure the VM is left alone"),
    ("failed_vm_quarantine_s", "after two failures"),
    ("failed_target_quarantine_s", "a host that failed as target gets nothing"),
    ("quiet_s", "after a host came or went the cluster is left in peace"),
)
STATISTICS = {
    "real_time": "samples of the last minutes",
    "partly": "samples of some, the server's summary of the others",
    "quick_stats": "the server's summary alone, of unknown age",
}


def about(plan: Plan) -> Iterator[Fact]:
    """Yield what the plan was made from, and by what."""
    brief, bound = plan.brief, plan.bound
    yield Fact(label="Plan", value=f"{plan.id}, digest {plan_digest(plan)[:SHOWN_DIGITS]}")
    yield Fact(
        label="Made", value=f"{moment(plan.created_at)}, by version {VERSION}{_asked(brief)}"
    )
    yield Fact(label="Expires", value=moment(brief.expires_at) if brief else NOT_KNOWN)
    yield Fact(label="Facts", value=_facts(plan, brief))
    yield Fact(label="Mode in force", value=plan.mode or NOT_KNOWN)
    yield Fact(label="Policy", value=_policy(brief))
    failures = counted(len(plan.incidents), "failure") if plan.incidents else "no failures"
    yield Fact(label="Solver", value=f"{failures}{_search(brief)}")
    gap = percent(bound.gap, 1) if bound and bound.gap is not None else "not asked for"
    yield Fact(label="Proven gap", value=gap)


def _asked(brief: Brief | None) -> str:
    return f", asked for by a {brief.trigger}" if brief else ""


def _facts(plan: Plan, brief: Brief | None) -> str:
    where = f" {brief.vcenter}" if brief and brief.vcenter not in ("", brief.source) else ""
    source = f", source: {brief.source}{where}" if brief else ""
    return f"snapshot of {moment(plan.snapshot_taken_at)}{source}"


def _policy(brief: Brief | None) -> str:
    if brief is None:
        return NOT_KNOWN
    config = f", configuration {brief.config_digest}" if brief.config_digest else ""
    return f"{brief.policy} ({brief.policy_digest}){config}"


def _search(brief: Brief | None) -> str:
    if brief is None or brief.seed is None or brief.time_limit_s is None:
        return ""
    return f", seed {brief.seed}, time limit {brief.time_limit_s:g} s"


def why_words(plan: Plan) -> Iterator[str]:
    """Yield what the moves are for, most of the fall in cost first, and how to ask about one VM or host."""
    fall = plan.before.cost - plan.after.cost
    gains: defaultdict[str, list[float]] = defaultdict(list)
    for move in plan.moves:
        gains[move.reason.word].append(move.gain)
    for word, found in sorted(gains.items(), key=lambda pair: (-sum(pair[1]), pair[0])):
        share = f": {percent(sum(found) / fall)} of the fall in cost" if fall > LEAST_FALL else ""
        yield f"{counted(len(found), 'move')} for {word}{share}"
    if plan.moves and fall <= LEAST_FALL:
        yield "the cost does not fall: these moves are made for what must be, not for the load"
    yield "Why a VM or host is (not) chosen: balancer explain --vm VM [--host HOST], with the same facts"


def idle_words(plan: Plan, snapshot: Snapshot) -> str:
    """Return what is to be expected if nothing is done."""
    brief = plan.brief
    if brief is None:
        return "If nothing is done: not known."
    if not brief.peaks or not brief.horizon_s:
        return (
            "If nothing is done: nothing forecasts the load here, so that it is taken to stay as it is; "
            "then every host keeps its figures of before."
        )
    top = max(brief.peaks, key=lambda peak: (max(peak.cpu_ratio, peak.memory_ratio), peak.host))
    host = snapshot.host_by_id.get(top.host)
    name = host.name if host else top.host
    over = sum(peak.cpu_ratio > 1.0 for peak in brief.peaks)
    more = f"; CPU demand exceeds what there is on {counted(over, 'host')}" if over else ""
    return (
        f"If nothing is done, within {duration(brief.horizon_s)}: at worst CPU {percent(top.cpu_ratio)} and "
        f"memory {percent(top.memory_ratio)} on {name}{more}."
    )


def quality_words(brief: Brief | None) -> Iterator[str]:
    """Yield how good the facts are."""
    if brief is None:
        yield "Not known."
        return
    found = brief.quality
    yield f"{counted(found.hosts, 'host')}, {_lost(found)}"
    yield f"{counted(found.vms, 'running VM')}, {_estimated(found)}"
    yield _samples(found)
    if found.unread_objects:
        yield f"{counted(found.unread_objects, 'object')} could not be read"
    if found.hidden_objects:
        yield f"properties of {counted(found.hidden_objects, 'object')} are hidden from the account"
    if found.tags not in ("", "known"):
        yield f"tags: {found.tags}"


def _lost(found: FactQuality) -> str:
    return f"{found.lost_hosts} out of reach" if found.lost_hosts else "all within reach"


def _estimated(found: FactQuality) -> str:
    if not found.estimated_vms:
        return "all measured"
    return f"{found.estimated_vms:,} of them estimated by their size for want of figures"


def _samples(found: FactQuality) -> str:
    kind = STATISTICS.get(found.statistics, "statistics of unknown kind")
    if found.oldest_sample_s is None:
        return f"{kind}; age of the samples not known"
    return f"{kind}; the oldest is {duration(max(found.oldest_sample_s, 0.0))} old"


def safety(plan: Plan, snapshot: Snapshot) -> Iterator[Fact]:
    """Yield limits, cool-downs, windows, room for host failures, and the way back."""
    brief = plan.brief
    known = dict(brief.limits) if brief else {}
    acting = "; ".join(f"{word} {known[key]:g}" for key, word in ACTING_LIMITS if key in known)
    yield Fact(label="Limits in force", value=acting or NOT_KNOWN)
    rests = "; ".join(f"{word} {duration(known[key])}" for key, word in COOL_DOWNS if key in known)
    yield Fact(label="Cool-downs", value=rests or NOT_KNOWN)
    yield Fact(label="Windows", value=_windows(brief))
    yield Fact(
        label="Host failures", value=_failover(brief.failover, snapshot) if brief else NOT_KNOWN
    )
    yield Fact(label="Way back", value=_way_back(plan, snapshot))


def _windows(brief: Brief | None) -> str:
    if brief is None:
        return NOT_KNOWN
    if not brief.windows:
        return "the policy has none: moves may be made at any time"
    told = []
    for window in brief.windows:
        state = "open" if window.is_open else "closed"
        until = f" until {moment(window.changes_at)}" if window.changes_at else ""
        told.append(f"{window.name} ({window.effect}): {state}{until}")
    return "; ".join(told)


def _failover(room: FailoverRoom, snapshot: Snapshot) -> str:
    if not room.tolerated:
        return "HA reserves nothing in this cluster, so that no room is kept on the way"
    states = {state.wave: state for state in room.states}
    start = states.get(0)
    before = len(start.lost) if start else 0
    worse = [s for s in room.states if len(s.lost) > before]
    looked = f"looked at the start and after {len(states) - 1:,} of {counted(room.waves, 'wave')}"
    what = f"{counted(room.tolerated, 'failed host')} at once, each of {counted(room.hosts, 'host')} in turn"
    if not worse and not before:
        return f"{what}: every VM finds a host again, in every state on the way ({looked})"
    if not worse:
        names = _names(start.lost if start else (), snapshot)
        return f"{what}: failures of {names} are not survived now, and of no more on the way ({looked})"
    first = worse[0]
    return (
        f"{what}: after wave {first.wave} failures of {_names(first.lost, snapshot)} are not survived, "
        f"{before} at the start ({looked})"
    )


def _names(hosts: tuple[str, ...], snapshot: Snapshot) -> str:
    known = {str(host.id): host.name for host in snapshot.hosts}
    return ", ".join(known.get(host, host) for host in hosts[:5]) + (
        f" and {len(hosts) - 5} more" if len(hosts) > 5 else ""
    )


def _way_back(plan: Plan, snapshot: Snapshot) -> str:
    if not plan.moves:
        return "nothing to take back"
    barred = {m.source for m in plan.moves if not _takes(snapshot, m.source)}
    text = (
        f"nothing is taken back by itself. By hand: {counted(len(plan.moves), 'move')} in the reverse order, "
        f"about {duration(plan.makespan_seconds)}; the states on the way are those of the plan"
    )
    if barred:
        names = _names(tuple(sorted(barred)), snapshot)
        text += f". VMs cannot go back to {names} while that is not in service"
    return text


def _takes(snapshot: Snapshot, host: str) -> bool:
    return any(one.id == host and one.takes for one in snapshot.hosts)


def way_back(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    """Yield the moves back, last first."""
    names = {host.id: host.name.strip() or host.id for host in snapshot.hosts}
    for move in reversed(plan.moves):
        source, target = names.get(move.source, move.source), names.get(move.target, move.target)
        yield f"{move.vm_name.strip() or move.vm}: {target} -> {source}"


def apply_facts(plan: Plan, origin: Origin) -> Iterator[Fact]:
    """Yield how the plan is carried out, until when, and where it can be approved."""
    if not plan.moves:
        yield Fact(label="To do", value="nothing: there are no moves to apply or approve")
        return
    config = f" --config {shlex.quote(origin.config)}" if origin.config else ""
    digest = plan_digest(plan)[:SHOWN_DIGITS]
    if origin.is_kept:
        yield Fact(label="Apply now", value=f"balancer apply {digest}{config}")
        yield Fact(label="Approve", value=f"balancer approve {digest}{config}")
        yield Fact(label="Reject", value=f"balancer reject {digest}{config}")
        yield Fact(label="Approval ends", value=_approval_ends(plan))
    else:
        file = shlex.quote(origin.file) if origin.file else "PLAN.json"
        live = config or " --config CONFIG"
        yield Fact(label="Apply", value=f"balancer apply {file}{live}")
        if not origin.file:
            made = (
                "balancer plan --snapshot SNAPSHOT"
                if origin.has_snapshot_file
                else f"balancer plan{live}"
            )
            yield Fact(label="First write it", value=f"{made} --format json --output PLAN.json")
    if origin.address:
        yield Fact(label="Where", value=origin.address)
    if plan.brief:
        yield Fact(label="Expires", value=f"{moment(plan.brief.expires_at)}; then apply refuses it")
    yield Fact(
        label="Checked again",
        value="apply reads the cluster anew and refuses the plan, naming the fact, if one has changed",
    )


def _approval_ends(plan: Plan) -> str:
    known = dict(plan.brief.limits) if plan.brief else {}
    if "approval_s" not in known:
        return NOT_KNOWN
    return moment(plan.created_at + timedelta(seconds=known["approval_s"]))
