"""Writes the golden files of reports anew: `python -m tests.support.golden`. Look at what changed, then keep it.

One file for each case and rendering, `tests/golden/CASE.EXTENSION`. The program's version and the digest of the
policy are not part of them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from balancer.expose.action_document import action_document
from balancer.expose.action_html import action_html_of
from balancer.expose.action_markdown import action_markdown_of
from balancer.expose.action_text import action_text_of
from balancer.expose.action_view import action_view
from balancer.expose.document import document_text, plan_document
from balancer.expose.origin import Origin
from balancer.expose.report_html import html_of
from balancer.expose.report_markdown import markdown_of
from balancer.expose.report_text import text_of
from balancer.expose.report_view import report_view
from balancer.expose.text_layout import Paper
from balancer.model.fingerprint import fingerprint
from balancer.version import VERSION
from tests.unit.expose.aftermaths import mixed
from tests.unit.expose.reported import CASES

FOLDER = Path(__file__).parents[1] / "golden"

ORIGIN = Origin(config="/etc/balancer/config.yaml", is_kept=True)


def goldens() -> Iterator[tuple[str, str]]:
    """Yield the name and the content of every golden file."""
    for name, make in CASES.items():
        plan, snapshot, policy = make()
        view = report_view(plan, snapshot, policy, origin=ORIGIN)
        document = document_text(plan_document(plan, snapshot, policy=policy, origin=ORIGIN))
        forms = {
            "txt": text_of(view, Paper()),
            "md": markdown_of(view),
            "html": html_of(view),
            "json": document,
        }
        for extension, content in forms.items():
            yield f"{name}.{extension}", _settled(content, fingerprint(policy))
    done = mixed()
    told = action_view(done)
    yield "after-action.txt", action_text_of(told, Paper())
    yield "after-action.md", action_markdown_of(told)
    yield "after-action.html", action_html_of(told)
    yield "after-action.json", document_text(action_document(done))


def _settled(content: str, policy_digest: str) -> str:
    """Return a report without what changes with every release and every new setting of the policy."""
    shown = content.replace(policy_digest, "0123456789abcdef")
    shown = shown.replace(f'"version": "{VERSION}"', '"version": "VERSION"')
    return re.sub(rf"(?<=by version ){re.escape(VERSION)}", "VERSION", shown)


def main() -> None:
    """Write every golden file."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in goldens():
        (FOLDER / name).write_text(content, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
