"""An explanation as a verdict, facts and tables: what its text and its Markdown both say.

Names are as the snapshot has them, cut by the domain that all hosts share; each rendering escapes for its
own sink. Costs are in millionths of `State.cost`.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from balancer.expose.check_cells import (
    CHECK_HEADINGS,
    CHECK_NOTE,
    CHECK_TITLE,
    check_cells,
    mends,
    server_facts,
    told,
)
from balancer.expose.check_rows import check_rows
from balancer.expose.explain_resting import resting_view
from balancer.expose.explanation import Explanation, Names, Table
from balancer.expose.figures import counted, duration, gibibytes, listed, percent
from balancer.expose.reason_texts import reason_text
from balancer.expose.refusal_groups import RefusalGroup, group_by_reason
from balancer.expose.report_view import natural
from balancer.model.insight import (
    PRICE,
    HostFigures,
    HostInsight,
    TargetInsight,
    VmInsight,
)
from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot

COST_NOTE = "Gain, price, net and cost are in millionths of the plan's cost."
OTHERS_DONE = "All other moves of the plan are taken as done."
MOST_NAMES = 5
MOST_HOSTS = 12
MANY_ALIKE = 4
"""So many hosts with the same answer share a row."""


def vm_view(insight: VmInsight, snapshot: Snapshot, *, of_pair: bool = False) -> Explanation:
    """Put the explanation of a VM into words; `of_pair` where one target was asked for."""
    names = Names(snapshot)
    if insight.resting:
        return resting_view(insight, names, _vm_verdict(insight, names), of_pair=of_pair)
    if of_pair and insight.targets:
        return _pair_view(insight, names)
    tables = (_change_table(insight, names), _target_table(insight, names))
    return Explanation(
        verdict=_vm_verdict(insight, names),
        facts=tuple(_vm_facts(insight, names)),
        tables=tuple(table for table in tables if table.rows),
    )


def host_view(insight: HostInsight, snapshot: Snapshot) -> Explanation:
    """Put the explanation of a host into words."""
    names = Names(snapshot)
    facts = snapshot.host_by_id[insight.host]
    state = "" if facts.state.value == "connected" else f" ({facts.state.value.replace('_', ' ')})"
    leaves, comes = len(insight.leaving), len(insight.arriving)
    gives = f"{counted(leaves, 'VM')} {'leaves' if leaves == 1 else 'leave'}"
    takes = f"{counted(comes, 'VM')} {'comes' if comes == 1 else 'come'}"
    stay = insight.may_leave + len(insight.cannot_leave)
    elsewhere = insight.may_come + len(insight.cannot_come)
    tables = (
        _load_table(insight),
        _move_table("Leaving", "to", insight.leaving, lambda move: names.host(move.target)),
        _move_table("Arriving", "from", insight.arriving, lambda move: names.host(move.source)),
        _barred_table("Cannot leave", insight.cannot_leave, names),
        _barred_table("Cannot come", insight.cannot_come, names),
    )
    return Explanation(
        verdict=f"{names.host(insight.host)}{state}: {gives}, {takes}",
        facts=(
            (
                "could leave",
                f"{insight.may_leave:,} of {counted(stay, 'VM that stays', 'VMs that stay')}",
            ),
            ("could come", f"{insight.may_come:,} of {counted(elsewhere, 'VM')} elsewhere"),
        ),
        tables=tuple(table for table in tables if table.rows),
    )


def _vm_verdict(insight: VmInsight, names: Names) -> str:
    name, host = names.vm(insight.vm), names.host(insight.host)
    if not insight.moves:
        reason = insight.stays.reason if insight.stays else None
        return f"{name} stays on {host}: {reason_text(reason).phrase if reason else 'no move'}"
    way = " -> ".join([host, *(names.host(move.target) for move in insight.moves)])
    first = insight.moves[-1]
    return f"{name} moves {way} in wave {first.wave} ({first.reason.word})"


def _vm_facts(insight: VmInsight, names: Names) -> list[tuple[str, str]]:
    facts = [("why", move.why) for move in insight.moves if move.why]
    if insight.stays:
        facts.append(("why", told(insight.stays)))
    if insight.relax:
        facts.append(("to mend it", insight.relax))
    if insight.moves:
        taken = sum(move.expected_seconds for move in insight.moves)
        copied = sum(move.memory_mib for move in insight.moves)
        waits = "" if all(move.this_run for move in insight.moves) else "; waits for a later run"
        among = f"about {duration(taken)} among the plan's moves"
        facts.append(("takes", f"{among}, {gibibytes(copied)}{waits}"))
    if insight.source is not None:
        wants = f"{insight.cpu_mhz:,.0f} MHz and {gibibytes(insight.memory_mib)} wanted"
        facts.append(("demand", f"{wants}, {gibibytes(insight.footprint_mib)} held"))
    mates = [vm for vm in insight.movers if vm != insight.vm]
    if mates:
        facts.append(("goes with", listed(names.vms(mates), MOST_NAMES)))
    return [*facts, *_choice_facts(insight, names)]


def _choice_facts(insight: VmInsight, names: Names) -> list[tuple[str, str]]:
    chosen, second = insight.chosen, insight.runner_up
    facts = [("worth", _worth(chosen))] if chosen else []
    if second:
        label = "next best" if chosen else "best target"
        facts.append((label, f"{names.host(second.host)}: {_worth(second)}"))
    return facts


def _worth(target: TargetInsight) -> str:
    return (
        f"gain {millionths(target.gain)}, price {millionths(target.price)}, "
        f"net {millionths(target.net)}, {duration(target.seconds)} alone"
    )


def _change_table(insight: VmInsight, names: Names) -> Table:
    """Return source and target with and without the VM; of a VM that stays, its best target."""
    title = "The move" if insight.chosen else "What a move to the best target would change"
    return _changes(title, insight, insight.chosen or insight.runner_up, names)


def _changes(title: str, insight: VmInsight, other: TargetInsight | None, names: Names) -> Table:
    rows: tuple[tuple[str, ...], ...] = ()
    if insight.source is not None and other is not None:
        rows = (
            _change_row(names.host(insight.host), *insight.source),
            _change_row(names.host(other.host), other.before, other.after),
        )
    return Table(
        title=title,
        headings=("host", "CPU", "memory", "held", "cost", ""),
        rows=rows,
        figures=5,
        note=f"{OTHERS_DONE} {COST_NOTE}",
    )


def _change_row(name: str, before: HostFigures, after: HostFigures) -> tuple[str, ...]:
    pairs = (
        (before.cpu_ratio, after.cpu_ratio),
        (before.memory_ratio, after.memory_ratio),
        (before.footprint_ratio, after.footprint_ratio),
    )
    loads = [f"{percent(old)} -> {percent(new)}" for old, new in pairs]
    return (name, *loads, f"{millionths(before.cost)} -> {millionths(after.cost)}", "")


def _target_table(insight: VmInsight, names: Names) -> Table:
    barred = [t for t in insight.targets if not t.is_chosen and _is_barred(t)]
    shown = [t for t in insight.targets if t.is_chosen or not _is_barred(t)]
    rows = tuple(_target_row(target, names) for target in shown)
    rows += tuple(_barred_rows(barred, names))
    return Table(
        title="Every other host",
        headings=("host", "gain", "price", "net", "alone", "answer"),
        rows=rows,
        figures=5,
        note=f"{OTHERS_DONE} {COST_NOTE}",
    )


def _is_barred(target: TargetInsight) -> bool:
    """Whether something other than its price rules a target out, so that figures say nothing."""
    return any(gate.after for gate in target.gates if gate.name != PRICE)


def _target_row(target: TargetInsight, names: Names) -> tuple[str, ...]:
    figures = (
        millionths(target.gain),
        millionths(target.price),
        millionths(target.net),
        duration(target.seconds),
    )
    return (names.host(target.host), *figures, _answer(target, names))


def _barred_rows(targets: Sequence[TargetInsight], names: Names) -> list[tuple[str, ...]]:
    """Return a row for each host, or for many hosts with one and the same answer."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for target in targets:
        alike[_answer(target, names)].append(names.host(target.host))
    rows: list[tuple[str, ...]] = []
    for answer, hosts in alike.items():
        ordered = sorted(hosts, key=natural)
        if len(ordered) < MANY_ALIKE:
            rows += [(host, "", "", "", "", answer) for host in ordered]
        else:
            told = f"{answer}: {listed(ordered, MOST_HOSTS)}"
            rows.append((counted(len(ordered), "host"), "", "", "", "", told))
    return rows


def _answer(target: TargetInsight, names: Names) -> str:
    refusal, now = target.refusal, target.refusal_now
    if target.is_chosen:
        return "chosen"
    if refusal is None:
        return "open" if now is None else f"open; as things stand: {_short(now, target, names)}"
    told = _short(refusal, target, names)
    return f"{told}; open as things stand" if now is None else told


def _short(refusal: Refusal, target: TargetInsight, names: Names) -> str:
    """Return a refusal without the host and the figures that its row has already."""
    if refusal.reason is Reason.NO_GAIN:
        return f"{reason_text(refusal.reason).phrase} [{refusal.reason}]"
    text = told(refusal)
    full = names.full_host(target.host)
    return text.removeprefix(f"{full}: ")


def _pair_view(insight: VmInsight, names: Names) -> Explanation:
    target = insight.targets[0]
    name, host = names.vm(insight.vm), names.host(target.host)
    refusal, now = target.refusal, target.refusal_now
    if target.is_chosen:
        verdict = _vm_verdict(insight, names)
    elif refusal is None:
        verdict = f"{name} may go to {host}, and it would pay; the plan does not need it"
    else:
        verdict = f"{name} does not go to {host}: {told(refusal)}"
    rows = check_rows(target)
    facts = [("worth", _worth(target)), *server_facts(target.server), *mends(rows)]
    if refusal is not None and now is None:
        facts.append(("now", "as things stand nothing speaks against it"))
    if refusal is None and now is not None:
        facts.append(("now", f"as things stand: {told(now)}"))
    gates = Table(
        title=CHECK_TITLE,
        headings=CHECK_HEADINGS,
        rows=tuple(map(check_cells, rows)),
        figures=3,
        note=CHECK_NOTE,
    )
    change = _changes("What the move changes", insight, target, names)
    return Explanation(verdict=verdict, facts=tuple(facts), tables=(gates, change))


def _load_table(insight: HostInsight) -> Table:
    before, after = insight.before, insight.after
    (cpu, memory), (cpu_most, memory_most) = insight.thresholds, insight.ceilings
    most = f"{insight.most_vms:,}" if insight.most_vms is not None else ""

    def row(label: str, old: str, new: str, *limits: str) -> tuple[str, ...]:
        return (label, old, new, *limits, "")

    def share(label: str, old: float, new: float, *limits: str) -> tuple[str, ...]:
        return row(label, percent(old), percent(new), *limits)

    rows = (
        share("CPU demand", before.cpu_ratio, after.cpu_ratio, percent(cpu), percent(cpu_most)),
        share("memory demand", before.memory_ratio, after.memory_ratio, percent(memory), ""),
        share(
            "memory held", before.footprint_ratio, after.footprint_ratio, "", percent(memory_most)
        ),
        row("VMs", f"{before.vms:,}", f"{after.vms:,}", "", most),
        row("cost", millionths(before.cost), millionths(after.cost), "", ""),
    )
    headings = ("", "now", "then", "relieved above", "filled to at most", "")
    return Table(title="Load", headings=headings, rows=rows, figures=5, note=COST_NOTE)


def _move_table(
    title: str, heading: str, moves: Sequence[Move], other: Callable[[Move], str]
) -> Table:
    rows = tuple(
        (
            move.vm_name.strip() or move.vm,
            other(move),
            move.reason.word,
            duration(move.expected_seconds),
            gibibytes(move.memory_mib),
            move.why,
        )
        for move in moves
    )
    headings = ("VM", heading, "reason", "about", "memory", "why")
    return Table(title=f"{title} ({len(rows)})", headings=headings, rows=rows, figures=5)


def _barred_table(title: str, refusals: Sequence[Refusal], names: Names) -> Table:
    rows = tuple(_barred_row(group, names) for group in group_by_reason(refusals))
    return Table(title=f"{title} ({len(refusals)})", headings=("VMs", "why"), rows=rows, figures=1)


def _barred_row(group: RefusalGroup, names: Names) -> tuple[str, ...]:
    shown = listed(names.vms(group.vms), MOST_NAMES)
    return f"{group.count:,}", f"{reason_text(group.reason).phrase}: {shown} [{group.reason}]"


def millionths(cost: float) -> str:
    """Return a cost in millionths, without a negative zero."""
    return f"{round(cost * 1e6, 1) + 0.0:,.1f}"
