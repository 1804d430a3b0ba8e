from dataclasses import replace
from typing import Any

import pytest

from balancer.model.goal import Goal
from balancer.model.reasons import Reason
from balancer.model.rule import RuleOrigin, RuleType
from balancer.model.snapshot import Snapshot, Source, TagsState
from balancer.model.vm import Automation, PowerState
from balancer.policy.mode import Mode
from balancer.policy.resolve import resolve
from balancer.policy.resolved import NoteKind, Resolved
from balancer.policy.rule_types import (
    DrsHandling,
    Enforce,
    PolicyRule,
    RuleKind,
    SoftenedRule,
    TagRules,
    VmMode,
)
from balancer.policy.selector import Selector
from balancer.policy.types import Policy
from tests.support.builders import host, rule, snapshot, vm

WEBS = Selector(globs=("web-*",))
HOST_ONE = Selector(names=("esx1",))


def tagged(*tags: str) -> frozenset[str]:
    return frozenset(tags)


def site(*tags: str, **facts: Any) -> Snapshot:
    """Two webs and a database on three hosts, of which two are in a group; `tags` are those of the webs."""
    rack = frozenset({"rack-a"})
    return snapshot(
        [host(1, groups=rack), host(2, groups=rack), host(3)],
        [
            vm(1, on=1, name="web-1", tags=frozenset(tags)),
            vm(2, on=1, name="web-2", tags=frozenset(tags)),
            vm(3, on=2, name="db-1"),
        ],
        **facts,
    )


def of(kind: RuleKind, name: str = "r", vms: Selector = WEBS, **facts: Any) -> PolicyRule:
    return PolicyRule(name=name, kind=kind, vms=vms, **facts)


def resolved(*rules: PolicyRule, snap: Snapshot | None = None, **settings: Any) -> Resolved:
    return resolve(snap or site(), Policy(rules=rules, **settings))


def kinds(found: Resolved) -> list[NoteKind]:
    return [note.kind for note in found.notes]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(of(RuleKind.AFFINITY), rule("r", RuleType.AFFINITY, (1, 2)), id="affinity"),
        pytest.param(
            of(RuleKind.ANTI_AFFINITY, enforce=Enforce.SHOULD, weight=3.0, most=2),
            rule("r", RuleType.ANTI_AFFINITY, (1, 2), mandatory=False, weight=3.0, most=2),
            id="anti-affinity",
        ),
        pytest.param(
            of(RuleKind.ANTI_AFFINITY, domains=(Selector(groups=("rack-a",)), HOST_ONE)),
            rule(
                "r",
                RuleType.ANTI_AFFINITY,
                (1, 2),
                domains=((1, 2), (1,)),
            ),
            id="anti-affinity per group of hosts",
        ),
        pytest.param(
            of(RuleKind.MAX_PER_HOST, most=2),
            rule("r", RuleType.ANTI_AFFINITY, (1, 2), most=2),
            id="max per host",
        ),
        pytest.param(
            of(RuleKind.VM_HOST, hosts=HOST_ONE),
            rule("r", RuleType.VM_HOST_AFFINE, (1, 2), on=(1,)),
            id="run on",
        ),
        pytest.param(
            of(RuleKind.VM_HOST, hosts=HOST_ONE, keeps_off=True),
            rule("r", RuleType.VM_HOST_ANTI_AFFINE, (1, 2), on=(1,)),
            id="keep off",
        ),
        pytest.param(
            of(RuleKind.PREFER, hosts=HOST_ONE, enforce=Enforce.SHOULD, weight=2.0),
            rule("r", RuleType.VM_HOST_AFFINE, (1, 2), on=(1,), mandatory=False, weight=2.0),
            id="prefer",
        ),
    ],
)
def test_a_rule_of_the_policy_becomes_a_rule_of_known_vms(given: PolicyRule, expected: Any) -> None:
    assert resolved(given).snapshot.rules == (replace(expected, origin=RuleOrigin.POLICY),)


def test_excluded_vms_are_left_alone_for_the_goals_that_are_named() -> None:
    found = resolved(of(RuleKind.EXCLUDE, exclude_from=frozenset({Goal.BALANCE})))
    assert set(found.excluded) == {Goal.BALANCE}
    assert set(found.excluded[Goal.BALANCE]) == {"vm-1", "vm-2"}
    assert found.snapshot.rules == ()


def test_of_several_modes_of_a_vm_the_most_careful_counts() -> None:
    modes = (VmMode(vms=WEBS, mode=Mode.OBSERVE), VmMode(vms=WEBS, mode=Mode.PARTIAL))
    assert resolved(vm_modes=modes).vm_modes == {"vm-1": Mode.OBSERVE, "vm-2": Mode.OBSERVE}


@pytest.mark.parametrize(
    ("given", "kind", "rules"),
    [
        pytest.param(
            of(RuleKind.AFFINITY, vms=Selector(names=("x",))), NoteKind.NO_VMS, 0, id="no VM"
        ),
        pytest.param(
            of(RuleKind.AFFINITY, vms=Selector(names=("db-1",))), NoteKind.ONE_VM, 0, id="one VM"
        ),
        pytest.param(
            of(RuleKind.VM_HOST, hosts=Selector(names=("x",)), keeps_off=True),
            NoteKind.NO_HOSTS,
            0,
            id="keep off no host",
        ),
        pytest.param(
            of(RuleKind.VM_HOST, hosts=Selector(names=("x",))),
            NoteKind.NO_HOSTS,
            1,
            id="a law to run on no host stays",
        ),
        pytest.param(
            of(RuleKind.ANTI_AFFINITY, domains=(Selector(names=("x",)),)),
            NoteKind.NO_HOSTS,
            1,
            id="a group without hosts",
        ),
        pytest.param(
            of(RuleKind.ANTI_AFFINITY, domains=(Selector(groups=("rack-a",)), HOST_ONE)),
            NoteKind.SHARED_HOST,
            1,
            id="a host in two groups",
        ),
    ],
)
def test_a_rule_without_effect_is_told(given: PolicyRule, kind: NoteKind, rules: int) -> None:
    found = resolved(replace(given, origin="site.yaml:7:5"))
    assert kinds(found) == [kind]
    assert str(found.notes[0]).startswith("site.yaml:7:5: rule 'r'")
    assert len(found.snapshot.rules) == rules


def test_a_rule_named_as_one_of_the_cluster_is_kept_beside_it() -> None:
    snap = site(rules=[rule("r", RuleType.AFFINITY, (1, 3))])
    found = resolved(of(RuleKind.ANTI_AFFINITY, origin="p.yaml:3:1"), snap=snap)
    assert [(r.name, r.origin) for r in found.snapshot.rules] == [
        ("r", RuleOrigin.DRS),
        ("r (policy)", RuleOrigin.POLICY),
    ]
    assert kinds(found) == [NoteKind.SAME_NAME]
    assert found.places == {"r (policy)": "p.yaml:3:1"}


def test_a_rule_of_which_fewer_than_two_vms_run_stays_and_is_told() -> None:
    snap = snapshot(
        [host(1)], [vm(1, on=1, name="web-1"), vm(2, on=1, name="web-2", power=PowerState.OFF)]
    )
    found = resolved(of(RuleKind.ANTI_AFFINITY), snap=snap)
    assert kinds(found) == [NoteKind.ONE_RUNNING]
    assert "1 of its 2 VMs run" in found.notes[0].text
    assert len(found.snapshot.rules) == 1


@pytest.mark.parametrize(
    "found",
    [
        resolved(of(RuleKind.VM_HOST, hosts=Selector(groups=("rack-aa",)))),
        resolved(snap=site("balancer:run-on:rack-aa")),
    ],
    ids=["policy", "tag"],
)
def test_a_misspelt_host_group_is_answered_with_the_nearest(found: Resolved) -> None:
    assert kinds(found) == [NoteKind.NO_HOSTS]
    assert "selects no host (did you mean 'rack-a'?)" in found.notes[0].text


CLUSTER_RULES = (
    rule("keep apart", RuleType.ANTI_AFFINITY, (1, 2)),
    rule("keep together", RuleType.AFFINITY, (1, 3), mandatory=False),
)


@pytest.mark.parametrize(
    ("drs", "expected", "told"),
    [
        pytest.param(DrsHandling(), "apart:must together:should-1", [], id="as they are"),
        pytest.param(
            DrsHandling(rules=False),
            "apart:off together:off",
            [NoteKind.SWITCHED_OFF, NoteKind.SWITCHED_OFF],
            id="all off",
        ),
        pytest.param(
            DrsHandling(ignore_rules=("keep a*",)),
            "apart:off together:should-1",
            [NoteKind.SWITCHED_OFF],
            id="one off",
        ),
        pytest.param(
            DrsHandling(soften_rules=(SoftenedRule(name="keep *", weight=5.0),)),
            "apart:should-5 together:should-5",
            [NoteKind.SOFTENED, NoteKind.SOFTENED],
            id="softened",
        ),
        pytest.param(
            DrsHandling(ignore_rules=("keep appart",)),
            "apart:must together:should-1",
            [NoteKind.NO_SUCH_RULE],
            id="misspelt",
        ),
    ],
)
def test_the_rules_of_the_cluster_count_as_the_policy_says(
    drs: DrsHandling, expected: str, told: list[NoteKind]
) -> None:
    found = resolved(snap=site(rules=CLUSTER_RULES), drs=drs)
    words = [
        f"{r.name.removeprefix('keep ')}:"
        + ("off" if not r.enabled else "must" if r.mandatory else f"should-{r.weight:g}")
        for r in found.snapshot.rules
    ]
    assert " ".join(words) == expected
    assert kinds(found) == told


def test_a_misspelt_rule_of_the_cluster_is_answered_with_the_nearest() -> None:
    drs = DrsHandling(ignore_rules=("keep appart",))
    (note,) = resolved(snap=site(rules=CLUSTER_RULES), drs=drs).notes
    assert note.text.endswith("did you mean 'keep apart'?")


@pytest.mark.parametrize("obeyed", [True, False])
def test_overrides_of_single_vms_count_where_the_policy_obeys_them(obeyed: bool) -> None:
    snap = snapshot([host(1)], [vm(1, on=1, automation=Automation.DISABLED)])
    found = resolved(snap=snap, drs=DrsHandling(overrides=obeyed)).snapshot.vms[0].automation
    assert found is (Automation.DISABLED if obeyed else Automation.FULLY_AUTOMATED)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        pytest.param("balancer:affinity:x", rule("", RuleType.AFFINITY, (1, 2)), id="affinity"),
        pytest.param(
            "balancer:anti-affinity:x", rule("", RuleType.ANTI_AFFINITY, (1, 2)), id="apart"
        ),
        pytest.param(
            "balancer:run-on:rack-a", rule("", RuleType.VM_HOST_AFFINE, (1, 2), on=(1, 2)), id="on"
        ),
        pytest.param(
            "balancer:keep-off:rack-a",
            rule("", RuleType.VM_HOST_ANTI_AFFINE, (1, 2), on=(1, 2)),
            id="off",
        ),
        pytest.param(
            "balancer:prefer:rack-a",
            rule("", RuleType.VM_HOST_AFFINE, (1, 2), on=(1, 2), mandatory=False),
            id="prefer",
        ),
        pytest.param(
            "Balancer:Anti-Affinity:x", rule("", RuleType.ANTI_AFFINITY, (1, 2)), id="any case"
        ),
    ],
)
def test_a_tag_with_the_prefix_is_a_rule(tag: str, expected: Any) -> None:
    found = resolved(snap=site(tag))
    assert found.snapshot.rules == (replace(expected, name=tag, origin=RuleOrigin.TAG),)
    assert found.places == {tag: f"tag {tag}"}
    assert found.notes == ()


@pytest.mark.parametrize(
    ("tag", "goals"),
    [
        ("balancer:exclude", set(Goal)),
        ("balancer:exclude:balance", {Goal.BALANCE}),
        ("balancer:exclude:vm-count", {Goal.VM_COUNT}),
        ("balancer:exclude:vm_count", {Goal.VM_COUNT}),
    ],
)
def test_a_vm_is_excluded_by_tag(tag: str, goals: set[Goal]) -> None:
    found = resolved(snap=site(tag))
    assert set(found.excluded) == goals
    assert all(set(vms) == {"vm-1", "vm-2"} for vms in found.excluded.values())


def test_a_mode_is_set_by_tag() -> None:
    assert resolved(snap=site("balancer:mode:manual")).vm_modes == {
        "vm-1": Mode.MANUAL,
        "vm-2": Mode.MANUAL,
    }


@pytest.mark.parametrize(
    ("tag", "hint"),
    [
        ("balancer:antiaffinity:web", "did you mean 'balancer:anti-affinity:web'?"),
        ("balancer:exlude", "did you mean 'balancer:exclude'?"),
        ("balancer:exclude:balanse", "did you mean 'balancer:exclude:balance'?"),
        ("balancer:mode:manuel", "did you mean 'balancer:mode:manual'?"),
        ("balancer:mode:automatic", "allowed: observe, manual, partial"),
        ("balancer:affinity:", "exclude:GOAL, mode:MODE"),
        ("balancer:zzz", "exclude:GOAL, mode:MODE"),
    ],
)
def test_a_tag_that_is_no_rule_is_told_with_the_nearest_spelling(tag: str, hint: str) -> None:
    found = resolved(snap=site(tag))
    assert kinds(found) == [NoteKind.TAG_NO_RULE]
    assert f"tag '{tag}' on web-1, web-2 is no rule" in found.notes[0].text
    assert found.notes[0].text.endswith(hint)
    assert found.snapshot.rules == ()
    assert found.excluded == {}


@pytest.mark.parametrize(
    "rules", [TagRules(prefix="placement"), TagRules(enabled=False)], ids=["prefix", "disabled"]
)
def test_other_tags_are_no_rules(rules: TagRules) -> None:
    found = resolved(snap=site("balancer:affinity:x"), tag_rules=rules)
    assert (found.snapshot.rules, found.notes) == ((), ())
    other = resolved(snap=site("placement:affinity:x"), tag_rules=rules)
    assert len(other.snapshot.rules) == (1 if rules.enabled else 0)


BY_TAG = Selector(none_of=Selector(tags=("tier:*",)))


@pytest.mark.parametrize("state", [state for state in TagsState if not state.is_known])
@pytest.mark.parametrize(
    ("policy", "is_law"),
    [
        pytest.param(Policy(rules=(of(RuleKind.AFFINITY, vms=BY_TAG),)), True, id="must"),
        pytest.param(Policy(rules=(of(RuleKind.EXCLUDE, vms=BY_TAG),)), True, id="exclude"),
        pytest.param(Policy(vm_modes=(VmMode(vms=BY_TAG, mode=Mode.MANUAL),)), True, id="mode"),
        pytest.param(
            Policy(rules=(of(RuleKind.VM_HOST, hosts=Selector(tags=("x:y",))),)), True, id="hosts"
        ),
        pytest.param(
            Policy(rules=(of(RuleKind.AFFINITY, vms=BY_TAG, enforce=Enforce.SHOULD),)),
            False,
            id="should",
        ),
    ],
)
def test_where_tags_are_not_known_a_selector_by_tag_selects_neither_none_nor_all(
    state: TagsState, policy: Policy, is_law: bool
) -> None:
    policy = replace(policy, tag_rules=TagRules(enabled=False))
    found = resolve(site(source=Source(tags=state)), policy)
    assert kinds(found) == [NoteKind.TAGS_UNKNOWN]
    assert (found.snapshot.rules, found.excluded, found.vm_modes) == ((), {}, {})
    assert [refusal.reason for refusal in found.unfit] == [Reason.FACTS_UNKNOWN] * is_law


@pytest.mark.parametrize("state", [state for state in TagsState if not state.is_known])
def test_rules_that_may_be_hidden_in_tags_make_the_facts_unfit_unless_tags_are_not_in_use(
    state: TagsState,
) -> None:
    found = resolved(snap=site(source=Source(tags=state)))
    is_unfit = state not in (TagsState.OFF, TagsState.UNSUPPORTED)
    assert [refusal.reason for refusal in found.unfit] == [Reason.FACTS_UNKNOWN] * is_unfit


def test_tags_that_are_seen_count_although_others_are_not() -> None:
    found = resolved(snap=site("balancer:affinity:x", source=Source(tags=TagsState.INCOMPLETE)))
    assert len(found.snapshot.rules) == 1


def test_where_no_guest_system_is_known_a_selector_by_one_cannot_be_told() -> None:
    by_guest = Selector(guest_os=("windows*",))
    found = resolved(of(RuleKind.VM_HOST, vms=by_guest, hosts=HOST_ONE))
    assert kinds(found) == [NoteKind.GUEST_OS_UNKNOWN]
    assert [refusal.reason for refusal in found.unfit] == [Reason.FACTS_UNKNOWN]


def test_resolving_what_is_resolved_changes_nothing() -> None:
    policy = Policy(
        rules=(of(RuleKind.AFFINITY, name="keep apart"), of(RuleKind.EXCLUDE, name="alone")),
        drs=DrsHandling(
            overrides=False,
            ignore_rules=("keep together",),
            soften_rules=(SoftenedRule(name="keep apart"),),
        ),
        vm_modes=(VmMode(vms=WEBS, mode=Mode.PARTIAL),),
    )
    once = resolve(site("balancer:keep-off:rack-a", "balancer:oops", rules=CLUSTER_RULES), policy)
    assert resolve(once.snapshot, policy) == once


def test_a_snapshot_without_rules_under_a_policy_without_is_the_same_object() -> None:
    snap = site(rules=CLUSTER_RULES)
    assert resolve(snap, Policy()).snapshot is snap
