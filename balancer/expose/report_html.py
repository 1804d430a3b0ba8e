"""The report as one HTML file: no script, no request to anywhere, light and dark by the reader's setting."""

from balancer.expose.charts import spread_chart, timeline_chart
from balancer.expose.pages import page
from balancer.expose.report_rows import ReportView
from balancer.expose.report_text import NO_RULES, NOTHING_LEFT_OUT
from balancer.expose.report_view import report_view
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy

MOST_ROWS = 1000
"""Rows of a table before the rest is left to the document."""

MOST_NAMES = 12


def render_html(plan: Plan, snapshot: Snapshot, *, policy: Policy | None = None) -> str:
    """Return the report as a complete HTML document that ends with a line break."""
    return html_of(report_view(plan, snapshot, policy))


def html_of(view: ReportView) -> str:
    """Return what a report says as a complete HTML document that ends with a line break."""
    return page(
        "report.html.j2",
        view=view,
        most=MOST_ROWS,
        most_names=MOST_NAMES,
        no_rules=NO_RULES,
        nothing_left_out=NOTHING_LEFT_OUT,
        spread=spread_chart(
            view.hosts,
            is_twice=view.times == 2,
            cpu_limit=view.cpu_limit,
            memory_limit=view.memory_limit,
        ),
        timeline=timeline_chart(view),
        peaks=any(row.peak_cpu_ratio is not None for row in view.hosts),
    )
