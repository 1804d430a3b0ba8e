"""Mail as a relay has it: over TLS, with a login, to all recipients; what a relay refuses."""

import email
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters.notify.mail import send_mail
from balancer.model.errors import DeliveryFailed
from tests.support.certificates import certificate_in
from tests.support.relay import Relay
from tests.unit.adapters.notify.notices import bulletin, notice
from tests.unit.adapters.notify.notices import email as channel


def refusal(port: int, **facts: Any) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        send_mail(bulletin(), channel(port, **facts))
    return caught.value


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_over_tls_with_a_login(tmp_path: Path, security: str) -> None:
    made = certificate_in(tmp_path)
    password = tmp_path / "password"
    password.write_text("geheim\n")
    with Relay(tls=made.server(), starts_private=security == "tls") as relay:
        send_mail(
            bulletin(notice(text="Grüße von vm1\n.\nRSET")),
            channel(
                relay.port,
                security=security,
                ca_file=made.certificate_file,
                username="balancer",
                password_file=password,
            ),
        )
        (got,) = relay.posted

    assert (got.is_private, got.login) == (True, "balancer:geheim")
    assert (got.sender, got.recipients) == (
        "balancer@example.com",
        ("ops@example.com", "night@example.com"),
    )
    read = email.message_from_bytes(got.content, policy=SMTP)
    assert read["Subject"] == "[balancer] WARNING main/prod-a: a migration failed"
    assert read["Message-ID"] == "<msg_1@example.com>"
    assert "Grüße von vm1\\n.\\nRSET" in read.get_content()  # type: ignore[attr-defined]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_relay_whose_certificate_is_not_trusted_gets_nothing(
    tmp_path: Path, security: str
) -> None:
    with Relay(tls=certificate_in(tmp_path).server(), starts_private=security == "tls") as relay:
        err = refusal(relay.port, security=security)
        assert relay.posted == []
    assert "certificate is not trusted" in str(err)
    assert not err.is_transient


def test_a_relay_without_starttls_gets_nothing() -> None:
    with Relay() as relay:
        err = refusal(relay.port, security="starttls")
        assert relay.posted == []
    assert "NotSupported" in str(err)
    assert not err.is_transient


@pytest.mark.parametrize(
    ("word", "answer", "is_transient"),
    [
        ("DATA", "451 try again later", True),
        ("DATA", "554 no", False),
        ("MAIL", "421 closing", True),
        ("RCPT", "450 mailbox busy", True),
        ("RCPT", "550 no such user", False),
    ],
)
def test_what_a_relay_refuses_is_told_with_its_code(
    word: str, answer: str, is_transient: bool
) -> None:
    with Relay(refuse={word: answer}) as relay:
        err = refusal(relay.port)
    assert answer[:3] in str(err)
    assert err.is_transient is is_transient


def test_a_relay_that_is_not_there_is_worth_another_try() -> None:
    with Relay() as relay:
        port = relay.port
    err = refusal(port)
    assert err.is_transient
    assert f"127.0.0.1:{port}" in str(err)
