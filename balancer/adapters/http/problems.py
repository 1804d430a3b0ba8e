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


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One "no". `kind` ends its `type`; `where` names the part of the request."""

    kind: str
    title: str
    status: int
    found: str
    where: str
    allowed: str
    mend: str
    detail: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)

    def document(self) -> dict[str, object]:
        """Return it as RFC 9457 has it, with members of our own."""
        said = self.detail or f"{self.where}: {self.found}; allowed: {self.allowed}"
        return {
            "type": f"{URN}{self.kind}",
            "title": self.title,
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
    title: str
    status: int
    allowed: str
    mend: str
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)


_MEANINGS: tuple[tuple[type[BalancerError], _Meaning], ...] = (
    (
        PlanRefused,
        _Meaning(
            kind="plan-refused",
            title="The plan cannot be decided on so",
            status=409,
            allowed="a plan that waits, once, while it is fresh, in a cluster whose mode moves VMs",
            mend="Look at GET /api/v1/plans?waiting=true and decide on the newest plan.",
        ),
    ),
    (
        NotFound,
        _Meaning(
            kind="not-found",
            title="Nothing is called so",
            status=404,
            allowed="a name or number that there is; the detail lists the nearest",
            mend="Look it up: /api/v1/clusters, /api/v1/plans, /api/v1/journal.",
        ),
    ),
    (
        NotSeenYet,
        _Meaning(
            kind="not-seen-yet",
            title="The cluster has not been read since the start",
            status=503,
            allowed="once a cycle has ended",
            mend="Ask again later; /api/v1/status tells when, or why the last cycle failed.",
            headers=MappingProxyType({"retry-after": "30"}),
        ),
    ),
    (
        StoreError,
        _Meaning(
            kind="journal-unavailable",
            title="The journal cannot be read or written",
            status=503,
            allowed="once the journal answers",
            mend="Nothing was changed. Look at the daemon's log and at the disk of the journal.",
            headers=MappingProxyType({"retry-after": "5"}),
        ),
    ),
    (
        SourceError,
        _Meaning(
            kind="vcenter-unavailable",
            title="The vCenter cannot be asked",
            status=503,
            allowed="once it answers",
            mend="Look at /readyz and at the daemon's log.",
            headers=MappingProxyType({"retry-after": "30"}),
        ),
    ),
    (
        InputError,
        _Meaning(
            kind="file-wrong",
            title="A file of the daemon is wrong",
            status=503,
            allowed="once it is mended",
            mend="Run balancer validate on the machine of the daemon.",
        ),
    ),
    (
        BalancerError,
        _Meaning(
            kind="unclear",
            title="It is not clear what is asked for",
            status=400,
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
        title=meaning.title,
        status=meaning.status,
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
        title="Too much is asked at once",
        status=503,
        found="as many requests as are answered at a time are under way",
        where=where,
        allowed="a few requests at a time",
        mend="Ask again in a second.",
        headers=MappingProxyType({"retry-after": "1"}),
    )
