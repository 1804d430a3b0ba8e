"""How conflicts are looked for: what needs no solver, what does, what is not determined, what is told once."""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from balancer.model.host import HostState
from balancer.model.plan import IncidentKind
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Blocker
from balancer.plan.conflict_cost import ORDER, Change
from balancer.plan.conflict_member import Kind
from balancer.plan.conflict_question import Facts
from balancer.plan.conflict_set import LEAST_S, MOST_S, Finding, Patience, find_set
from balancer.plan.conflicts import unmet
from balancer.plan.mandatory import fulfil
from balancer.solver import Failure, InProcess, Reply, Runner, Solver, Task
from tests.support.builders import host, rule, snapshot, vm
from tests.support.solvers import Scripted
from tests.unit.plan.support import desk_of, draft_of

ENTERING = HostState.ENTERING_MAINTENANCE
NEVER = float("inf")


def patience(*, runner: Runner | None = None, deadline: float = NEVER) -> Patience:
    return Patience(solver=Solver(runner or InProcess()), seed=0, deadline=deadline)


def more_than_hosts(count: int) -> Snapshot:
    """Return one large VM more than there are hosts for them, though their total would fit."""
    hosts = [host(0, state=ENTERING)]
    hosts += [host(n, memory_capacity_mib=100_000.0) for n in range(1, count + 1)]
    large = [vm(n, on=n, memory_mib=30_000.0) for n in range(count + 1)]
    tied = [
        vm(100 + n, on=n, memory_mib=40_000.0, blockers=(Blocker.VGPU,))
        for n in range(1, count + 1)
    ]
    return snapshot(hosts, [*large, *tied])


def test_what_only_trying_all_orders_would_show_is_shown_by_the_solver() -> None:
    desk = desk_of(more_than_hosts(8))
    (task,) = fulfil(desk)
    found = find_set(Facts(desk), task, patience())
    kinds = [member.kind for member in found.members]
    assert found.finding is Finding.CONTRADICTION
    assert found.is_smallest
    assert kinds == [Kind.HOST] + [Kind.ROOM] * 8 + [Kind.TIE] * 8
    assert found.remedy.at is not None


def denies(task: Task) -> Reply:
    return Reply(status="INFEASIBLE")


def crashes(task: Task) -> Failure:
    return Failure(kind=IncidentKind.CRASHED, detail="gone")


def all_ones(task: Task) -> Reply:
    return Reply(status="OPTIMAL", values=(1,) * task.model.count("variables {"))


@pytest.mark.parametrize("answer", [crashes, all_ones, denies])
def test_a_solver_that_fails_leaves_the_cause_undetermined_and_is_an_incident(
    answer: Callable[[Task], Reply | Failure],
) -> None:
    desk, asked = desk_of(more_than_hosts(8)), patience(runner=Scripted(answer))
    (conflict,), _refusals = unmet(desk, fulfil(desk), asked)
    assert "whether moving them would help was not determined" in conflict.message
    assert {incident.stage for incident in asked.solver.incidents} == {"draft"}


def test_explanations_end_with_the_planning_but_have_a_second_in_any_case() -> None:
    solver, begun = Solver(InProcess()), time.perf_counter()
    within = (LEAST_S + MOST_S) / 2
    least, between, most = (
        Patience.until(begun + left_s, solver=solver, seed=0).deadline
        for left_s in (-5.0, within, 60.0)
    )
    ended = time.perf_counter()
    assert begun + LEAST_S <= least <= ended + LEAST_S
    assert between == begun + within
    assert begun + MOST_S <= most <= ended + MOST_S


def test_without_time_the_others_are_left_where_they_are_and_the_sentence_says_so() -> None:
    desk = desk_of(more_than_hosts(8))
    (conflict,), _refusals = unmet(desk, fulfil(desk), patience(deadline=0.0))
    assert conflict.message.endswith(
        "as the other VMs stand (whether moving them would help was not determined)"
    )
    assert conflict.relax.startswith("free ")


def test_a_placement_that_exists_is_not_called_a_contradiction() -> None:
    hosts = [host(1, state=ENTERING), *(host(n, memory_capacity_mib=10_000.0) for n in (2, 3))]
    sizes = {1: 6000.0, 2: 5000.0, 3: 4500.0}
    desk = desk_of(snapshot(hosts, [vm(n, on=n, memory_mib=size) for n, size in sizes.items()]))
    (conflict,), _refusals = unmet(desk, fulfil(desk), patience())
    assert conflict.message == (
        "vm1 cannot leave esx1, which is to be empty: memory is full on 2 hosts; "
        "a placement that obeys every law exists, but no way to it was found "
        "(it would take moving vm2 as well)"
    )


def test_a_rule_that_is_broken_elsewhere_is_no_part_of_it() -> None:
    hosts = [host(1, state=ENTERING), *(host(n, memory_capacity_mib=10_000.0) for n in (2, 3))]
    sizes = {1: 6000.0, 2: 5000.0, 3: 4500.0}
    vms = [vm(n, on=n, memory_mib=size) for n, size in sizes.items()]
    vms += [vm(n, on=2 + n % 2, memory_mib=10.0) for n in (10, 11, 12)]
    crowd = rule("apart", RuleType.ANTI_AFFINITY, [10, 11, 12])
    desk = desk_of(snapshot(hosts, vms, [crowd]))
    conflicts, _refusals = unmet(desk, fulfil(desk), patience())
    told = {conflict.kind: conflict.message for conflict in conflicts}
    assert "a placement that obeys every law exists" in told["evacuation"]
    assert told["rule"].startswith("vm10, vm11 and vm12 cannot all be kept apart (rule 'apart')")


def test_two_causes_need_two_changes_and_the_sentence_says_that_there_are_more() -> None:
    elsewhere = frozenset({"ds-9"})
    hosts = [host(1, state=ENTERING), host(2, datastores=elsewhere, networks=elsewhere)]
    tied = vm(1, on=1, datastores=frozenset({"ds-1"}), networks=frozenset({"net-1"}))
    (conflict,) = draft_of(snapshot(hosts, [tied])).conflicts
    assert conflict.message.endswith("(one of several causes)")
    assert "; and " in conflict.relax
    assert "ds-1" in conflict.relax
    assert "net-1" in conflict.relax


def test_many_stuck_vms_with_one_cause_are_one_conflict_that_names_them_all() -> None:
    hosts = [host(1, state=ENTERING), host(2, memory_capacity_mib=10_000.0)]
    vms = [vm(n, on=1, memory_mib=3000.0 + n) for n in range(1, 21)]
    (conflict,) = draft_of(snapshot(hosts, [*vms, vm(50, on=2, memory_mib=8000.0)])).conflicts
    assert len(conflict.vms) == 20
    assert "and 12 more cannot leave esx1" in conflict.message
    assert conflict.relax.startswith("free 58.8 GiB on hosts that may take ")


def test_every_change_has_one_place_in_the_order_of_costs() -> None:
    assert [change for change, _reason in ORDER] == list(Change)


PLAIN = """
import sys
from balancer.model.host import HostState
from balancer.model.rule import RuleType
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.plan.support import draft_of
hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)]
vms = [vm(1, on=1, memory_mib=500_000.0), vm(2, on=2), vm(3, on=2), vm(4, on=3)]
rules = [rule("apart", RuleType.ANTI_AFFINITY, [2, 3, 4]), rule("on", RuleType.VM_HOST_AFFINE, [3], on=[])]
assert len(draft_of(snapshot(hosts, vms, rules)).conflicts) == 3
assert "ortools" not in sys.modules
"""


def test_plain_conflicts_are_found_without_loading_the_solver() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLAIN], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
