"""On clusters small enough to try every placement, a conflict is a contradiction, and nothing in it is idle."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from hypothesis import event, given
from hypothesis import strategies as st

from balancer.model.host import HostState
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Blocker
from balancer.plan.codes import Bools
from balancer.plan.conflict_member import Member
from balancer.plan.conflict_model import QuestionModel
from balancer.plan.conflict_question import Facts, ask, close_to
from balancer.plan.conflict_search import obeys, placing
from balancer.plan.conflict_set import ConflictSet, Finding, Patience, find_set
from balancer.plan.desk import Desk
from balancer.plan.mandatory import fulfil
from balancer.plan.problem import compile_problem
from balancer.plan.tasks import Task
from balancer.policy.types import Policy
from balancer.solver import InProcess, Solver
from tests.support.builders import host, rule, snapshot, vm
from tests.support.clusters import clusters
from tests.support.conflict_oracle import Everywhere, Wish
from tests.support.searching import examples
from tests.unit.plan.support import need_of

POLICY = Policy()
NEVER = float("inf")


@st.composite
def tight_clusters(draw: st.DrawFn) -> Snapshot:
    """Return 2 to 4 small hosts, one or two of them to be emptied, with VMs that hardly fit, under rules."""
    count, leaving = draw(st.integers(2, 4)), draw(st.integers(1, 2))
    limits = st.sampled_from([None, None, None, 1, 2])
    hosts = [
        host(
            number,
            memory_capacity_mib=draw(st.sampled_from([8000.0, 10_000.0])),
            cpu_capacity_mhz=4000.0,
            max_running_vms=draw(limits),
            **({"state": HostState.ENTERING_MAINTENANCE} if number <= leaving else {}),
        )
        for number in range(1, count + 1)
    ]
    size, place = st.sampled_from([1500.0, 3000.0, 4500.0, 9000.0]), st.integers(1, count)
    reserved = st.sampled_from([0.0, 0.0, 0.0, 2500.0])
    blockers = st.sampled_from([(), (), (), (Blocker.VGPU,)])
    vms = [
        vm(
            number,
            on=draw(place),
            memory_mib=draw(size),
            cpu_demand_mhz=10.0,
            cpu_reservation_mhz=draw(reserved),
            blockers=draw(blockers),
        )
        for number in range(1, draw(st.integers(2, 7)) + 1)
    ]
    members = st.lists(st.integers(1, len(vms)), min_size=1, max_size=3, unique=True)
    kinds, on = st.sampled_from(RuleType), st.lists(place, min_size=1, max_size=2, unique=True)
    rules = [
        rule(f"rule {n}", draw(kinds), draw(members), on=draw(on))
        for n in range(draw(st.integers(0, 2)))
    ]
    return snapshot(hosts, vms, rules)


SNAPSHOTS = (
    tight_clusters()
    | clusters(most_hosts=4, most_vms=6)
    | clusters(most_hosts=4, most_vms=6, is_plain=True)
)


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """One stuck task of a draft, and all placements that could be tried for it."""

    facts: Facts
    task: Task
    everywhere: Everywhere

    def explained(self) -> ConflictSet:
        return find_set(
            self.facts, self.task, Patience(solver=Solver(InProcess()), seed=0, deadline=NEVER)
        )


def stuck_of(snap: Snapshot) -> Iterator[Stuck]:
    """Yield the first few tasks that the greedy stage leaves, which no repair has yet been tried on."""
    need = need_of(snap, POLICY)
    if not need.demand:
        return
    desk = Desk(compile_problem(need, POLICY))
    tasks = fulfil(desk)
    facts, vms, hosts = Facts(desk), desk.problem.vms, desk.problem.hosts
    rooms: dict[Member, Bools] = {}
    draft = {vm.id: hosts[int(facts.draft[row])].id for row, vm in enumerate(vms)}
    for task in tasks[:3]:
        movers = frozenset(vms[row].id for row in task.movers)
        wish = Wish(movers=movers, rule=task.rule, cause=task.note.cause, draft=draft)
        everywhere = Everywhere(need, POLICY, wish, rooms)
        yield Stuck(facts=facts, task=task, everywhere=everywhere)


@given(snap=SNAPSHOTS)
@examples(60)
def test_a_conflict_is_infeasible_and_feasible_without_any_one_of_its_members(
    snap: Snapshot,
) -> None:
    for stuck in stuck_of(snap):
        found = stuck.explained()
        event(found.finding.value)
        if found.finding is not Finding.CONTRADICTION:
            continue
        event("/".join(member.kind.name for member in found.members))
        assert found.is_smallest
        assert not stuck.everywhere.feasible(found.members)
        for member in found.members:
            assert stuck.everywhere.feasible(m for m in found.members if m != member), member


@given(snap=SNAPSHOTS)
@examples(60)
def test_lifting_what_the_change_names_leaves_a_placement_of_all_vms(snap: Snapshot) -> None:
    for stuck in stuck_of(snap):
        found = stuck.explained()
        if found.finding is not Finding.CONTRADICTION or found.remedy.at is None:
            continue
        event(f"{len(found.remedy.lift)} lifted")
        every = stuck.everywhere.every_member()
        assert stuck.everywhere.feasible(m for m in every if m not in found.remedy.lift)


@given(snap=SNAPSHOTS)
@examples(60)
def test_a_placement_is_said_to_exist_exactly_where_one_does(snap: Snapshot) -> None:
    for stuck in stuck_of(snap):
        found = stuck.explained()
        exists = stuck.everywhere.feasible(stuck.everywhere.every_member())
        assert found.finding is (Finding.POSSIBLE if exists else Finding.CONTRADICTION)


@given(snap=SNAPSHOTS, data=st.data())
@examples(40)
def test_solver_and_search_agree_on_any_of_the_members(snap: Snapshot, data: st.DataObject) -> None:
    for stuck in stuck_of(snap):
        others_stay = data.draw(st.booleans())
        vms = close_to(stuck.facts, stuck.task)
        question = ask(stuck.facts, stuck.task, vms, others_stay=others_stay)
        keep = data.draw(st.lists(st.booleans(), min_size=99, max_size=99))
        active = [m for m, is_kept in zip(question.members, keep, strict=False) if is_kept]
        by_search = placing(question, active)
        verdict = QuestionModel(question, Solver(InProcess()), seed=0, deadline=NEVER).solve(active)
        assert by_search is not None
        if isinstance(by_search, np.ndarray):
            assert obeys(question, active, by_search)
            assert verdict.at is not None
            assert obeys(question, active, verdict.at)
        else:
            assert verdict.core is not None
            assert set(verdict.core) <= set(active)
            assert placing(question, verdict.core) is False


@given(snap=SNAPSHOTS)
@examples(40)
def test_the_same_task_gets_the_same_explanation(snap: Snapshot) -> None:
    first = [stuck.explained() for stuck in stuck_of(snap)]
    second = [stuck.explained() for stuck in stuck_of(snap)]
    assert [(f.finding, f.members, f.remedy.lift) for f in first] == [
        (f.finding, f.members, f.remedy.lift) for f in second
    ]
