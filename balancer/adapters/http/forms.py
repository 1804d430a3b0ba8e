"""In which form an answer goes out: by suffix, by `format`, or by the Accept header, in this order."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

from balancer.adapters.http.problems import Problem, Refused, shown
from balancer.api.answer import Answer, Json
from balancer.expose.document import document_text


class Form(StrEnum):
    """The forms. `text` is for terminals; nothing in it can harm one."""

    JSON = "json"
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


LISTED = (Form.JSON, Form.TEXT)
EXPLAINED = (Form.JSON, Form.TEXT, Form.MARKDOWN)
EVERY = tuple(Form)

SUFFIXES: Mapping[str, Form] = MappingProxyType(
    {".json": Form.JSON, ".txt": Form.TEXT, ".md": Form.MARKDOWN, ".html": Form.HTML}
)
MEDIA: Mapping[Form, str] = MappingProxyType(
    {
        Form.JSON: "application/json",
        Form.TEXT: "text/plain",
        Form.MARKDOWN: "text/markdown",
        Form.HTML: "text/html",
    }
)
LEAST_WIDTH, MOST_WIDTH = 20, 1000

_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "vary": "accept, authorization",
    }
)
_PAGE = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def wanted_form(
    request: Request, offered: Collection[Form], *, asked: str | None = None, suffix: str = ""
) -> Form:
    """Return the form that is asked for.

    Raises:
        Refused: it is not offered: 400 for a suffix or `format`, 406 for an Accept header.
    """
    named = SUFFIXES[suffix] if suffix else asked
    if named:
        if named in {form.value for form in offered}:
            return Form(named)
        raise Refused(_no_such(named, offered, where="format", kind="unknown-form"))
    accept = request.headers.get("accept", "")
    found = _accepted(accept, offered)
    if found is None:
        raise Refused(_no_such(accept, offered, where="the header Accept", kind="not-acceptable"))
    return found


def _no_such(found: str, offered: Collection[Form], *, where: str, kind: str) -> Problem:
    names = ", ".join(form.value for form in offered)
    media = ", ".join(MEDIA[form] for form in offered)
    return Problem(
        kind=kind,
        found=shown(found),
        where=where,
        allowed=f"{names} ({media})",
        mend=f"Ask with ?format={next(iter(offered)).value}, or leave it out.",
    )


def _accepted(accept: str, offered: Collection[Form]) -> Form | None:
    """Return the form that an Accept header likes best; JSON for none, and for what takes anything."""
    ranges = [_range(piece) for piece in accept.split(",") if piece.strip()]
    if not ranges:
        return next(iter(offered))
    best: tuple[float, int] | None = None
    chosen = None
    for place, form in enumerate(offered):
        weight = _weight(MEDIA[form], ranges)
        if weight > 0 and (best is None or (weight, -place) > best):
            best, chosen = (weight, -place), form
    return chosen


def _range(piece: str) -> tuple[str, float]:
    media, *parameters = (word.strip().lower() for word in piece.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return media, min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return media, 0.0
    return media, 1.0


def _weight(media: str, ranges: Collection[tuple[str, float]]) -> float:
    """Return how much a media type is liked, by the most specific range that names it."""
    for pattern in (media, f"{media.partition('/')[0]}/*", "*/*"):
        for name, weight in ranges:
            if name == pattern:
                return weight
    return 0.0


def respond(answer: Answer, form: Form, *, width: int | None = None) -> Response:
    """Return an answer as JSON or as text."""
    if form is Form.TEXT:
        return written(answer.text(width), Form.TEXT)
    return document(answer.document)


def document(content: Json) -> Response:
    """Return a document."""
    return written(document_text(content), Form.JSON)


def written(text: str, form: Form) -> Response:
    """Return text in a form that it has already."""
    headers = dict(_HEADERS) | ({"content-security-policy": _PAGE} if form is Form.HTML else {})
    content = text.encode("utf-8", errors="replace")
    return Response(content, media_type=MEDIA[form], headers=headers)
