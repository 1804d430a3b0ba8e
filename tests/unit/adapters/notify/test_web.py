"""Messages over HTTP as a receiver has them: signed, verified, not redirected; addresses stay secret."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from balancer.adapters.notify import senders_of
from balancer.adapters.notify.web import Request, post
from balancer.config.notify import Notify, SlackChannel, TeamsChannel, WebhookChannel
from balancer.model.errors import DeliveryFailed
from tests.support.certificates import certificate_in
from tests.support.receiver import Receiver, Reply
from tests.unit.adapters.notify.notices import bulletin

KEY = b"k" * 32


def failure(work: Callable[[], object]) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        work()
    return caught.value


def request(url: str, **facts: object) -> Request:
    return Request(url=url, body=b"{}", headers={}, **facts)  # type: ignore[arg-type]


def in_file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text + "\n")
    return path


def send(notify: Notify) -> None:
    ((_, sender),) = senders_of(notify)
    sender(bulletin())


def test_a_webhook_is_signed_over_id_time_and_body(tmp_path: Path) -> None:
    with Receiver() as receiver:
        channel = WebhookChannel(
            name="hook",
            url_file=in_file(tmp_path, "url", receiver.url()),
            secret_file=in_file(tmp_path, "key", base64.b64encode(KEY).decode()),
        )
        send(Notify(webhook=(channel,)))
        (got,) = receiver.wait_for(1)

    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{wanted}"
    assert got.headers["webhook-id"] == json.loads(got.body)["id"] == "msg_1"
    assert got.headers["user-agent"].startswith("vsphere-balancer/")


def test_slack_and_teams_are_sent_what_they_take(tmp_path: Path) -> None:
    with Receiver() as receiver:
        url = in_file(tmp_path, "url", receiver.url("/services/T0/B0/secret"))
        send(Notify(slack=(SlackChannel(name="slack", url_file=url),)))
        send(Notify(teams=(TeamsChannel(name="teams", url_file=url),)))
        slack, teams = receiver.wait_for(2)

    assert slack.path == teams.path == "/services/T0/B0/secret"
    assert json.loads(slack.body)["blocks"][0]["type"] == "header"
    assert json.loads(teams.body)["attachments"][0]["content"]["type"] == "AdaptiveCard"
    assert slack.headers["content-type"] == teams.headers["content-type"] == "application/json"


def test_a_certificate_is_verified_by_the_authorities_of_ca_file(tmp_path: Path) -> None:
    made = certificate_in(tmp_path)
    with Receiver(tls=made.server()) as receiver:
        err = failure(lambda: post(request(receiver.url())))
        assert "certificate is not trusted" in str(err)
        assert not err.is_transient
        assert receiver.received == []

        post(request(receiver.url(), ca_file=made.certificate_file))
        assert len(receiver.wait_for(1)) == 1


def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = in_file(tmp_path, "ca.pem", "nothing")
    err = failure(lambda: post(request("https://127.0.0.1:9/", ca_file=path)))
    assert str(path) in str(err)
    assert not err.is_transient


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as elsewhere:
        reply = Reply(status=307, headers={"Location": elsewhere.url()})
        with Receiver([reply]) as receiver:
            err = failure(lambda: post(request(receiver.url())))
            receiver.wait_for(1)
        assert "307, a redirect" in str(err)
        assert not err.is_transient
        assert elsewhere.received == []


@pytest.mark.parametrize(
    ("status", "after", "is_transient", "wait_s"),
    [
        (500, "", True, None),
        (503, "7", True, 7.0),
        (429, "30", True, 30.0),
        (429, "86400", True, 300.0),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", True, None),
        (408, "", True, None),
        (400, "", False, None),
        (403, "", False, None),
        (404, "", False, None),
        (410, "", False, None),
    ],
)
def test_what_an_answer_asks_for_is_done(
    status: int, after: str, is_transient: bool, wait_s: float | None
) -> None:
    headers = {"Retry-After": after} if after else {}
    with Receiver([Reply(status=status, headers=headers)]) as receiver:
        err = failure(lambda: post(request(receiver.url())))
    assert (err.is_transient, err.retry_after_s) == (is_transient, wait_s)
    assert str(status) in str(err)


def test_nobody_there_is_worth_another_try() -> None:
    with Receiver() as receiver:
        url = receiver.url()
    err = failure(lambda: post(request(url)))
    assert err.is_transient


def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Receiver() as receiver:
        post(request(receiver.url()))
        assert len(receiver.wait_for(1)) == 1


def test_a_proxy_of_the_configuration_is_used() -> None:
    with Receiver() as proxy:
        post(request("http://elsewhere.invalid/hook", proxy=proxy.url("")))
        (got,) = proxy.wait_for(1)
    assert got.path == "http://elsewhere.invalid/hook"


@pytest.mark.parametrize("status", [200, 307, 404, 500])
def test_an_address_is_never_logged_nor_told(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever knows the address of a chat channel may write there."""
    with (
        caplog.at_level(logging.DEBUG),
        Receiver([Reply(status=status, headers={"Location": "/T0/hidden"})]) as receiver,
    ):
        try:
            post(request(receiver.url("/T0/hidden")))
            told = ""
        except DeliveryFailed as err:
            told = f"{err} {err.__cause__!r}"
    assert "hidden" not in told + caplog.text
