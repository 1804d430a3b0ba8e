"""What the daemon's journal remembers of a cluster, for commands that plan as the daemon would."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from balancer.model.past import Past
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy

if TYPE_CHECKING:
    from balancer.config import Config


def remembered(
    config: Path | None, cluster: str | None, facts: Snapshot, policy: Policy
) -> tuple[Past | None, Policy]:
    """Return what is remembered of a cluster, and the policy with the hosts that people want emptied.

    None for a snapshot file, of which nobody remembers anything; the past of a first day where the daemon has
    no journal yet. A journal that cannot be read is told on standard error, and the plan is made without it.
    """
    if config is None:
        return None, policy
    from balancer.config import load_config

    settings = load_config(config)
    if not settings.journal.path.exists():
        return Past(), policy
    return _from_journal(settings, cluster, facts, policy)


def _from_journal(
    settings: "Config", cluster: str | None, facts: Snapshot, policy: Policy
) -> tuple[Past, Policy]:
    from balancer.cli.journal_access import journal_of, shard_of
    from balancer.cli.source import chosen_cluster
    from balancer.execute.review import MEMORY
    from balancer.model.errors import StoreError

    chosen = chosen_cluster(settings, cluster)
    try:
        with journal_of(settings) as store:
            past = store.past(chosen.vcenter, facts.cluster.id, facts.taken_at - MEMORY)
            asked = store.evacuations(shard_of(chosen))
    except StoreError as err:
        typer.echo(f"planned without the journal: {err}", err=True)
        return Past(), policy
    return past, replace(policy, evacuating=frozenset(one.host for one in asked))
