"""The fields of the Prometheus operator's objects that the chart uses, and no others.

Source: prometheus-operator, Documentation/api-reference/api.md, monitoring.coreos.com/v1: ServiceMonitor,
PrometheusRule. A field that is not here is refused, so that a misspelt one is found.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

API_VERSIONS = ("monitoring.coreos.com/v1",)
UNITS = ("y", "w", "d", "h", "m", "s", "ms")
DURATION = {"type": "string", "pattern": f"^(0|{''.join(f'([0-9]+{unit})?' for unit in UNITS)})$"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
TEXT = {"type": "string", "minLength": 1}


def closed(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Return an object that has these properties and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def resource(kind: str, spec: Schema) -> Schema:
    """Return an object of the operator with its head."""
    head = closed(("name", "labels"), name=TEXT, labels=TEXTS)
    return closed(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"enum": list(API_VERSIONS)},
        kind={"const": kind},
        metadata=head,
        spec=spec,
    )


SECRET_KEY = closed(("name", "key"), name=TEXT, key=TEXT, optional={"type": "boolean"})
ENDPOINT = closed(
    ("port",),
    port=TEXT,
    path={"type": "string", "pattern": "^/"},
    scheme={"enum": ["http", "https"]},
    interval=DURATION,
    scrapeTimeout=DURATION,
    authorization=closed(type=TEXT, credentials=SECRET_KEY),
    tlsConfig=closed(
        serverName=TEXT,
        insecureSkipVerify={"type": "boolean"},
        ca=closed(secret=SECRET_KEY, configMap=SECRET_KEY),
    ),
)
RULE: Schema = {
    "oneOf": [
        closed(("record", "expr"), record=TEXT, expr=TEXT, labels=TEXTS),
        closed(
            ("alert", "expr"),
            **{"alert": TEXT, "expr": TEXT, "for": DURATION, "labels": TEXTS, "annotations": TEXTS},
        ),
    ]
}
GROUP = closed(
    ("name", "rules"),
    name=TEXT,
    interval=DURATION,
    rules={"type": "array", "minItems": 1, "items": RULE},
)

BY_KIND: Mapping[str, Schema] = {
    "ServiceMonitor": resource(
        "ServiceMonitor",
        closed(
            ("selector", "endpoints"),
            selector=closed(("matchLabels",), matchLabels=TEXTS),
            endpoints={"type": "array", "minItems": 1, "items": ENDPOINT},
        ),
    ),
    "PrometheusRule": resource(
        "PrometheusRule",
        closed(("groups",), groups={"type": ["array", "null"], "items": GROUP}),
    ),
}
