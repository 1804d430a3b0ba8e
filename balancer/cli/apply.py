"""`balancer apply`: carries out a plan that was made earlier, after checking that it still fits. Moves VMs.

With the daemon's own account, journal, lease and checks. The only command beside `run` that can move a VM.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.options import DEFAULT_CONFIG, ClusterOption, ReasonOption, RunningConfigOption
from balancer.cli.output import say

if TYPE_CHECKING:
    from balancer.config import Cluster, Config
    from balancer.model.control import StoredPlan
    from balancer.model.plan import Plan
    from balancer.ports import Store


def apply(
    plan: Annotated[
        str,
        typer.Argument(
            metavar="PLAN", help="A plan file (JSON), or number or digest of a kept plan."
        ),
    ],
    config: RunningConfigOption = DEFAULT_CONFIG,
    cluster: ClusterOption = None,
    reason: ReasonOption = "",
) -> None:
    """Carry out a plan that was made earlier, if every fact that it relies on still holds. Moves VMs.

    Needs mode manual or a freer one. Pauses, the stop file, windows, budgets and all checks before each move
    hold as for the daemon. Ends with 0 if all moves were made; with 4 if none was sent, each changed fact named;
    with 5 if only some were made; with 1 on errors.
    """
    from balancer.cli.journal_access import journal_of
    from balancer.config import load_config

    settings = load_config(config)
    with journal_of(settings, may_make=Path(plan).is_file()) as store:
        wanted, kept, chosen = _meant(plan, store, settings, cluster)
        raise typer.Exit(_carry_out(wanted, kept, store, settings, chosen, reason))


def _meant(
    key: str, store: "Store", settings: "Config", cluster: str | None
) -> "tuple[Plan, StoredPlan, Cluster]":
    """Return the plan, as values and as it is kept, and the cluster that it is for."""
    from balancer.adapters.files.json_file import read_bytes
    from balancer.adapters.files.plan_values import plan_from_bytes
    from balancer.approvals import refuse_decided
    from balancer.cli.actor import by_me
    from balancer.cli.journal_access import kept_plan
    from balancer.model.digest import plan_digest
    from balancer.model.errors import BalancerError

    path = Path(key)
    if not path.is_file():
        if path.suffix == ".json" or path.parent != Path():
            raise BalancerError(f"There is no plan file {key}.")
        known, chosen = kept_plan(store, settings, key)
        refuse_decided(known, by_me().at)
        content = known.plan.document.encode()
        return plan_from_bytes(content, name=f"plan {known.plan.id}"), known.plan, chosen
    content = read_bytes(path)
    wanted = plan_from_bytes(content, name=key)
    chosen = _cluster_for(wanted, settings, cluster)
    kept = store.find_plan(plan_digest(wanted))
    if kept is not None:
        refuse_decided(kept_plan(store, settings, str(kept.id))[0], by_me().at)
    return wanted, kept or _as_kept(wanted, content, chosen), chosen


def _cluster_for(plan: "Plan", settings: "Config", wanted: str | None) -> "Cluster":
    """Return the configured cluster that a plan file is for; raises `BalancerError` where that is not clear."""
    from balancer.cli.source import chosen_cluster
    from balancer.model.errors import BalancerError

    called = (plan.cluster_name, plan.cluster_id)
    fitting = [one for one in settings.clusters if one.name in called]
    if wanted is not None:
        chosen = chosen_cluster(settings, wanted)
        if chosen not in fitting:
            raise BalancerError(
                f"The plan is for cluster {plan.cluster_name}, not for {chosen.name}."
            )
        return chosen
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{one.vcenter}/{one.name}" for one in settings.clusters)
    if fitting:
        raise BalancerError(
            f"Several configured clusters are called {plan.cluster_name}. Name one with --cluster: {listed}."
        )
    raise BalancerError(
        f"The plan is for cluster {plan.cluster_name}, which is not configured. Configured: {listed}."
    )


def _as_kept(plan: "Plan", content: bytes, cluster: "Cluster") -> "StoredPlan":
    from balancer.cli.journal_access import shard_of
    from balancer.model.control import StoredPlan
    from balancer.model.digest import plan_digest

    return StoredPlan(
        shard=shard_of(cluster),
        plan_id=plan.id,
        digest=plan_digest(plan),
        made_at=plan.created_at,
        status=plan.status.value,
        moves=len(plan.moves),
        document=content.decode("utf-8", "surrogatepass"),
    )


def _carry_out(
    plan: "Plan",
    kept: "StoredPlan",
    store: "Store",
    settings: "Config",
    cluster: "Cluster",
    reason: str,
) -> ExitCode:
    from balancer.applying import apply as apply_plan
    from balancer.cli.actor import by_me
    from balancer.cli.apply_report import Progress, told
    from balancer.cli.apply_site import Interruption, site_of

    if not plan.moves:
        say("The plan has no moves: there is nothing to do.")
        return ExitCode.DONE
    stop = Interruption()
    with site_of(settings, cluster, store, events=Progress(), stop=stop) as site:
        done = apply_plan(plan, kept, site, by_me(reason), say)
    code = told(done, plan)
    if stop.is_asked:
        say("Interrupted: what runs goes on, and is settled by the next cycle or apply.")
        return ExitCode.INTERRUPTED
    return code
