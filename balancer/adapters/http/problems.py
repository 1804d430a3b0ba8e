"""What the HTTP side says when it says no: problem documents (RFC 9457), each with what to do.

Beside the standard members a document has `found`, `where`, `allowed` and `mend`, and `told`, the message of the
program where it comes from there. Nothing of a token and no stack text stands in one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from starlette.responses import Response

from balancer.expose.escape import visible
from balancer.model.errors import (
    BalancerError,
    InputError,
    NotFound,
    NotSeenYet,
    PlanRefused,
    SourceError,
    StoreError,
)

MEDIA_TYPE = "application/problem+json"
URN = "urn:balancer:problem:"
MOST_SHOWN = 200
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


KINDS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "unclear": (400, "It is not clear what is asked for"),
        "unknown-form": (400, "There is no such form of this answer"),
        "token-missing": (401, "A token is needed"),
        "token-wrong": (401, "The token is not known"),
        "no-tokens": (403, "Nobody may use this interface"),
        "role": (403, "The role does not reach so far"),
        "no-such-path": (404, "There is no such path"),
        "not-found": (404, "Nothing is called so"),
        "method": (405, "The path takes another method"),
        "not-acceptable": (406, "No form that is accepted is offered"),
        "body-too-slow": (408, "The body came too slowly"),
        "plan-refused": (409, "The plan cannot be decided on so"),
        "body-too-large": (413, "The body is too large"),
        "malformed": (422, "A parameter or the body has not its form"),
        "too-many-wrong-tokens": (429, "Too many wrong tokens"),
        "internal": (500, "An internal error"),
        "busy": (503, "Too much is asked at once"),
        "file-wrong": (503, "A file of the daemon is wrong"),
        "journal-unavailable": (503, "The journal cannot be read or written"),
        "not-seen-yet": (503, "The cluster has not been read since the start"),
        "vcenter-unavailable": (503, "The vCenter cannot be asked"),
    }
)
"""Every kind of problem, with the status that it is answered with and its title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One "no" of one of the kinds. `where` names the part of the request."""

    kind: str
    found: str
    where: str
    allowed: str
    mend: str
    detail: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)

    @property
    def status(self) -> int:
        """Return the status that it is answered with."""
        return KINDS[self.kind][0]

    def document(self) -> dict[str, object]:
        """Return it as RFC 9457 has it, with members of our own."""
        said = self.detail or f"{self.where}: {self.found}; allowed: {self.allowed}"
        return {
            "type": f"{URN}{self.kind}",
            "title": KINDS[self.kind][1],
            "status": self.status,
            "detail": visible(said),
            "found": visible(self.found),
            "where": visible(self.where),
            "allowed": visible(self.allowed),
            "mend": visible(self.mend),
        }

    def response(self) -> Response:
        """Return it as an answer."""
        return Response(
            json.dumps(self.document()) + "\n",
            status_code=self.status,
            media_type=MEDIA_TYPE,
            headers={
                "cache-control": "no-store",
                "x-content-type-options": "nosniff",
                **self.headers,
            },
        )


class Refused(Exception):
    """A request is answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.kind)


def shown(value: object) -> str:
    """Return a piece of a request as a problem repeats it."""
    text = visible(str(value))
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    kind: str
    allowed: str
    mend: str
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)


_MEANINGS: tuple[tuple[type[BalancerError], _Meaning], ...] = (
    (
        PlanRefused,
        _Meaning(
            kind="plan-refused",
            allowed="a plan that waits, once, while it is fresh, in a cluster whose mode moves VMs",
            mend="Look at GET /api/v1/plans?waiting=true and decide on the newest plan.",
        ),
    ),
    (
        NotFound,
        _Meaning(
            kind="not-found",
            allowed="a name or number that there is; the detail lists the nearest",
            mend="Look it up: /api/v1/clusters, /api/v1/plans, /api/v1/journal.",
        ),
    ),
    (
        NotSeenYet,
        _Meaning(
            kind="not-seen-yet",
            allowed="once a cycle has ended",
            mend="Ask again later; /api/v1/status tells when, or why the last cycle failed.",
            headers=MappingProxyType({"retry-after": "30"}),
        ),
    ),
    (
        StoreError,
        _Meaning(
            kind="journal-unavailable",
            allowed="once the journal answers",
            mend="Nothing was changed. Look at the daemon's log and at the disk of the journal.",
            headers=MappingProxyType({"retry-after": "5"}),
        ),
    ),
    (
        SourceError,
        _Meaning(
            kind="vcenter-unavailable",
            allowed="once it answers",
            mend="Look at /readyz and at the daemon's log.",
            headers=MappingProxyType({"retry-after": "30"}),
        ),
    ),
    (
        InputError,
        _Meaning(
            kind="file-wrong",
            allowed="once it is mended",
            mend="Run balancer validate on the machine of the daemon.",
        ),
    ),
    (
        BalancerError,
        _Meaning(
            kind="unclear",
            allowed="see the detail",
            mend="Say what the detail asks for.",
        ),
    ),
)


def problem_of(error: BalancerError, *, path: str) -> Problem:
    """Return what an error of the program is to somebody who asks over HTTP."""
    meaning = next(meaning for kind, meaning in _MEANINGS if isinstance(error, kind))
    return Problem(
        kind=meaning.kind,
        found=shown(error),
        where=shown(path),
        allowed=meaning.allowed,
        mend=meaning.mend,
        detail=str(error),
        headers=meaning.headers,
    )


def busy(where: str) -> Problem:
    """Return that too much is asked at once."""
    return Problem(
        kind="busy",
        found="as many requests as are answered at a time are under way",
        where=where,
        allowed="a few requests at a time",
        mend="Ask again in a second.",
        headers=MappingProxyType({"retry-after": "1"}),
    )
