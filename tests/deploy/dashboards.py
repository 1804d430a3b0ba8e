"""The committed dashboards as the tests read them: panels, and every query with its place."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "grafana"
NAMES = ("fleet", "cluster", "migrations", "internals")

_SUBSTITUTES = {
    '"$vcenter"': '".*"',
    '"$cluster"': '".*"',
    "$__rate_interval": "10s",
    "$__range": "1m",
    "[1h]": "[30s]",
    "[24h]": "[30s]",
    "[2m]": "[30s]",
}
"""What Grafana puts in when everything is chosen, and ranges that fit into a short test."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query: of which dashboard, panel (or annotation) and letter."""

    board: str
    panel: str
    letter: str
    expr: str

    @property
    def place(self) -> str:
        return f"{self.board}: {self.panel}: {self.letter}"


def read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Query]:
    """Yield every query of every dashboard, those of annotations too."""
    for name in NAMES:
        board = read(name)
        for panel in panels(board):
            for target in panel["targets"]:
                yield Query(
                    board=name, panel=panel["title"], letter=target["refId"], expr=target["expr"]
                )
        for note in board["annotations"]["list"]:
            yield Query(board=name, panel=note["name"], letter="annotation", expr=note["expr"])


def runnable(expr: str) -> str:
    """Return an expression as Prometheus can run it."""
    for ours, theirs in _SUBSTITUTES.items():
        expr = expr.replace(ours, theirs)
    return expr
