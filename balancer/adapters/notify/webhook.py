"""The body of webhooks and its signature, in the manner of Standard Webhooks: see docs/operate/notifications.md.

Source of the scheme: the specification "Standard Webhooks" 1.0, sections "Webhook headers" and "Signature
scheme". A receiver that checks signature and time, and remembers ids for as long, cannot be played back to.
"""

import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Mapping

from balancer.adapters.notify.bulletin import Bulletin, headline
from balancer.expose.figures import timestamp
from balancer.model.notice import Notice
from balancer.version import VERSION

MOST_NOTICES = 50
"""Notices in one body: the newest; the rest stands in `counts`."""


def webhook_body(bulletin: Bulletin) -> bytes:
    """Return the body: JSON in ASCII, names as vCenter has them."""
    counts = Counter(notice.word for notice in bulletin.notices)
    told = bulletin.notices[-MOST_NOTICES:]
    document = {
        "format_version": "1.0",
        "id": bulletin.id,
        "at": timestamp(bulletin.at),
        "program": f"vsphere-balancer {VERSION}",
        "severity": bulletin.severity.value,
        "headline": headline(bulletin),
        "notices": [_notice(notice) for notice in told],
        "counts": dict(sorted(counts.items())),
        "left_out": len(bulletin.notices) - len(told),
        "dropped": bulletin.dropped,
    }
    return json.dumps(_sound(document)).encode("ascii")


def signed_headers(body: bytes, key: bytes, *, message_id: str, at_s: int) -> Mapping[str, str]:
    """Return the headers of a body that is sent at `at_s`, seconds since the epoch."""
    signed = f"{message_id}.{at_s}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{signature}",
    }


def _notice(notice: Notice) -> dict[str, object]:
    return {
        "kind": notice.word,
        "severity": notice.severity.value,
        "vcenter": notice.vcenter,
        "cluster": notice.cluster,
        "at": timestamp(notice.at),
        "title": notice.title,
        "text": notice.text,
        "facts": dict(notice.facts),
    }


def _sound(value: object) -> object:
    """Return it without lone surrogates, which are no text: strict readers of JSON refuse them."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {key: _sound(one) for key, one in value.items()}
    return [_sound(one) for one in value] if isinstance(value, list) else value
