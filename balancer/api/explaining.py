"""Why a VM moves or stays, why it may not go somewhere, what a host gives and takes: of one plan.

Of the plan that a command has just made, or of the one that the daemon made last.
"""

from dataclasses import dataclass, replace

from balancer.api.answer import Answer, Json
from balancer.api.lookup import find_host, find_vm
from balancer.api.scene import Scene, Watched
from balancer.expose.explain_document import host_document, vm_document
from balancer.expose.explain_markdown import explain_markdown
from balancer.expose.explain_text import explain_text
from balancer.expose.explain_view import host_view, vm_view
from balancer.expose.explanation import Explanation
from balancer.hindsight import need_behind
from balancer.model.errors import BalancerError, NotSeenYet
from balancer.model.insight import ServerAnswer, VmInsight
from balancer.model.need import Need
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.plan.host_insight import explain_host
from balancer.plan.insight import explain_vm
from balancer.policy.types import Policy

_NO_WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about, and the plan it is asked of. At least one of `vm` and `host` is given."""

    need: Need
    policy: Policy
    plan: Plan
    vm: VmId | None
    host: HostId | None
    server: ServerAnswer | None = None

    @property
    def snapshot(self) -> Snapshot:
        """Return the snapshot behind the plan."""
        return self.need.snapshot


def meant(facts: Snapshot, vm: str | None, host: str | None) -> tuple[VmId | None, HostId | None]:
    """Return the VM and the host that are meant.

    Raises:
        NotFound: one is not there.
        BalancerError: several are called so, or the VM is on the host already.
    """
    vm_id = find_vm(facts, vm) if vm is not None else None
    host_id = find_host(facts, host) if host is not None else None
    if vm_id and facts.vm_by_id[vm_id].host == host_id:
        raise BalancerError(
            f"{vm} is on {host} already. Leave --host out to see why it stays or moves."
        )
    return vm_id, host_id


def explanation(question: Question) -> tuple[Json, Explanation]:
    """Return the answer as a document and in the form that people are shown."""
    plan, facts = question.plan, question.snapshot
    if question.vm is not None:
        insight = _of_vm(question, question.vm)
        view = vm_view(insight, facts, of_pair=question.host is not None)
        return vm_document(insight, plan, facts), view
    assert question.host is not None, "a VM, a host or both are asked about"
    about = explain_host(question.need, question.policy, plan, question.host)
    return host_document(about, plan, facts), host_view(about, facts)


def _of_vm(question: Question, vm: VmId) -> VmInsight:
    insight = explain_vm(question.need, question.policy, question.plan, vm, host=question.host)
    if question.server is None:
        return insight
    targets = tuple(replace(target, server=question.server) for target in insight.targets)
    resting = tuple(replace(target, server=question.server) for target in insight.resting)
    return replace(insight, targets=targets, resting=resting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained(Answer):
    """An answer that has a form for tickets, too."""

    view: Explanation

    @property
    def markdown(self) -> str:
        """Return it for a ticket."""
        return explain_markdown(self.view)


def explain(
    scene: Scene, *, cluster: str | None = None, vm: str | None = None, host: str | None = None
) -> Explained:
    """Explain the last plan of the daemon. vCenter is not asked.

    Raises:
        NotSeenYet: the daemon has not planned this cluster since it started.
        NotFound: no such cluster, VM or host.
        BalancerError: neither VM nor host is given, or it is not clear which is meant.
    """
    if not vm and not host:
        raise BalancerError("Give vm, host or both: what is to be explained.")
    chosen = scene.one(cluster)
    snapshot, plan = last_plan(scene, chosen)
    vm_id, host_id = meant(snapshot, vm or None, host or None)
    asked = frozenset(one.host for one in scene.store.evacuations(chosen.shard))
    policy = replace(chosen.policy_at(snapshot.taken_at), evacuating=asked)
    past = scene.seen(chosen.shard).past
    need, fitted = need_behind(plan, snapshot, policy, past)
    question = Question(need=need, policy=fitted, plan=plan, vm=vm_id, host=host_id)
    document, view = explanation(question)
    return Explained(
        document=document,
        view=view,
        text=lambda width: explain_text(
            view, width=width or _NO_WIDTH, color=False, ascii_only=False
        ),
    )


def last_plan(scene: Scene, cluster: Watched) -> tuple[Snapshot, Plan]:
    """Return the last plan and the snapshot that it was made from; raises `NotSeenYet`."""
    seen = scene.seen(cluster.shard)
    if seen.snapshot is None or seen.plan is None:
        raise not_yet(cluster, "planned")
    return seen.snapshot, seen.plan


def last_snapshot(scene: Scene, *, cluster: str | None = None) -> Snapshot:
    """Return the last snapshot of a cluster. Raises `NotSeenYet`, `NotFound`."""
    chosen = scene.one(cluster)
    seen = scene.seen(chosen.shard)
    if seen.snapshot is None:
        raise not_yet(chosen, "read")
    return seen.snapshot


def not_yet(cluster: Watched, what: str) -> NotSeenYet:
    """Return that a cluster was not read or planned yet."""
    return NotSeenYet(
        f"The daemon has not {what} cluster {cluster.shard} since it started. Ask again after its first "
        "cycle: /api/v1/status tells when the next one is due, and why the last one failed, if so."
    )
