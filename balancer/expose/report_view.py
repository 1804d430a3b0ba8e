"""What every report shows of a plan, once: rows with names instead of ids, ordered, nothing escaped yet.

Between the `Plan` and the three renderings (text, Markdown, HTML), which differ only in how they write
these rows down. Strings here may hold hostile names: each rendering escapes for its own sink.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from balancer.expose.certificate_text import certificate_lines
from balancer.expose.figures import counted, moment, percent, points
from balancer.expose.headline import fixed_rules, gates, headline, run_note
from balancer.expose.reason_texts import reason_text
from balancer.expose.refusal_groups import RefusalGroup, group_by_reason
from balancer.model.host import Host, HostState
from balancer.model.plan import (
    Conflict,
    HostLoad,
    Incident,
    IncidentKind,
    Move,
    Plan,
    PlanStatus,
    State,
    Violation,
)
from balancer.model.reasons import UNFIT, Reason
from balancer.model.rule import RuleOrigin, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mib, Ratio, Seconds, VmId
from balancer.policy.types import Policy

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure before and after, as text: `CPU spread`, `31 pp`, `8.0 pp`."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One host before and after the whole plan. `state` is empty for a connected host."""

    name: str
    state: str
    before: HostLoad
    after: HostLoad


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRow:
    """One move. `waits` is set where this run's budget does not admit it."""

    vm: str
    source: str
    target: str
    reason: str
    why: str
    seconds: Seconds
    memory_mib: Mib
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveRows:
    """The moves of one wave and when it may start, in seconds from the start of the plan."""

    number: int
    starts_s: Seconds
    moves: tuple[MoveRow, ...]


_ORIGIN_WORDS = {RuleOrigin.DRS: "", RuleOrigin.POLICY: ", by policy", RuleOrigin.TAG: ", by tag"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule that is `fixed`, `still broken` or `newly broken`, and the names of the VMs concerned."""

    change: str
    rule: str
    meaning: str
    is_must: bool
    vms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutRow:
    """What stays for one reason: stable word, how many of what, phrase, first names, detail."""

    reason: str
    extent: str
    phrase: str
    vms: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """Everything that a report says, in the order in which it says it."""

    status: PlanStatus
    headline: str
    cluster: str
    subject: str
    run_note: str
    reason: str
    gates: tuple[str, ...]
    changes: tuple[Change, ...]
    hosts: tuple[HostRow, ...]
    idle_hosts: tuple[str, ...]
    waves: tuple[WaveRows, ...]
    rules: tuple[RuleRow, ...]
    conflicts: tuple[Conflict, ...]
    left_out: tuple[LeftOutRow, ...]
    incidents: tuple[str, ...]
    notes: tuple[str, ...]
    verdicts: tuple[str, ...]
    certificate: tuple[str, ...]
    elapsed_s: Seconds

    @property
    def times(self) -> int:
        """Return how often a figure is shown: before and after, or once where nothing moves."""
        return 2 if self.waves else 1

    @property
    def moves(self) -> tuple[MoveRow, ...]:
        """Return the moves of all waves."""
        return tuple(move for wave in self.waves for move in wave.moves)


def report_view(plan: Plan, snapshot: Snapshot, policy: Policy | None = None) -> ReportView:
    """Put a plan into rows. With a policy the gate values stand beside their thresholds."""
    return ReportView(
        status=plan.status,
        headline=headline(plan),
        cluster=plan.cluster_name,
        subject=f"Cluster {plan.cluster_name} ({plan.cluster_id}), "
        f"snapshot of {moment(plan.snapshot_taken_at)}, plan {plan.id}",
        run_note=run_note(plan),
        reason=plan.reason,
        gates=() if plan.moves else gates(plan, snapshot, policy),
        changes=_changes(plan.before, plan.after),
        hosts=_host_rows(plan, snapshot),
        idle_hosts=_idle_hosts(plan, snapshot),
        waves=_wave_rows(plan.moves, snapshot),
        rules=_rule_rows(plan, snapshot),
        conflicts=plan.conflicts,
        left_out=tuple(_left_out(g, snapshot) for g in group_by_reason(plan.refusals)),
        incidents=_incident_lines(plan.incidents),
        notes=plan.notes,
        verdicts=plan.verdicts,
        certificate=certificate_lines(plan),
        elapsed_s=plan.stage_seconds.get("total", sum(plan.stage_seconds.values())),
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
    return replace(view, hosts=hosts, waves=waves), domain


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


def _changes(before: State, after: State) -> tuple[Change, ...]:
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


def _host_rows(plan: Plan, snapshot: Snapshot) -> tuple[HostRow, ...]:
    after = {load.id: load for load in plan.after.hosts}
    loads = sorted(plan.before.hosts, key=lambda h: (natural(_host_name(snapshot, h.id)), h.id))
    return tuple(
        HostRow(
            name=_host_name(snapshot, load.id),
            state=_state_words(snapshot.host_by_id.get(load.id), snapshot),
            before=load,
            after=after.get(load.id, load),
        )
        for load in loads
    )


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


def _wave_rows(moves: Sequence[Move], snapshot: Snapshot) -> tuple[WaveRows, ...]:
    ordered = sorted(moves, key=lambda move: move.wave)  # stable: the plan's order within a wave
    waves = []
    for number, members in groupby(ordered, key=lambda move: move.wave):
        wave = list(members)
        rows = tuple(_move_row(move, snapshot) for move in wave)
        starts_s = min(move.start_seconds for move in wave)
        waves.append(WaveRows(number=number, starts_s=starts_s, moves=rows))
    return tuple(waves)


def _move_row(move: Move, snapshot: Snapshot) -> MoveRow:
    return MoveRow(
        vm=move.vm_name.strip() or move.vm,
        source=_host_name(snapshot, move.source),
        target=_host_name(snapshot, move.target),
        reason=move.reason.word,
        why=move.why,
        seconds=move.expected_seconds,
        memory_mib=move.memory_mib,
        waits=not move.this_run,
    )


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


def _host_name(snapshot: Snapshot, host: HostId) -> str:
    known = snapshot.host_by_id.get(host)
    return (known.name.strip() if known else "") or host


def _vm_names(vms: Sequence[VmId], snapshot: Snapshot) -> tuple[str, ...]:
    known = snapshot.vm_by_id
    names = {vm: (known[vm].name.strip() if vm in known else "") or vm for vm in vms}
    return tuple(names[vm] for vm in sorted(vms, key=lambda vm: (natural(names[vm]), vm)))
