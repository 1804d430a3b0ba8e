"""What every report shows of a plan, once: rows with names instead of ids, ordered, nothing escaped yet.

Between the `Plan` and the three renderings (text, Markdown, HTML), which differ only in how they write
these rows down. Strings here may hold hostile names: each rendering escapes for its own sink.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from balancer.expose.certificate_text import certificate_lines
from balancer.expose.figures import counted, moment, percent, points
from balancer.expose.headline import fixed_rules, gates, headline, run_note
from balancer.expose.origin import NOWHERE, Origin
from balancer.expose.reason_texts import reason_text
from balancer.expose.refusal_groups import RefusalGroup, group_by_reason
from balancer.expose.report_facts import (
    about,
    apply_facts,
    idle_words,
    quality_words,
    safety,
    way_back,
    why_words,
)
from balancer.expose.report_moves import host_name, wave_rows
from balancer.expose.report_rows import (
    Change,
    HostRow,
    LeftOutRow,
    MoveRow,
    ReportView,
    Room,
    RuleRow,
)
from balancer.model.brief import Brief, PeakLoad
from balancer.model.host import Host, HostState
from balancer.model.plan import (
    HostLoad,
    Incident,
    IncidentKind,
    Plan,
    State,
    Violation,
)
from balancer.model.reasons import UNFIT, Reason
from balancer.model.rule import RuleOrigin, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Ratio, VmId
from balancer.policy.types import Policy, Thresholds

RULE_WORDS = {
    RuleType.AFFINITY: "keep together",
    RuleType.ANTI_AFFINITY: "keep apart",
    RuleType.VM_HOST_AFFINE: "only on its hosts",
    RuleType.VM_HOST_ANTI_AFFINE: "never on its hosts",
}

INCIDENT_WORDS = {
    IncidentKind.CRASHED: "the solver crashed",
    IncidentKind.HUNG: "the solver hung",
    IncidentKind.WRONG_ANSWER: "the solver answered wrongly",
    IncidentKind.MODEL_REFUSED: "the solver refused its task",
    IncidentKind.UNAVAILABLE: "the solver could not be started",
}

CONTAINED = "The plan keeps what was found without it and was checked like any other."

_OF_THE_CLUSTER = frozenset(
    {
        Reason.OBSERVE_MODE,
        Reason.NOT_APPROVED,
        Reason.WINDOW_CLOSED,
        Reason.DRS_AUTOMATED,
        Reason.EXCESS_PRIVILEGES,
        *UNFIT,
        Reason.HOSTS_LOST,
        Reason.FACTS_UNKNOWN,
        Reason.STOPPING,
        Reason.CONNECTION_LOST,
        Reason.JOURNAL_UNAVAILABLE,
    }
)


_ORIGIN_WORDS = {RuleOrigin.DRS: "", RuleOrigin.POLICY: ", by policy", RuleOrigin.TAG: ", by tag"}


def report_view(
    plan: Plan, snapshot: Snapshot, policy: Policy | None = None, *, origin: Origin = NOWHERE
) -> ReportView:
    """Put a plan into rows. With a policy the gate values stand beside their thresholds."""
    limits = policy.thresholds if policy else Thresholds()
    return ReportView(
        status=plan.status,
        headline=headline(plan),
        cluster=plan.cluster_name,
        subject=f"Cluster {plan.cluster_name} ({plan.cluster_id}), "
        f"snapshot of {moment(plan.snapshot_taken_at)}, plan {plan.id}",
        run_note=run_note(plan),
        reason=plan.reason,
        gates=gates(plan, snapshot, policy),
        changes=changes(plan.before, plan.after),
        hosts=host_rows(plan.before, plan.after, snapshot, brief=plan.brief),
        idle_hosts=_idle_hosts(plan, snapshot),
        waves=wave_rows(plan, snapshot),
        rules=_rule_rows(plan, snapshot),
        conflicts=plan.conflicts,
        left_out=tuple(_left_out(g, snapshot) for g in group_by_reason(plan.refusals)),
        incidents=_incident_lines(plan.incidents),
        notes=plan.notes,
        verdicts=plan.verdicts,
        certificate=certificate_lines(plan),
        elapsed_s=plan.stage_seconds.get("total", sum(plan.stage_seconds.values())),
        about=tuple(about(plan)),
        worst=_worst(plan, snapshot),
        why=tuple(why_words(plan)),
        idle=idle_words(plan, snapshot),
        quality=tuple(quality_words(plan.brief)),
        safety=tuple(safety(plan, snapshot)),
        way_back=tuple(way_back(plan, snapshot)),
        apply=tuple(apply_facts(plan, origin)),
        cpu_limit=limits.cpu_contention,
        memory_limit=limits.memory_contention,
    )


def without_domain(view: ReportView) -> tuple[ReportView, str]:
    """Return the view with the domain that all its hosts share cut off their names, and that domain."""
    domain = shared_domain([row.name for row in view.hosts])
    if not domain:
        return view, ""
    hosts = tuple(replace(row, name=row.name.removesuffix(domain)) for row in view.hosts)
    waves = tuple(
        replace(wave, moves=tuple(_cut(move, domain) for move in wave.moves)) for wave in view.waves
    )
    worst = tuple(told.replace(f"{domain} (", " (") for told in view.worst)
    return replace(view, hosts=hosts, waves=waves, worst=worst), domain


def _cut(move: MoveRow, domain: str) -> MoveRow:
    return replace(
        move,
        source=move.source.removesuffix(domain),
        target=move.target.removesuffix(domain),
    )


def shared_domain(names: Sequence[str]) -> str:
    """Return what follows the first dot of every name, where it is a domain and always the same."""
    tails = {tail for _, _, tail in (name.partition(".") for name in names)}
    tail = tails.pop() if len(tails) == 1 and len(names) > 1 else ""
    return f".{tail}" if re.search("[a-zA-Z]", tail) else ""


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts `esx2` before `esx10`. Total only together with an id."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]", name)
    return tuple((0, int(p), "") if p.isascii() and p.isdigit() else (1, 0, p) for p in parts)


def changes(before: State, after: State) -> tuple[Change, ...]:
    """Return the cluster's figures in two states, as text."""

    def row(label: str, old: str, new: str) -> Change:
        return Change(label=label, before=old, after=new)

    def pair(label: str, old: Ratio, new: Ratio) -> Change:
        return row(label, percent(old), percent(new))

    must = row("broken must-rules", str(before.broken_must_rules), str(after.broken_must_rules))
    should = row("broken should-rules", str(_broken_shoulds(before)), str(_broken_shoulds(after)))
    unmet = row(
        "unmet CPU demand", f"{before.unmet_cpu_mhz:,.0f} MHz", f"{after.unmet_cpu_mhz:,.0f} MHz"
    )
    return (
        row("imbalance", percent(before.imbalance, 1), percent(after.imbalance, 1)),
        row("CPU spread", f"{points(before.cpu.stddev)} pp", f"{points(after.cpu.stddev)} pp"),
        row(
            "memory spread",
            f"{points(before.memory.stddev)} pp",
            f"{points(after.memory.stddev)} pp",
        ),
        pair("highest CPU", before.cpu.max, after.cpu.max),
        pair("highest memory", before.memory.max, after.memory.max),
        unmet,
        must,
        should,
    )


def _broken_shoulds(state: State) -> int:
    return len(state.violations) - state.broken_must_rules


def host_rows(
    before: State, then: State, snapshot: Snapshot, *, brief: Brief | None = None
) -> tuple[HostRow, ...]:
    """Return the hosts under the loads of two states, as people count; with a brief their peaks, too."""
    after = {load.id: load for load in then.hosts}
    loads = sorted(before.hosts, key=lambda h: (natural(host_name(snapshot, h.id)), h.id))
    peaks = {peak.host: peak for peak in brief.peaks} if brief else {}
    ready = ready_percents(snapshot)
    return tuple(
        _host_row(load, after.get(load.id, load), snapshot, peaks=peaks, ready=ready)
        for load in loads
    )


def _host_row(
    before: HostLoad,
    after: HostLoad,
    snapshot: Snapshot,
    *,
    peaks: Mapping[HostId, PeakLoad],
    ready: Mapping[HostId, float],
) -> HostRow:
    host, peak = snapshot.host_by_id.get(before.id), peaks.get(before.id)
    return HostRow(
        name=host_name(snapshot, before.id),
        state=_state_words(host, snapshot),
        before=before,
        after=after,
        room_before=room_of(host, before),
        room_after=room_of(host, after),
        ready_percent=ready.get(before.id),
        peak_cpu_ratio=peak.cpu_ratio if peak else None,
        peak_memory_ratio=peak.memory_ratio if peak else None,
    )


def room_of(host: Host | None, load: HostLoad) -> Room | None:
    """Return what a host has left under a load; None where the host is not known."""
    if host is None:
        return None
    return Room(
        cpu_mhz=host.usable_cpu_mhz * (1.0 - load.cpu_ratio),
        memory_mib=host.usable_memory_mib * (1.0 - load.memory_ratio),
    )


def ready_percents(snapshot: Snapshot) -> Mapping[HostId, float]:
    """Return the mean CPU ready time of each host's VMs in percent, of those hosts that show any."""
    found: defaultdict[HostId, list[float]] = defaultdict(list)
    for vm in snapshot.running_vms:
        if vm.cpu_ready_percent is not None:
            found[vm.host].append(vm.cpu_ready_percent)
    return {host: sum(values) / len(values) for host, values in found.items()}


def _worst(plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    states = (plan.before, plan.after) if plan.moves else (plan.before,)
    return tuple(told for state in states if (told := _worst_host(state, snapshot)))


def _worst_host(state: State, snapshot: Snapshot) -> str:
    if not state.hosts:
        return ""
    top = max(state.hosts, key=lambda load: (max(load.cpu_ratio, load.memory_ratio), load.id))
    figures = f"CPU {percent(top.cpu_ratio)}, memory {percent(top.memory_ratio)}"
    return f"{host_name(snapshot, top.id)} ({figures})"


def _state_words(host: Host | None, snapshot: Snapshot) -> str:
    if host is None:
        return "gone"
    if host.state is not HostState.CONNECTED:
        return host.state.value.replace("_", " ")
    return "kept free for HA" if host.id in snapshot.cluster.ha.failover_hosts else ""


def _idle_hosts(plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    shown = {load.id for load in plan.before.hosts}
    rest = [host for host in snapshot.hosts if host.id not in shown]
    rest.sort(key=lambda host: (natural(host.name), host.id))
    return tuple(f"{host.name} ({_state_words(host, snapshot) or 'not measured'})" for host in rest)


def _rule_rows(plan: Plan, snapshot: Snapshot) -> tuple[RuleRow, ...]:
    before = {(v.rule, v.type) for v in plan.before.violations}
    rows = [_rule_row("fixed", v, snapshot) for v in fixed_rules(plan)]
    for violation in plan.after.violations:
        known = (violation.rule, violation.type) in before
        rows.append(_rule_row("still broken" if known else "newly broken", violation, snapshot))
    return tuple(rows)


def _rule_row(change: str, violation: Violation, snapshot: Snapshot) -> RuleRow:
    return RuleRow(
        change=change,
        rule=violation.rule,
        meaning=RULE_WORDS[violation.type] + _origin(violation, snapshot),
        is_must=violation.mandatory,
        vms=_vm_names(violation.vms, snapshot),
    )


def _origin(violation: Violation, snapshot: Snapshot) -> str:
    """Say who made a rule that does not stand in the cluster."""
    origin = next((r.origin for r in snapshot.rules if r.name == violation.rule), RuleOrigin.DRS)
    return _ORIGIN_WORDS[origin]


def _left_out(group: RefusalGroup, snapshot: Snapshot) -> LeftOutRow:
    if group.vms:
        extent = counted(len(group.vms), "VM")
    elif group.hosts:
        extent = counted(len(group.hosts), "host")
    elif group.reason in _OF_THE_CLUSTER:
        extent = "cluster"
    else:
        extent = "once" if group.count == 1 else f"{group.count:,} times"
    return LeftOutRow(
        reason=group.reason.value,
        extent=extent,
        phrase=reason_text(group.reason).phrase,
        vms=_vm_names(group.vms, snapshot),
        detail=group.detail,
    )


def _incident_lines(incidents: Sequence[Incident]) -> tuple[str, ...]:
    told = [f"{INCIDENT_WORDS[i.kind]} ({i.stage}): {i.detail}" for i in incidents]
    return (*told, CONTAINED) if told else ()


def _vm_names(vms: Sequence[VmId], snapshot: Snapshot) -> tuple[str, ...]:
    known = snapshot.vm_by_id
    names = {vm: (known[vm].name.strip() if vm in known else "") or vm for vm in vms}
    return tuple(names[vm] for vm in sorted(vms, key=lambda vm: (natural(names[vm]), vm)))
