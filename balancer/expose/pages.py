"""How HTML pages are made from templates: escaping, the one style, and what a page may load, which is nothing.

Templates escape by themselves (`autoescape`), and every string that they print is first made visible, so that a
name can neither start a tag nor reorder the line. The only style allowed is our own, by its hash.
"""

import base64
import hashlib
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from balancer.expose.action_view import times, took
from balancer.expose.escape import visible
from balancer.expose.figures import counted, duration, gibibytes, percent
from balancer.expose.host_words import headroom, ready
from balancer.expose.move_words import (
    copy_words,
    interval_words,
    links_words,
    share_words,
    stun_words,
)
from balancer.expose.report_rows import HostRow
from balancer.model.units import Ratio

_COMMON_SHEET = "report.css"


def page(template: str, *, sheets: tuple[str, ...] = (), **values: object) -> str:
    """Return a whole HTML document that ends with a line break. Values are not escaped yet.

    `sheets` are style sheets of ours that the page needs beside the common one.
    """
    style = "".join(map(_style, (_COMMON_SHEET, *sheets)))
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    whole = _environment().get_template(template)
    source = Markup(f"'sha256-{hashed}'")
    return whole.render(style=Markup(style), style_source=source, **values) + "\n"


@cache
def _style(sheet: str) -> str:
    file = resources.files("balancer.expose").joinpath("templates", sheet)
    return file.read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("balancer.expose", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_made_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        arrows=_with_arrows,
        counted=counted,
        duration=duration,
        gibibytes=gibibytes,
        percent=percent,
        bar_width=_bar_width,
        headroom=headroom,
        ready=ready,
        peak=_peak,
        share=share_words,
        interval=interval_words,
        copied=copy_words,
        stun=stun_words,
        links=links_words,
        took=took,
        times=times,
    )
    return environment


def _made_visible(value: object) -> object:
    """Write out what does not print in text that comes from names; markup of our own stays as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _with_arrows(text: str) -> str:
    """Return a sentence with the arrows that a page can show."""
    return text.replace(" -> ", " → ")


def _bar_width(ratio: Ratio) -> str:
    """Return the length of a bar in an SVG that is 100 units wide; full at 1 and above."""
    return f"{min(max(ratio, 0.0), 1.0) * 100:.1f}"


def _peak(row: HostRow) -> str:
    if row.peak_cpu_ratio is None or row.peak_memory_ratio is None:
        return "not known"
    return f"CPU {percent(row.peak_cpu_ratio)}, memory {percent(row.peak_memory_ratio)}"
