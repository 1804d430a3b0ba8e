"""The after-action report as one HTML file: the page of `pages`, with predicted beside measured as a chart."""

from balancer.expose.action_view import ActionView, pairs_of
from balancer.expose.charts import pairs_chart
from balancer.expose.pages import page

MOST_ROWS = 1000
MOST_BATCHES = 100


def action_html_of(view: ActionView) -> str:
    """Return the report as a complete HTML document that ends with a line break."""
    chart = pairs_chart(pairs_of(view), title="Seconds of each move, predicted and measured")
    newest = tuple(reversed(view.batches))[:MOST_BATCHES]
    return page(
        "after_action.html.j2",
        view=view,
        batches=newest,
        cut=len(view.batches) - len(newest),
        chart=chart,
        most=MOST_ROWS,
    )
