"""The dashboards as JSON text: the same text from the same Python, so that a test can compare."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import cluster, fleet, internals, migrations

BOARDS = {
    "fleet": fleet.board,
    "cluster": cluster.board,
    "migrations": migrations.board,
    "internals": internals.board,
}
"""The file's name without its ending, and what makes the dashboard."""


def text_of(name: str) -> str:
    """Return one dashboard as the content of its file."""
    return json.dumps(BOARDS[name](), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def write_all(folder: Path) -> None:
    """Write all dashboards into a folder."""
    for name in BOARDS:
        (folder / f"{name}.json").write_text(text_of(name), encoding="utf-8")
