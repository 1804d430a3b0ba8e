"""What the OpenAPI document says of answers: their media types, and the problem that every route may answer."""

from typing import Any

from pydantic import BaseModel

from balancer.model.access import Role

Described = dict[int | str, dict[str, Any]]


class ProblemDocument(BaseModel):
    """Why a request was not answered as wished (RFC 9457), and what to do."""

    type: str
    title: str
    status: int
    detail: str
    found: str
    where: str
    allowed: str
    mend: str


_PROBLEM: dict[str, Any] = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
}
_OBJECT: dict[str, Any] = {
    "type": "object",
    "required": ["schema"],
    "properties": {
        "schema": {"type": "string", "pattern": "^balancer/[a-z-]+/v1$"},
    },
}
_TEXT: dict[str, Any] = {"schema": {"type": "string"}}

ANSWERS: Described = {
    status: {"description": told, **_PROBLEM}
    for status, told in {
        400: "It is not clear what is asked for",
        401: "No token, or one that is not known",
        403: "The role does not reach so far, or there are no tokens",
        404: "Nothing is called so",
        406: "There is no such form of the answer",
        422: "A parameter or the body has not its form",
        429: "Too many wrong tokens",
        503: "Not now: busy, the journal does not answer, or nothing was read yet",
    }.items()
}
TEXTS: Described = {
    200: {
        "description": "The answer, as document or for a terminal",
        "content": {"application/json": {"schema": _OBJECT}, "text/plain": _TEXT},
    }
}
EXPLANATIONS: Described = {
    200: {
        "description": "The explanation, see balancer schema explain",
        "content": {
            "application/json": {"schema": _OBJECT},
            "text/plain": _TEXT,
            "text/markdown": _TEXT,
        },
    }
}
OF_SNAPSHOTS: Described = {
    200: {
        "description": "The snapshot, see balancer schema snapshot",
        "content": {"application/json": {"schema": _OBJECT}},
    }
}
OF_PLANS: Described = {
    200: {
        "description": "The plan, see balancer schema plan, or its report",
        "content": {
            "application/json": {"schema": _OBJECT},
            "text/plain": _TEXT,
            "text/markdown": _TEXT,
            "text/html": _TEXT,
        },
    }
}
OF_REPORTS: Described = {
    200: {
        "description": "What was done, see balancer schema report",
        "content": OF_PLANS[200]["content"],
    }
}
DONE: Described = {
    200: {
        "description": "What was done, in `told` for people",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["schema", "told", "action", "changed"],
                    "properties": {
                        "schema": {"const": "balancer/done/v1"},
                        "told": {"type": "array", "items": {"type": "string"}},
                        "action": {"type": "string"},
                        "cluster": {
                            "type": "string",
                            "description": "VCENTER/NAME; empty for all",
                        },
                        "changed": {
                            "type": "boolean",
                            "description": "False where it was so before",
                        },
                    },
                }
            },
            "text/plain": _TEXT,
        },
    },
    409: {"description": "The plan cannot be decided on so", **_PROBLEM},
    413: {"description": "The body is too large", **_PROBLEM},
}

SECURITY = "token"
"""What the document calls the way in."""


def for_role(role: Role) -> dict[str, Any]:
    """Return what says of a route that it takes a token with a role."""
    return {"x-role": role.value, "security": [{SECURITY: []}]}


SECURITY_SCHEMES: dict[str, Any] = {
    SECURITY: {
        "type": "http",
        "scheme": "bearer",
        "description": "A token whose SHA-256 stands in http.tokens of the configuration.",
    }
}

SCHEMAS: dict[str, Any] = {"Problem": ProblemDocument.model_json_schema()}
"""What the document refers to beside what the routes name."""
