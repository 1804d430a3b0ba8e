"""Runs one test of policies: reads it, makes its cluster, plans once, and asks whether what is expected came of it.

The planner is the one of `balancer plan`; nothing is connected and nothing is written.
"""

from pathlib import Path

from balancer.adapters.files import read_snapshot
from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.simulated.spec import RuleShares
from balancer.assess.expectations import Course, judge
from balancer.cli.planning import need_behind, settings_of
from balancer.execute.budgets import admit
from balancer.expose.policy_test_text import FileResult
from balancer.model.errors import InputError, Problem
from balancer.model.plan import Move, Plan
from balancer.model.snapshot import Snapshot
from balancer.model.stopwatch import Stopwatch
from balancer.planner import plan_snapshot
from balancer.policy.cluster_document import NOON, GenerateDocument
from balancer.policy.compose import load_policy_set
from balancer.policy.expectation_document import PolicyTestDocument, read_policy_test
from balancer.policy.expectation_names import expected_of
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.resolve import resolve
from balancer.policy.typed_document import typed
from balancer.policy.types import Limits, Policy

_ANY_NUMBER = 10**9
_OPEN_LIMITS = Limits(
    moves_per_run_ratio=1.0,
    moves_per_run_at_least=_ANY_NUMBER,
    moves_per_run_at_most=_ANY_NUMBER,
    moves_per_hour_ratio=1.0,
    mandatory_moves_per_run=_ANY_NUMBER,
    moves_per_vm_per_day=_ANY_NUMBER,
)
"""A test asks where a plan leads to, not how far one run takes it."""


def run_test(path: Path) -> FileResult:
    """Run the test that a file describes.

    Raises:
        InputError: the test, its snapshot or one of its policies is wrong, or a name means nobody;
            every problem of the file at fault.
    """
    watch = Stopwatch()
    file, test = read_policy_test(path)
    snapshot = _snapshot(test, path.parent)
    policies = load_policy_set(
        test.policies, base=path.parent, vcenter=test.vcenter, cluster=snapshot.cluster.name
    )
    policy = policies.at(test.at or snapshot.taken_at)
    expected = expected_of(test.expect, resolve(snapshot, policy).snapshot, file.where)
    if expected.mistakes:
        typed(file, PolicyTestDocument, also=expected.mistakes)
    course = _course(test, snapshot, policy)
    verdicts = judge(course, expected.expectations)
    watch.lap("test")
    return FileResult(
        file=str(path),
        name=test.name,
        verdicts=verdicts,
        took_s=sum(watch.laps.values()),
    )


def _snapshot(test: PolicyTestDocument, base: Path) -> Snapshot:
    if test.snapshot is not None:
        return read_snapshot(base / test.snapshot)
    if test.cluster is not None:
        return test.cluster.snapshot(test.at)
    assert test.generate is not None, "a test without a cluster is refused"
    return _generated(test.generate, test)


def _generated(wanted: GenerateDocument, test: PolicyTestDocument) -> Snapshot:
    try:
        spec = InventorySpec(
            hosts=wanted.hosts,
            vms=wanted.vms,
            name=wanted.name,
            hottest_cpu=wanted.hottest_cpu,
            rules=RuleShares(broken_pairs=wanted.broken_pairs),
            entering_maintenance=wanted.entering_maintenance,
            taken_at=test.at or NOON,
        )
    except ValueError as err:
        problem = Problem(where="generate", found=str(err))
        raise InputError("generate", (problem,)) from err
    return generate(spec, wanted.seed)


def _course(test: PolicyTestDocument, snapshot: Snapshot, policy: Policy) -> Course:
    modes = resolve(snapshot, policy).vm_modes
    when = test.at or snapshot.taken_at
    in_force = mode_in_force(policy, test.mode, when, vm_modes=modes)
    plan = plan_snapshot(snapshot, policy, settings=settings_of(0, 10.0), in_force=in_force)
    need, wanted = need_behind(plan, snapshot, policy)
    moves = _made(plan, need.snapshot, in_force)
    because = in_force.because
    return Course(
        need=need,
        policy=wanted,
        status=plan.status,
        reason=plan.reason,
        moves=moves,
        held=len(plan.moves) - len(moves),
        mode=in_force.mode,
        why=because.detail if because else "as configured",
    )


def _made(plan: Plan, snapshot: Snapshot, in_force: InForce) -> tuple[Move, ...]:
    """Return the moves of a plan that happen without a person, in as many runs as it takes."""
    now = snapshot.taken_at
    marked, _ = admit(plan.moves, snapshot, _OPEN_LIMITS, (), now=now, in_force=in_force)
    return tuple(move for move in marked if move.this_run)
