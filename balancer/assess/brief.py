"""What a finished plan says of itself: how sure its durations are, what is risky, what stays safe on the way.

Derived from the need, the policy and the journal alone; what nobody measured stays unknown. It decides nothing: the
planner has decided before. The rules behind the figures are told in docs/operate/reports.md.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from itertools import groupby
from math import exp

import numpy as np

from balancer.assess.pace import spread_of
from balancer.model.brief import (
    Brief,
    Consent,
    FactQuality,
    FailoverRoom,
    FailoverState,
    MoveBrief,
    PeakLoad,
    Risk,
    WindowState,
)
from balancer.model.duration import MOST_DIRTY_RATIO, SETUP_SECONDS, Copy, copy_of
from balancer.model.fingerprint import fingerprint
from balancer.model.need import Need
from balancer.model.outcome import JournalRow, MoveState
from balancer.model.plan import Move, Plan
from balancer.model.units import HostId, Seconds, VmId, percent
from balancer.policy.in_force import InForce
from balancer.policy.types import Limits, Policy
from balancer.policy.windows import closes_at, is_open, opens_at
from balancer.rules.failover import failures_to_tolerate, losses
from balancer.rules.placement import Ground, Placement

NINE_OF_TEN = 1.645
"""Standard deviations on either side between which nine of ten values of a normal spread lie."""

MUCH_DIRTIED = 0.4
"""Above this share of the bandwidth more than two thirds of the memory are sent again."""

LONG_S: Seconds = 600.0
"""A move that may take longer than this is more likely to meet something that ends it."""

SWAPPED_MIB = 64.0
"""Memory that a VM has swapped out must be read back to be copied; less than this is not told."""

LOOKS = 50_000
"""VMs looked at over all states of the way, so that a plan of many waves in a large cluster stays quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What all figures of one plan are derived from."""

    need: Need
    policy: Policy
    plan: Plan
    in_force: InForce
    rows: Sequence[JournalRow]
    spread: float


def brief_of(
    need: Need,
    policy: Policy,
    plan: Plan,
    *,
    in_force: InForce,
    rows: Sequence[JournalRow],
    now: datetime,
) -> Brief:
    """Return what reports say of a plan beside its moves. `rows` are the journal's, as far as remembered."""
    spread, count = spread_of(rows, now=now)
    scene = _Scene(need=need, policy=policy, plan=plan, in_force=in_force, rows=rows, spread=spread)
    source, slot = need.snapshot.source, need.snapshot.profile_slot_seconds
    peaks = tuple(_peaks(scene))
    return Brief(
        source=source.kind.value,
        vcenter=source.name,
        policy=policy.name,
        policy_digest=fingerprint(policy),
        expires_at=now + timedelta(seconds=policy.limits.approved_plan_age_s),
        spread=spread,
        spread_from=count,
        moves=tuple(_moves(scene)),
        failover=_failover(scene),
        quality=_quality(need, now),
        limits=tuple(_limits(policy.limits)),
        windows=tuple(_windows(policy, now)),
        peaks=peaks,
        horizon_s=_slots(need) * slot if peaks and slot else None,
    )


def _moves(scene: _Scene) -> Iterator[MoveBrief]:
    failures = _failures(scene.rows)
    musts = {move.vm for move in scene.plan.moves if move.reason.is_mandatory}
    loads = {load.id: load for load in scene.plan.after.hosts}
    hot = {
        host
        for host, load in loads.items()
        if load.cpu_ratio > scene.policy.thresholds.cpu_contention
        or load.memory_ratio > scene.policy.thresholds.memory_contention
    }
    for move in scene.plan.moves:
        copy, factor = _copy(scene, move), exp(NINE_OF_TEN * scene.spread)
        high = move.expected_seconds * factor
        risk, because = _risk(
            scene, move, copy, failed=failures[move.vm], is_hot=move.target in hot
        )
        yield MoveBrief(
            move=move.id,
            low_seconds=min(max(move.expected_seconds / factor, SETUP_SECONDS), high),
            high_seconds=high,
            copy_mib=copy.sent_mib if copy else None,
            stun_seconds=copy.stun_seconds if copy else None,
            risk=risk,
            because=because,
            consent=_consent(scene.in_force, move, is_mandatory=move.vm in musts),
        )


def _copy(scene: _Scene, move: Move) -> Copy | None:
    vm = scene.need.snapshot.vm_by_id.get(move.vm)
    if vm is None or vm.dirty_rate_mbps is None or move.memory_mib <= 0.0:
        return None
    return copy_of(move.memory_mib, move.expected_seconds / move.pace, vm.dirty_rate_mbps)


def _failures(rows: Iterable[JournalRow]) -> Counter[VmId]:
    return Counter(row.entry.vm for row in rows if row.state is MoveState.FAILED)


def _risk(
    scene: _Scene, move: Move, copy: Copy | None, *, failed: int, is_hot: bool
) -> tuple[Risk, tuple[str, ...]]:
    high, medium = [], []
    vm = scene.need.snapshot.vm_by_id.get(move.vm)
    if failed:
        high.append(f"{failed} of its migrations failed lately")
    if copy and copy.dirty_ratio >= MOST_DIRTY_RATIO:
        high.append("it dirties memory so fast that the guest is slowed down until the copy ends")
    elif copy and copy.dirty_ratio >= MUCH_DIRTIED:
        medium.append(f"it dirties memory at {percent(copy.dirty_ratio)} of the copy's bandwidth")
    if move.expected_seconds * exp(NINE_OF_TEN * scene.spread) > LONG_S:
        medium.append(f"it may take longer than {LONG_S / 60:.0f} min")
    if vm is not None and (vm.memory_swapped_mib or 0.0) >= SWAPPED_MIB:
        medium.append(f"{vm.memory_swapped_mib:,.0f} MiB are swapped out and must be read back")
    if is_hot:
        medium.append("its target is above a contention threshold after the plan")
    unknown = () if copy else ("how fast it dirties memory is not measured",)
    level = Risk.HIGH if high else Risk.MEDIUM if medium else Risk.LOW
    return level, (*high, *medium, *unknown)


def _consent(in_force: InForce, move: Move, *, is_mandatory: bool) -> Consent:
    if in_force.refusal(move, is_mandatory=is_mandatory) is None:
        return Consent.NOT_NEEDED
    approved = replace(in_force, is_approved=True)
    held = approved.refusal(move, is_mandatory=is_mandatory)
    return Consent.NOT_ENOUGH if held else Consent.NEEDED


def _failover(scene: _Scene) -> FailoverRoom:
    snapshot, moves = scene.need.snapshot, scene.plan.moves
    tolerated, waves = failures_to_tolerate(snapshot), scene.plan.waves
    states: list[FailoverState] = []
    if tolerated:
        placement = Placement(Ground(snapshot, scene.policy, scene.need.demand))
        looked = _looked_at(waves, len(snapshot.running_vms))
        states.append(_state(0, placement))
        for wave, members in groupby(moves, key=lambda move: move.wave):
            for move in members:
                placement.move(move.vm, move.target)
            if wave in looked:
                states.append(_state(wave, placement))
    hosts = len(snapshot.serving_hosts)
    return FailoverRoom(tolerated=tolerated, hosts=hosts, waves=waves, states=tuple(states))


def _looked_at(waves: int, vms: int) -> frozenset[int]:
    """Return the waves after which is looked: all of them, or as many as `LOOKS` allows, evenly spaced."""
    most = max(LOOKS // max(vms, 1), 2)
    if waves <= most:
        return frozenset(range(1, waves + 1))
    return frozenset(round(step * waves / most) for step in range(1, most + 1))


def _state(wave: int, placement: Placement) -> FailoverState:
    return FailoverState(wave=wave, lost=tuple(loss.host for loss in losses(placement)))


def _slots(need: Need) -> int:
    return len(next(iter(need.demand.values())).cpu_slots_mhz) if need.demand else 0


def _peaks(scene: _Scene) -> Iterator[PeakLoad]:
    """Yield the peaks of each host over the slots of the forecast; nothing where there is none."""
    need = scene.need
    if not _slots(need):
        return
    stay = {vm.id: vm.host for vm in need.snapshot.running_vms}
    then = stay | {move.vm: move.target for move in scene.plan.moves}
    now, after = _highest(need, stay), _highest(need, then)
    for host in need.snapshot.hosts:
        cpu, memory = now[host.id]
        cpu_after, memory_after = after[host.id]
        yield PeakLoad(
            host=host.id,
            cpu_ratio=cpu,
            memory_ratio=memory,
            cpu_ratio_after=cpu_after,
            memory_ratio_after=memory_after,
        )


def _highest(need: Need, where: Mapping[VmId, HostId]) -> dict[HostId, tuple[float, float]]:
    """Return the highest ratio of CPU and memory of each host, each in its own slot."""
    cpu = {host.id: np.zeros(_slots(need)) for host in need.snapshot.hosts}
    memory = {host.id: np.zeros(_slots(need)) for host in need.snapshot.hosts}
    for vm, demand in need.demand.items():
        cpu[where[vm]] += np.array(demand.cpu_slots_mhz)
        memory[where[vm]] += np.array(demand.memory_slots_mib)
    return {
        host.id: (
            float(cpu[host.id].max()) / host.usable_cpu_mhz,
            float(memory[host.id].max()) / host.usable_memory_mib,
        )
        for host in need.snapshot.hosts
    }


def _quality(need: Need, now: datetime) -> FactQuality:
    snapshot = need.snapshot
    times = [vm.sampled_at for vm in snapshot.running_vms if vm.sampled_at]
    source = snapshot.source
    return FactQuality(
        hosts=len(snapshot.hosts),
        lost_hosts=sum(not host.state.answers for host in snapshot.hosts),
        vms=len(snapshot.running_vms),
        estimated_vms=sum(not demand.is_measured for demand in need.demand.values()),
        unread_objects=source.rejected_objects,
        hidden_objects=source.denied_objects,
        oldest_sample_s=(now - min(times)).total_seconds() if times else None,
        statistics=source.statistics.value if source.statistics else "",
        tags=source.tags.value,
    )


def _limits(limits: Limits) -> Iterator[tuple[str, float]]:
    """Yield every limit by the policy's own word."""
    for field in fields(limits):
        yield field.name, float(getattr(limits, field.name))


def _windows(policy: Policy, now: datetime) -> Iterator[WindowState]:
    for window in policy.windows:
        is_opened = is_open(window, now)
        changes_at = closes_at(window, now) if is_opened else opens_at(window, now)
        yield WindowState(
            name=window.name,
            effect=window.effect.value,
            is_open=is_opened,
            changes_at=changes_at,
        )
