"""Messages in the forms of Slack and Teams. Names stand where neither of them looks for markup.

Slack: `plain_text` objects only, with its three control characters as entities and `@` as its full-width twin.
Teams: runs of a RichTextBlock, which know no Markdown, with openings of expressions broken. Sources:
docs.slack.dev, "Formatting message text" and "Text object"; learn.microsoft.com, Adaptive Cards, "Text features"
("RichTextBlock does not support markdown").
"""

import json

from balancer.adapters.notify.bulletin import Bulletin, Section, headline, sections
from balancer.expose.escape import visible
from balancer.model.notice import Severity

SLACK_HEADER, SLACK_TEXT = 150, 3000
"""Longest texts of Slack's header and section blocks, in characters. Source: docs.slack.dev, "Blocks"."""

MOST_NAME = 300
"""A line is cut here before it is escaped, so that no entity is cut in two."""

TEAMS_BYTES = 28_000
"""What Teams takes of one card. Source: learn.microsoft.com, "Create and send messages", 28 KB."""

_COLORS = {Severity.INFO: "Default", Severity.WARNING: "Warning", Severity.ERROR: "Attention"}
_AT = "\N{FULLWIDTH COMMERCIAL AT}"


def slack_body(bulletin: Bulletin) -> bytes:
    """Return what an incoming webhook of Slack takes."""
    blocks: list[dict[str, object]] = [
        {"type": "header", "text": _plain(headline(bulletin), SLACK_HEADER)}
    ]
    for section in sections(bulletin):
        text = "\n".join(_cut(line, MOST_NAME) for line in (section.title, *section.lines))
        blocks.append({"type": "section", "text": _plain(text, SLACK_TEXT)})
    message = {
        "text": slack_text(headline(bulletin), MOST_NAME),
        "blocks": blocks,
        "mrkdwn": False,
        "link_names": False,
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return json.dumps(message).encode("ascii")


def slack_text(text: str, most: int) -> str:
    """Return a text of at most so many characters as words without effect in Slack."""
    lines = "\n".join(visible(line) for line in text.split("\n"))
    while len(escaped := _entities(lines)) > most:
        lines = lines[: -max((len(escaped) - most) // 5, 1)]
    return escaped


def teams_body(bulletin: Bulletin) -> bytes:
    """Return what a workflow of Teams posts: a card as an attachment."""
    body: list[dict[str, object]] = [
        _run(headline(bulletin), weight="Bolder", color=_COLORS[bulletin.severity])
    ]
    for section in sections(bulletin):
        body += _card_section(section)
    while len(_card(body)) > TEAMS_BYTES:
        body.pop()
    return _card(body)


def _plain(text: str, most: int) -> dict[str, object]:
    return {"type": "plain_text", "text": slack_text(text, most), "emoji": False}


def _entities(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", _AT)


def _cut(text: str, most: int) -> str:
    safe = visible(text)
    return safe if len(safe) <= most else f"{safe[: most - 3]}..."


def _card_section(section: Section) -> list[dict[str, object]]:
    title = _run(section.title, weight="Bolder", color=_COLORS[section.severity])
    return [{**title, "spacing": "Medium"}, *(_run(line) for line in section.lines)]


def _run(text: str, **style: str) -> dict[str, object]:
    safe = _cut(text, MOST_NAME).replace("{{", "{ {").replace("${", "$ {").replace("@{", "@ {")
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": safe, **style}]}


def _card(body: list[dict[str, object]]) -> bytes:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return json.dumps({"type": "message", "attachments": [attachment]}).encode("ascii")
