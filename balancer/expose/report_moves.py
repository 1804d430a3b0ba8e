"""The moves of a plan as rows: what each is for, what is expected of it, and what it hangs together with.

A part of `report_view`; strings are not escaped yet.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from balancer.expose.report_facts import LEAST_FALL
from balancer.expose.report_rows import MoveRow, WaveRows
from balancer.model.brief import Consent, MoveBrief
from balancer.model.plan import Move, Plan
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, MoveId, Ratio, VmId

CONSENT_WORDS = {
    Consent.NOT_NEEDED: "none needed",
    Consent.NEEDED: "needed",
    Consent.NOT_ENOUGH: "not enough now",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What a row of a move is made of beside the move."""

    snapshot: Snapshot
    briefs: Mapping[MoveId, MoveBrief]
    blocks: Mapping[MoveId, tuple[str, ...]]
    rules: Mapping[VmId, tuple[str, ...]]
    fall: float


def _around(plan: Plan, snapshot: Snapshot) -> _Around:
    blocks: defaultdict[MoveId, list[str]] = defaultdict(list)
    rules: defaultdict[VmId, list[str]] = defaultdict(list)
    for move in plan.moves:
        for earlier in move.after:
            blocks[earlier].append(move.id)
    for mark in plan.rules:
        for vm in mark.vms:
            rules[vm].append(mark.name)
    briefs = plan.brief.moves if plan.brief else ()
    return _Around(
        snapshot=snapshot,
        briefs={brief.move: brief for brief in briefs},
        blocks={move: tuple(ids) for move, ids in blocks.items()},
        rules={vm: tuple(names) for vm, names in rules.items()},
        fall=plan.before.cost - plan.after.cost,
    )


def wave_rows(plan: Plan, snapshot: Snapshot) -> tuple[WaveRows, ...]:
    """Return the moves wave by wave, with what the plan's brief says of each."""
    around = _around(plan, snapshot)
    ordered = sorted(plan.moves, key=lambda move: move.wave)  # stable: the order within a wave
    waves = []
    for number, members in groupby(ordered, key=lambda move: move.wave):
        wave = list(members)
        rows = tuple(_move_row(move, around) for move in wave)
        starts_s = min(move.start_seconds for move in wave)
        waves.append(WaveRows(number=number, starts_s=starts_s, moves=rows))
    return tuple(waves)


def _move_row(move: Move, around: _Around) -> MoveRow:
    brief = around.briefs.get(move.id)
    row = MoveRow(
        vm=move.vm_name.strip() or move.vm,
        source=host_name(around.snapshot, move.source),
        target=host_name(around.snapshot, move.target),
        reason=move.reason.word,
        why=move.why,
        seconds=move.expected_seconds,
        memory_mib=move.memory_mib,
        waits=not move.this_run,
        id=move.id,
        starts_s=move.start_seconds,
        share=benefit_share(move, around.fall),
        after=tuple(move.after),
        blocks=around.blocks.get(move.id, ()),
        rules=around.rules.get(move.vm, ()),
    )
    if brief is None:
        return row
    return replace(
        row,
        low_s=brief.low_seconds,
        high_s=brief.high_seconds,
        copy_mib=brief.copy_mib,
        stun_s=brief.stun_seconds,
        risk=brief.risk.value,
        because=brief.because,
        consent=CONSENT_WORDS[brief.consent],
    )


def benefit_share(move: Move, fall: float) -> Ratio | None:
    """Return the part of a plan's fall in cost that a move stands for; None where the cost does not fall."""
    return move.gain / fall if fall > LEAST_FALL else None


def host_name(snapshot: Snapshot, host: HostId) -> str:
    """Return a host's name, or its id where it has none that shows."""
    known = snapshot.host_by_id.get(host)
    return (known.name.strip() if known else "") or host
