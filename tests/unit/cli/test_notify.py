"""`balancer notify test`: one message through each channel, and what each said."""

from pathlib import Path

import pytest

from balancer.cli.app import Session, run_command_line
from tests.support.receiver import Receiver, Reply

HEAD = """\
vcenters:
- {name: main, host: vc, username: u, password_file: pw}
clusters:
- {vcenter: main, name: prod}
"""


def configured(folder: Path, *urls: str) -> Path:
    channels = ""
    for number, url in enumerate(urls, start=1):
        (folder / f"url{number}").write_text(f"{url}\n")
        channels += f"  - {{name: ops{number}, url_file: url{number}, events: [breaker_closed]}}\n"
    path = folder / "config.yaml"
    path.write_text(HEAD + (f"notify:\n  slack:\n{channels}" if urls else ""))
    return path


def run(*words: str | Path) -> int:
    return run_command_line(["notify", "test", *map(str, words)], Session())


def test_every_channel_is_tried_and_what_it_said_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Receiver([Reply(status=403)]) as refusing, Receiver() as taking:
        config = configured(tmp_path, refusing.url("/hidden"), taking.url())
        assert run("--config", config) == 1
        (got,) = taking.wait_for(1)
    assert b"this is a try of the channel" in got.body
    assert capsys.readouterr().out.splitlines() == [
        "ops1: it answered 403: is the address right, and still in use?",
        "ops2: delivered",
    ]


def test_one_channel_alone_may_be_tried(tmp_path: Path) -> None:
    with Receiver() as one, Receiver() as other:
        config = configured(tmp_path, one.url(), other.url())
        assert run("--config", config, "--channel", "ops2") == 0
        other.wait_for(1)
        assert one.received == []


def test_a_wrong_file_is_told_beside_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path, "hidden")
    assert run("--config", config) == 1
    told = capsys.readouterr().out
    assert "ops1: " in told
    assert "https://" in told
    assert "hidden" not in told


@pytest.mark.parametrize(
    ("urls", "words", "told"),
    [
        ((), (), "There is no channel in"),
        (("https://x.example.com/",), ("--channel", "opps"), "There are: ops1."),
    ],
)
def test_no_such_channel_is_an_error(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    urls: tuple[str, ...],
    words: tuple[str, ...],
    told: str,
) -> None:
    assert run("--config", configured(tmp_path, *urls), *words) == 1
    assert told in capsys.readouterr().err
