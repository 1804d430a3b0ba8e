"""After-action reports as people ask for them: by batch, plan or span, of one cluster or all. Reads only."""

from balancer.aftermath import Asked, look_back
from balancer.api.answer import Json
from balancer.api.journal import instant
from balancer.api.scene import Scene
from balancer.expose.action_document import action_document
from balancer.expose.action_html import action_html_of
from balancer.expose.action_markdown import action_markdown_of
from balancer.expose.action_text import action_text_of
from balancer.expose.action_view import action_view
from balancer.expose.report_text import LEAST_WIDTH
from balancer.expose.text_layout import Paper
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


def report_document(done: Aftermath) -> Json:
    """Return it for programs, see `balancer schema report`."""
    return action_document(done)


def text_report(done: Aftermath, width: int) -> str:
    """Return it for a terminal of so many columns, without colours."""
    return action_text_of(action_view(done), Paper(width=max(width, LEAST_WIDTH)))


def markdown_report(done: Aftermath) -> str:
    """Return it for a ticket."""
    return action_markdown_of(action_view(done))


def html_report(done: Aftermath) -> str:
    """Return it as one HTML file."""
    return action_html_of(action_view(done))
