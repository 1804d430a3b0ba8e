"""`balancer plans`, `approve`, `reject`: the plans that the daemon has kept, and a person's word on them."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.options import DEFAULT_CONFIG, OneClusterOption, ReasonOption, RunningConfigOption
from balancer.cli.output import columns, emit, encoding, say

if TYPE_CHECKING:
    from balancer.approvals import KnownPlan
    from balancer.config import Cluster, Config
    from balancer.ports import Store

PlanArgument = Annotated[
    str, typer.Argument(metavar="PLAN", help="Number of a kept plan, or digest, or its beginning.")
]


class PlansFormat(StrEnum):
    """How the list is printed."""

    TEXT = "text"
    JSON = "json"


def plans(
    config: RunningConfigOption = DEFAULT_CONFIG,
    cluster: OneClusterOption = None,
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="How many, the newest.")
    ] = 20,
    report_format: Annotated[
        PlansFormat, typer.Option("--format", help="Form of the list.")
    ] = PlansFormat.TEXT,
) -> None:
    """Show the plans that were kept, and which wait for approval. Changes nothing."""
    from balancer.approvals import known_plans
    from balancer.cli.journal_access import chosen_shards, journal_of
    from balancer.config import load_config

    settings = load_config(config)
    shard, shards = chosen_shards(settings, cluster)
    with journal_of(settings) as store:
        found = [
            known
            for one in ((shard,) if shard else shards)
            for known in known_plans(
                store, one, last=last, lasts_s=approval_s(settings, cluster_of(settings, one))
            )
        ]
    newest = sorted(found, key=lambda known: -known.plan.id)[:last]
    _show(newest, report_format)


def _show(found: "list[KnownPlan]", report_format: PlansFormat) -> None:
    from balancer.expose.plans_view import PlanRow, plans_document, plans_text

    now = datetime.now(UTC)
    rows = [
        PlanRow(
            plan=known.plan,
            state=known.state_at(now).value,
            decision=known.decision,
            expires_at=known.expires_at,
        )
        for known in found
    ]
    if report_format is PlansFormat.JSON:
        from balancer.expose.document import document_text

        emit(document_text(plans_document(rows)).encode(), None)
        return
    charset = encoding(None)
    emit(plans_text(rows, width=columns(None)).encode(charset, errors="backslashreplace"), None)


def approve(
    plan: PlanArgument, config: RunningConfigOption = DEFAULT_CONFIG, reason: ReasonOption = ""
) -> None:
    """Approve one plan: the daemon carries it out at once, as far as it still fits. Moves VMs.

    Counts once, for this plan only, and until approval_s of the policy after the plan was made. Ends with 4 where
    the plan cannot be approved any more, or the cluster is in mode observe.
    """
    from balancer import approvals
    from balancer.cli.actor import by_me
    from balancer.cli.evacuate import mode_of
    from balancer.cli.journal_access import journal_of
    from balancer.config import load_config
    from balancer.control import why_paused
    from balancer.model.errors import PlanRefused

    settings = load_config(config)
    with journal_of(settings) as store:
        known, chosen = kept_plan(store, settings, plan)
        number, shard = known.plan.id, known.plan.shard
        mode = mode_of(settings, chosen)
        if not mode.may_act:
            raise PlanRefused(
                f"Cluster {shard} is in mode {mode}, in which nothing is moved. Set mode manual or a freer one, "
                "in the configuration and its policies; then approve the next plan."
            )
        decision = approvals.approve(store, known, by_me(reason))
        paused = why_paused(store, shard)
        newer = [one for one in store.plans(shard, last=1) if one.id != number]
    say(
        f"Approved plan {number} of {shard}: {known.plan.moves} moves, digest {known.plan.digest[:12]}."
    )
    until = approvals.clock(decision.expires_at)
    say("The daemon carries it out now; what does not fit any more is left out.")
    say(f"If it cannot be begun by {until}, the approval ends.")
    if newer:
        say(f"Plan {newer[0].id} is newer: see balancer plans.")
    if paused:
        say(f"It waits: {paused.detail}. To go on: balancer resume.")


def reject(
    plan: PlanArgument, config: RunningConfigOption = DEFAULT_CONFIG, reason: ReasonOption = ""
) -> None:
    """Reject one plan, so that nobody approves or applies it. A reason must be given."""
    from balancer import approvals
    from balancer.cli.actor import by_me
    from balancer.cli.journal_access import journal_of
    from balancer.config import load_config

    if not reason.strip():
        raise typer.BadParameter("say why, for those who look later: --reason TEXT")
    settings = load_config(config)
    with journal_of(settings) as store:
        known, _ = kept_plan(store, settings, plan)
        approvals.reject(store, known, by_me(reason))
    say(f"Rejected plan {known.plan.id} of {known.plan.shard}. The next cycle plans anew.")


def kept_plan(store: "Store", settings: "Config", key: str) -> "tuple[KnownPlan, Cluster]":
    """Return the plan that a number or digest names, and its cluster; raises `BalancerError`."""
    from balancer.approvals import find_plan

    found = find_plan(store, key, lasts_s=0.0)
    cluster = cluster_of(settings, found.plan.shard)
    lasts_s = approval_s(settings, cluster)
    return find_plan(store, str(found.plan.id), lasts_s=lasts_s), cluster


def approval_s(settings: "Config", cluster: "Cluster") -> float:
    """Return for how many seconds a plan of a cluster can be approved."""
    policy = settings.policies_of(cluster).at(datetime.now(UTC))
    return policy.limits.approval_s


def cluster_of(settings: "Config", shard: str) -> "Cluster":
    """Return the configured cluster of a shard; raises `BalancerError` where there is none any more."""
    from balancer.cli.journal_access import shard_of
    from balancer.model.errors import BalancerError

    for cluster in settings.clusters:
        if shard_of(cluster) == shard:
            return cluster
    raise BalancerError(f"The plan is of cluster {shard}, which is not configured any more.")
