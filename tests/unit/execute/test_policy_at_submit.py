"""What a policy says holds at submit as it did in the plan, on facts that were read anew (S5, S7)."""

from dataclasses import replace

import pytest

from balancer.model.outcome import MoveState
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot, Source, TagsState
from balancer.policy.mode import Mode
from balancer.policy.rule_types import PolicyRule, RuleKind, VmMode
from balancer.policy.selector import Selector
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm
from tests.unit.execute.stage import Stage, host_id, move, vm_id

PAIR = Selector(names=("vm1", "vm2"))
ONE = Selector(names=("vm1",))


def rules(*given: PolicyRule) -> Policy:
    return Policy(rules=given)


def of(kind: RuleKind, vms: Selector = PAIR, **facts: object) -> Policy:
    return rules(PolicyRule(name="r", kind=kind, vms=vms, **facts))  # type: ignore[arg-type]


def pair_apart(*tags: str) -> Snapshot:
    """vm-1 on host-1 and vm-2 on host-2, both with the tags."""
    both = frozenset(tags)
    hosts = [host(n, groups=frozenset({f"rack-{n}"})) for n in (1, 2, 3)]
    return snapshot(hosts, [vm(1, on=1, tags=both), vm(2, on=2, tags=both)])


def stage_for(policy: Policy, base: Snapshot) -> Stage:
    stage = Stage(base=base)
    stage.policy = replace(policy, limits=stage.limits)
    return stage


CASES = [
    ("anti-affinity", of(RuleKind.ANTI_AFFINITY), (), Reason.ANTI_AFFINITY),
    ("max per host", of(RuleKind.MAX_PER_HOST), (), Reason.ANTI_AFFINITY),
    (
        "run on",
        of(RuleKind.VM_HOST, hosts=Selector(names=("esx1",))),
        (),
        Reason.VM_HOST_AFFINE,
    ),
    (
        "keep off",
        of(RuleKind.VM_HOST, hosts=Selector(names=("esx2",)), keeps_off=True),
        (),
        Reason.VM_HOST_ANTI_AFFINE,
    ),
    ("exclude", of(RuleKind.EXCLUDE, ONE), (), Reason.EXCLUDED),
    ("mode", Policy(vm_modes=(VmMode(vms=ONE, mode=Mode.PARTIAL),)), (), Reason.OBSERVE_MODE),
    ("manual", Policy(vm_modes=(VmMode(vms=ONE, mode=Mode.MANUAL),)), (), Reason.NOT_APPROVED),
    ("tag apart", Policy(), ("balancer:anti-affinity:x",), Reason.ANTI_AFFINITY),
    ("tag keep off", Policy(), ("balancer:keep-off:rack-2",), Reason.VM_HOST_ANTI_AFFINE),
    ("tag exclude", Policy(), ("balancer:exclude",), Reason.EXCLUDED),
    ("tag mode", Policy(), ("balancer:mode:observe",), Reason.OBSERVE_MODE),
]
BY_NAME = pytest.mark.parametrize(
    ("policy", "tags", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)


@BY_NAME
def test_s7_a_move_that_the_policy_forbids_is_not_sent_whatever_the_plan_says(
    policy: Policy, tags: tuple[str, ...], reason: Reason
) -> None:
    stage = stage_for(policy, pair_apart(*tags))
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is reason
    assert stage.vcenter.submits[vm_id(1)] == 0


@BY_NAME
def test_the_same_move_is_sent_without_it(
    policy: Policy, tags: tuple[str, ...], reason: Reason
) -> None:
    del policy, tags, reason
    stage = stage_for(Policy(), pair_apart())
    assert stage.run(move(1, 1, 2))["m-001"].state is MoveState.DONE


def put_tags(stage: Stage, *tags: str) -> None:
    for number in (1, 2):
        stage.vcenter.put_vm(vm_id(number), tags=frozenset(tags))


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("balancer:anti-affinity:x", Reason.ANTI_AFFINITY),
        ("balancer:exclude:balance", Reason.EXCLUDED),
        ("balancer:mode:partial", Reason.OBSERVE_MODE),
    ],
)
def test_a_tag_that_was_set_after_the_plan_counts_at_submit(tag: str, reason: Reason) -> None:
    stage = stage_for(Policy(), pair_apart())
    put_tags(stage, tag)
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is reason


def lose_tags(stage: Stage) -> None:
    put_tags(stage)
    stage.vcenter._become(source=Source(tags=TagsState.UNREACHABLE))


def test_tags_that_cannot_be_read_at_submit_are_those_of_the_plan() -> None:
    stage = stage_for(Policy(), pair_apart("balancer:anti-affinity:x"))
    lose_tags(stage)
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.ANTI_AFFINITY


@pytest.mark.parametrize(
    ("reason", "is_sent"), [(MoveReason.BALANCE, False), (MoveReason.EVACUATE, True)]
)
def test_where_tags_are_hidden_at_submit_only_what_must_be_is_sent(
    reason: MoveReason, is_sent: bool
) -> None:
    stage = stage_for(Policy(), pair_apart())
    stage.vcenter._become(source=Source(tags=TagsState.INCOMPLETE))
    outcome = stage.run(move(1, 1, 2, reason=reason))["m-001"]
    assert (outcome.state is MoveState.DONE) is is_sent
    assert is_sent or (outcome.refusal and outcome.refusal.reason is Reason.FACTS_UNKNOWN)


def test_members_of_a_policys_rule_that_were_not_named_are_read_anew() -> None:
    policy = of(RuleKind.ANTI_AFFINITY, Selector(names=("vm1", "vm2")))
    base = snapshot([host(1), host(2), host(3)], [vm(1, on=1), vm(2, on=3)])
    stage = stage_for(policy, base)
    stage.vcenter.put_vm(vm_id(2), host=host_id(2))
    refusal = stage.run(move(1, 1, 2))["m-001"].refusal
    assert refusal
    assert refusal.reason is Reason.ANTI_AFFINITY
