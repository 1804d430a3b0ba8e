"""After-action reports as people ask for them: by batch, plan or span, of one cluster or all. Reads only."""

from balancer.aftermath import Asked, look_back
from balancer.api.journal import instant
from balancer.api.scene import Scene
from balancer.model.aftermath import Aftermath

DEFAULT_SPAN = "24h"
"""What is told where neither a batch nor a plan nor a span is asked for."""


def report(
    scene: Scene, *, cluster: str | None = None, batch: str = "", plan: str = "", since: str = ""
) -> Aftermath:
    """Return what was done. `since` is a span or a date, see `journal.instant`.

    Raises:
        NotFound: there is no such cluster, batch or plan.
        BalancerError: `since` is no time, or a name fits several batches.
        StoreError: the journal cannot be read.
    """
    now = scene.now()
    span = since or ("" if batch or plan else DEFAULT_SPAN)
    only, _ = scene.chosen(cluster)
    asked = Asked(
        shards=tuple(one.shard for one in scene.clusters()),
        now=now,
        only=only,
        batch=batch.strip(),
        plan=plan.strip(),
        since=instant(span, now) if span else None,
    )
    return look_back(scene.store, asked)
