"""What a message looks like in each form, and that no name can be more than a name there."""

import email
import json
import re
from email.policy import SMTP
from typing import Any

import pytest

from balancer.adapters.notify.bulletin import headline, sections
from balancer.adapters.notify.chat import (
    SLACK_HEADER,
    SLACK_TEXT,
    TEAMS_BYTES,
    slack_body,
    teams_body,
)
from balancer.adapters.notify.mail import mail
from balancer.adapters.notify.webhook import MOST_NOTICES, webhook_body
from balancer.model.notice import NoticeKind, Severity
from tests.support.hostile import EVERY
from tests.unit.adapters.notify.notices import bulletin, named, notice
from tests.unit.adapters.notify.notices import email as email_channel

OPENED = notice(
    kind=NoticeKind.BREAKER_OPENED,
    severity=Severity.ERROR,
    title="breaker opened: nothing is moved",
    text="3 moves in a row failed",
)


def texts_in(value: object) -> list[str]:
    """Return every text in a document, those of keys named `text` and all others."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts_in(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts_in(part)]
    return [value] if isinstance(value, str) else []


def objects_in(value: Any) -> list[dict[str, Any]]:
    found = [value] if isinstance(value, dict) else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found + [one for part in parts for one in objects_in(part)]


def test_one_notice_is_its_own_headline() -> None:
    assert headline(bulletin(OPENED)) == "ERROR main/prod-a: breaker opened: nothing is moved"


def test_a_storm_is_one_line_in_which_the_gravest_gives_the_tone() -> None:
    storm = bulletin(*(notice(number) for number in range(500)), OPENED, dropped=20)

    assert headline(storm) == "ERROR main/prod-a: 500 migration failed, 1 breaker opened"
    told = sections(storm)
    assert [section.title for section in told] == [
        "ERROR main/prod-a: breaker opened: nothing is moved",
        "WARNING main/prod-a: a migration failed (500 times)",
        "Not told here",
    ]
    assert told[1].lines[-2:] == (
        "2026-11-22 12:00:00 UTC: vm499 from esx1 to esx2 failed with Timedout",
        "and 495 before",
    )
    assert told[2].lines == ("20 notices older, too many",)


def test_each_form_stays_within_what_its_receiver_takes() -> None:
    storm = bulletin(
        *(notice(n, cluster=f"c{n % 40}", text="<&>" * 300 + str(n)) for n in range(500)), dropped=1
    )

    slack = json.loads(slack_body(storm))
    assert len(slack["blocks"]) <= 50
    assert len(slack["blocks"][0]["text"]["text"]) <= SLACK_HEADER
    assert all(len(block["text"]["text"]) <= SLACK_TEXT for block in slack["blocks"])
    assert len(teams_body(storm)) <= TEAMS_BYTES
    webhook = json.loads(webhook_body(storm))
    assert len(webhook["notices"]) == MOST_NOTICES
    assert (webhook["left_out"], webhook["dropped"]) == (450, 1)
    assert webhook["counts"] == {"migration_failed": 500}


@pytest.mark.parametrize("name", EVERY, ids=range(len(EVERY)))
def test_a_name_has_no_effect_in_any_form(name: str) -> None:
    hostile = bulletin(named(name))

    _check_webhook(webhook_body(hostile), name)
    _check_slack(slack_body(hostile))
    _check_teams(teams_body(hostile))
    _check_mail(mail(hostile, email_channel(25)).as_bytes())


def _check_webhook(body: bytes, name: str) -> None:
    """Plain data: the name comes back as it was."""
    (told,) = json.loads(body.decode("ascii"))["notices"]
    assert told["facts"]["vm"] == told["cluster"] == name


def _check_slack(body: bytes) -> None:
    """No markup is looked for, and Slack's three control characters are entities."""
    message = json.loads(body.decode("ascii"))
    assert {one["type"] for one in objects_in(message) if "text" in one and "type" in one} <= {
        "header",
        "section",
        "plain_text",
    }
    assert (message["mrkdwn"], message["parse"], message["link_names"]) == (False, "none", False)
    for text in texts_in(message):
        assert not re.search(r"[<>@]|&(?!(amp|lt|gt);)", text)
        assert text.replace("\n", "").isprintable()


def _check_teams(body: bytes) -> None:
    """Every name is in a run, which knows no Markdown, and opens no expression."""
    content = json.loads(body.decode("ascii"))["attachments"][0]["content"]
    assert {one["type"] for one in objects_in(content)} == {
        "AdaptiveCard",
        "RichTextBlock",
        "TextRun",
    }
    for text in texts_in(content["body"]):
        assert not re.search(r"\{\{|\$\{|@\{", text)
        assert text.isprintable()


def _check_mail(content: bytes) -> None:
    """The headers are ours alone, and each line of the body is one that we wrote."""
    read = email.message_from_bytes(content, policy=SMTP)
    assert sorted(name.lower() for name in read) == sorted(
        [
            *("subject", "from", "to", "date", "message-id", "auto-submitted"),
            *("content-type", "content-transfer-encoding", "mime-version"),
        ]
    )
    assert str(read["Subject"]).lstrip().startswith("[balancer] WARNING ")
    assert read["To"] == "ops@example.com, night@example.com"
    text = read.get_content().replace("\r\n", "\n")
    assert len(text.rstrip("\n").split("\n")) == 2
    assert text.replace("\n", "").isprintable()
