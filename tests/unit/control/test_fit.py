"""Which changed facts make an earlier plan stale, each in words: what was, and what is."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from balancer.fit import Fit, Moment, fit
from balancer.model.host import HostState
from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import HostId
from balancer.model.vm import PowerState
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.support.builders import NOON, rule
from tests.unit.control.board import ROOMY, uneven

SNAPSHOT = replace(uneven(), rules=(rule("apart", RuleType.ANTI_AFFINITY, [1, 2]),))
PLAN = plan_snapshot(SNAPSHOT, ROOMY, settings=PlanSettings())
FIRST = PLAN.moves[0]
OTHER = next(h.id for h in SNAPSHOT.hosts if h.id not in (FIRST.source, FIRST.target))


def fitting(
    fresh: Snapshot, *, plan: Plan = PLAN, policy: Policy = ROOMY, unfit: tuple[Refusal, ...] = ()
) -> Fit:
    return fit(plan, policy, Moment(snapshot=fresh, past=Past(), unfit=unfit, now=NOON))


def with_vm(**facts: object) -> Snapshot:
    """Return the snapshot with the first mover changed."""
    return replace(
        SNAPSHOT,
        vms=tuple(replace(v, **facts) if v.id == FIRST.vm else v for v in SNAPSHOT.vms),  # type: ignore[arg-type]
    )


def with_target(**facts: object) -> Snapshot:
    return replace(
        SNAPSHOT,
        hosts=tuple(replace(h, **facts) if h.id == FIRST.target else h for h in SNAPSHOT.hosts),  # type: ignore[arg-type]
    )


def without_vm() -> Snapshot:
    return replace(SNAPSHOT, vms=tuple(v for v in SNAPSHOT.vms if v.id != FIRST.vm))


def flying() -> Snapshot:
    return replace(SNAPSHOT, in_flight=(InFlight(vm=FIRST.vm, source=FIRST.source, target=OTHER),))


def ruled(*rules: object) -> Snapshot:
    return replace(SNAPSHOT, rules=tuple(rules))  # type: ignore[arg-type]


NEAR = rule("near", RuleType.AFFINITY, [int(FIRST.vm.removeprefix("vm-")), 99])

CASES: dict[str, tuple[Callable[[], Snapshot], str]] = {
    "gone": (without_vm, f"VM {FIRST.vm_name} was there, is gone"),
    "moved": (lambda: with_vm(host=OTHER), f"VM {FIRST.vm_name} was on esx1, is on esx"),
    "another": (lambda: with_vm(uuid="other"), f"{FIRST.vm} was VM {FIRST.vm_name} (uuid-"),
    "off": (lambda: with_vm(power=PowerState.OFF), "was running, is powered off"),
    "in flight": (flying, "stood still, is being migrated"),
    "target gone": (
        lambda: replace(SNAPSHOT, hosts=tuple(h for h in SNAPSHOT.hosts if h.id != FIRST.target)),
        f"host {FIRST.target} was there, is gone",
    ),
    "target leaves": (
        lambda: with_target(state=HostState.ENTERING_MAINTENANCE),
        "took VMs, is entering maintenance",
    ),
    "new rule": (lambda: ruled(*SNAPSHOT.rules, NEAR), "rule 'near' was not there, is"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_changed_fact_leaves_its_move_out_and_says_what_was_and_what_is(name: str) -> None:
    change, words = CASES[name]
    found = fitting(change())
    assert FIRST.id not in {move.id for move in found.moves}
    assert found.left_out[FIRST.id].reason is Reason.FACT_CHANGED
    assert words in found.left_out[FIRST.id].detail
    assert any(words in refusal.detail for refusal in found.changed)


def test_where_nothing_has_changed_all_of_it_fits() -> None:
    assert fitting(SNAPSHOT) == Fit(moves=PLAN.moves, left_out={}, changed=())


@pytest.mark.parametrize(
    "rules", [(), (rule("apart", RuleType.ANTI_AFFINITY, [1, 2, 3]),)], ids=["gone", "wider"]
)
def test_a_rule_that_is_gone_or_another_one_leaves_its_vms_out(rules: tuple[object, ...]) -> None:
    movers = {move.vm for move in PLAN.moves} & {"vm-1", "vm-2"}
    assert movers
    found = fitting(ruled(*rules))
    left = {move.vm for move in PLAN.moves if move.id in found.left_out}
    assert movers <= left
    assert any("rule 'apart' was there, is" in refusal.detail for refusal in found.changed)


def test_a_host_that_was_asked_to_be_emptied_since_takes_none() -> None:
    asked = replace(ROOMY, evacuating=frozenset({HostId(FIRST.target)}))
    found = fitting(SNAPSHOT, policy=asked)
    assert "is asked to be emptied" in found.left_out[FIRST.id].detail


def test_on_stale_or_partial_facts_nothing_fits() -> None:
    stale = Refusal.of(Reason.SNAPSHOT_STALE, "it is old")
    found = fitting(SNAPSHOT, unfit=(stale,))
    assert (found.moves, found.changed) == ((), (stale,))


def test_with_hosts_lost_only_what_must_be_goes_on() -> None:
    lost = Refusal.of(Reason.HOSTS_LOST, "two hosts")
    found = fitting(SNAPSHOT, unfit=(lost,))
    assert all(move.reason.is_mandatory for move in found.moves)
    assert {r.reason for r in found.left_out.values()} <= {
        Reason.HOSTS_LOST,
        Reason.DEPENDENCY_FAILED,
    }


def test_what_waits_for_a_move_that_is_left_out_is_left_out_too() -> None:
    waits = replace(PLAN.moves[-1], after=(FIRST.id,), wave=PLAN.moves[-1].wave + 1)
    plan = replace(PLAN, moves=(*PLAN.moves[:-1], waits))
    found = fitting(without_vm(), plan=plan)
    assert found.left_out[waits.id].reason is Reason.DEPENDENCY_FAILED
    assert FIRST.vm_name in found.left_out[waits.id].detail


def test_a_full_target_is_found_by_the_independent_check() -> None:
    full = with_target(memory_capacity_mib=1024.0)
    found = fitting(full)
    assert FIRST.id in found.left_out
    assert "breaks a law" in found.left_out[FIRST.id].detail
