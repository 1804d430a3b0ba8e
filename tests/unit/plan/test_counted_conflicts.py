"""What is said of rules that let so many VMs share a host or a domain where they cannot be met, and the mend."""

from dataclasses import dataclass

import pytest

from balancer.model.host import HostState
from balancer.model.rule import RuleOrigin, RuleType
from balancer.model.snapshot import Snapshot
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.plan.support import draft_of

APART, POLICY = RuleType.ANTI_AFFINITY, RuleOrigin.POLICY
RACKS = [[1, 2], [3, 4]]
DOWN = HostState.ENTERING_MAINTENANCE


@dataclass(frozen=True, kw_only=True)
class Case:
    """One cluster, and the one conflict of its draft."""

    says: str
    snap: Snapshot
    message: str
    relax: str


CASES = [
    Case(
        says="five VMs for two hosts of two",
        snap=snapshot(
            [host(1), host(2)],
            [vm(n, on=1) for n in range(1, 6)],
            [rule("web", APART, range(1, 6), most=2, origin=POLICY)],
        ),
        message="vm1, vm2, vm3, vm4 and vm5 cannot be spread 2 to a host (rule 'web'): "
        "5 VMs for 2 hosts of 2; vm3, vm4 and vm5 share esx1",
        relax="raise most of rule 'web' from 2 to 3, "
        "or bring in one more host that may take its VMs",
    ),
    Case(
        says="five VMs for two racks of two",
        snap=snapshot(
            [host(n) for n in (1, 2, 3, 4)],
            [vm(n, on=1) for n in range(1, 6)],
            [rule("web", APART, range(1, 6), most=2, domains=RACKS, origin=POLICY)],
        ),
        message="vm1, vm2, vm3, vm4 and vm5 cannot be spread 2 to a domain (rule 'web'): "
        "5 VMs for 2 domains of 2; vm3, vm4 and vm5 share the domain of esx1 and esx2",
        relax="raise most of rule 'web' from 2 to 3, "
        "or bring in one more domain that may take its VMs",
    ),
    Case(
        says="three VMs for two racks, the rule being a tag that says no number",
        snap=snapshot(
            [host(n) for n in (1, 2, 3, 4)],
            [vm(n, on=1) for n in range(1, 4)],
            [rule("web", APART, range(1, 4), domains=RACKS, origin=RuleOrigin.TAG)],
        ),
        message="vm1, vm2 and vm3 cannot be spread 1 to a domain (rule 'web'): "
        "3 VMs for 2 domains; vm2 and vm3 share the domain of esx1 and esx2",
        relax="disable rule 'web', or bring in one more domain that may take its VMs",
    ),
    Case(
        says="a plain rule of a policy",
        snap=snapshot(
            [host(1), host(2)],
            [vm(n, on=1) for n in range(1, 4)],
            [rule("web", APART, range(1, 4), origin=POLICY)],
        ),
        message="vm1, vm2 and vm3 cannot all be kept apart (rule 'web'): "
        "3 VMs for 2 hosts; vm2 and vm3 share esx1",
        relax="raise most of rule 'web' from 1 to 2, "
        "or bring in one more host that may take its VMs",
    ),
    Case(
        says="a site to be emptied beside one that has as many as it may",
        snap=snapshot(
            [host(1, state=DOWN), host(2, state=DOWN), host(3), host(4)],
            [vm(n, on=n) for n in (1, 2, 3, 4)],
            [rule("sites", APART, range(1, 5), most=2, domains=RACKS, origin=POLICY)],
        ),
        message="vm1 and vm2 cannot leave esx1 and esx2, which are to be empty: "
        "rule 'sites' lets 2 of vm1, vm2, vm3 and vm4 share a domain",
        relax="raise most of rule 'sites' from 2 to 4, "
        "or bring in one more domain that may take its VMs",
    ),
    Case(
        says="three kept together of which two may share a host",
        snap=snapshot(
            [host(1), host(2)],
            [vm(n, on=1) for n in (1, 2, 3)],
            [
                rule("web", APART, (1, 2, 3), most=2, origin=POLICY),
                rule("close", RuleType.AFFINITY, (1, 2, 3)),
            ],
        ),
        message="vm1, vm2 and vm3 cannot be spread 2 to a host (rule 'web'): "
        "rule 'close' keeps them together; vm1, vm2 and vm3 share esx1",
        relax="disable rule 'close'",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_the_rule_is_named_with_the_smallest_mend(case: Case) -> None:
    (conflict,) = draft_of(case.snap).conflicts

    assert (conflict.message, conflict.relax) == (case.message, case.relax)


def test_two_kept_together_may_be_the_two_that_share_a_host() -> None:
    rules = [rule("web", APART, (1, 2, 3, 4), most=2), rule("close", RuleType.AFFINITY, (1, 2))]
    snap = snapshot([host(1), host(2), host(3)], [vm(n, on=1) for n in (1, 2, 3, 4)], rules)

    draft = draft_of(snap)

    assert draft.conflicts == ()
    assert {move.vm for move in draft.moves} == {"vm-3", "vm-4"}


def test_a_move_for_a_domain_says_whose_it_is() -> None:
    racks = rule("racks", APART, (1, 2), domains=RACKS)
    snap = snapshot([host(n) for n in (1, 2, 3, 4)], [vm(1, on=1), vm(2, on=2)], [racks])

    (move,) = draft_of(snap).moves

    assert move.why in (
        "shares the domain of esx1 with vm2 against rule 'racks'",
        "shares the domain of esx2 with vm1 against rule 'racks'",
    )
