"""The report as one HTML file: no script, no request to anywhere, light and dark by the reader's setting.

The template escapes by itself (`autoescape`), and every string that it prints is first made visible, so
that a name can neither start a tag nor reorder the line. The page forbids everything but its own style.
"""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from balancer.expose.escape import visible
from balancer.expose.figures import counted, duration, gibibytes, percent
from balancer.expose.report_view import report_view
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.model.units import Ratio
from balancer.policy.types import Policy, Thresholds

MOST_ROWS = 1000
"""Rows of a table before the rest is left to the document."""

MOST_NAMES = 12


def render_html(plan: Plan, snapshot: Snapshot, *, policy: Policy | None = None) -> str:
    """Return the report as a complete HTML document that ends with a line break."""
    view = report_view(plan, snapshot, policy)
    limits = policy.thresholds if policy else Thresholds()
    return (
        _template().render(view=view, limits=limits, most=MOST_ROWS, most_names=MOST_NAMES) + "\n"
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("balancer.expose", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_made_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        counted=counted,
        duration=duration,
        gibibytes=gibibytes,
        percent=percent,
        bar_width=_bar_width,
    )
    return environment.get_template("report.html.j2")


def _made_visible(value: object) -> object:
    """Write out what does not print in text that comes from names; markup of our own stays as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _bar_width(ratio: Ratio) -> str:
    """Return the length of a bar in an SVG that is 100 units wide; full at 1 and above."""
    return f"{min(max(ratio, 0.0), 1.0) * 100:.1f}"
