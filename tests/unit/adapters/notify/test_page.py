"""The page on notifications: the receiver that it shows checks what is really sent, and refuses all else."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from balancer.adapters.notify.webhook import signed_headers, webhook_body
from balancer.config.notify import Notify
from balancer.model.notice import NoticeKind, Severity
from tests.unit.adapters.notify.notices import bulletin, notice

PAGE = (Path(__file__).parents[4] / "docs/operate/notifications.md").read_text("utf-8")
KEY = bytes(range(32))
SECRET = base64.b64encode(KEY).decode()
NOW_S = 1_800_000_000


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)
    assert found
    return found[1]


@pytest.fixture(name="check")
def receivers_check() -> Callable[..., bool]:
    shown: dict[str, Any] = {}
    exec(block("python"), shown)
    is_ours: Callable[..., bool] = shown["is_new_and_ours"]
    return is_ours


def message() -> tuple[dict[str, str], bytes]:
    body = webhook_body(bulletin())
    return dict(signed_headers(body, KEY, message_id="msg_1", at_s=NOW_S)), body


def test_a_message_is_taken_once(check: Callable[..., bool]) -> None:
    headers, body = message()
    seen: set[str] = set()
    assert check(headers, body, SECRET, seen, now=lambda: NOW_S + 299)
    assert not check(headers, body, SECRET, seen, now=lambda: NOW_S + 299)
    assert check(headers, body, f"whsec_{SECRET}\n", set(), now=lambda: NOW_S)


@pytest.mark.parametrize(
    ("changed", "more"),
    [
        ({"webhook-id": "msg_2"}, b""),
        ({"webhook-timestamp": str(NOW_S + 1)}, b""),
        ({"webhook-signature": "v1," + SECRET}, b""),
        ({"webhook-timestamp": "soon"}, b""),
        ({}, b" "),
    ],
)
def test_whatever_was_changed_is_refused(
    check: Callable[..., bool], changed: dict[str, str], more: bytes
) -> None:
    headers, body = message()
    assert not check({**headers, **changed}, body + more, SECRET, set(), now=lambda: NOW_S)


@pytest.mark.parametrize("later_s", [-301, 301])
def test_an_old_message_is_refused(check: Callable[..., bool], later_s: int) -> None:
    headers, body = message()
    assert not check(headers, body, SECRET, set(), now=lambda: NOW_S + later_s)


def test_the_body_that_is_shown_has_the_keys_of_a_real_one() -> None:
    def keys(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: keys(one) for key, one in value.items() if key not in ("facts", "counts")}
        return [keys(one) for one in value] if isinstance(value, list) else None

    shown, real = json.loads(block("json")), json.loads(webhook_body(bulletin(notice())))
    assert keys(shown) == keys(real)


def test_the_configuration_that_is_shown_loads() -> None:
    data = yaml.safe_load(block("yaml"))["notify"]
    assert len(Notify.model_validate_json(json.dumps(data), context=Path("/x")).channels) == 4


def test_every_kind_is_listed_and_no_other() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (info|warning|error) \|", PAGE, re.M))
    assert listed.keys() == set(NoticeKind)
    assert set(listed.values()) == set(Severity)
