"""Commands that ask a daemon over HTTP, against the real server on a socket, plain and with TLS."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from balancer.adapters.http.server import HttpServer
from balancer.cli.app import Session, run_command_line
from balancer.model.access import Role
from tests.support.asking import TOKENS, Asked, asked_of
from tests.support.certificates import certificate_in


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    with asked_of(tmp_path) as made:
        yield made


@pytest.fixture
def url(asked: Asked) -> Iterator[str]:
    server = HttpServer(asked.app())
    server.start()
    yield server.url
    server.stop()


class Shell:
    """Runs commands with a token; remembers what the last one said."""

    def __init__(self, folder: Path, url: str, capture: pytest.CaptureFixture[bytes]) -> None:
        self._folder, self._url, self._capture = folder, url, capture
        self.out = self.err = ""

    def token(self, role: Role) -> Path:
        path = self._folder / f"{role}.token"
        path.write_text(f"{TOKENS[role]}\n", encoding="utf-8")
        return path

    def plainly(self, *words: str) -> int:
        self._capture.readouterr()
        code = run_command_line(list(words), Session())
        said = self._capture.readouterr()
        self.out, self.err = said.out.decode(), said.err.decode()
        return code

    def __call__(self, *words: str, role: Role = Role.OPERATOR) -> int:
        return self.plainly(*words, "--url", self._url, "--token-file", str(self.token(role)))


@pytest.fixture
def say(tmp_path: Path, url: str, capfdbinary: pytest.CaptureFixture[bytes]) -> Shell:
    return Shell(tmp_path, url, capfdbinary)


def test_status_tells_what_the_daemon_saw_and_what_waits(asked: Asked, say: Shell) -> None:
    number = asked.plan()
    assert say("status", role=Role.VIEWER) == 0
    for words in ("vc1/prod", "manual", "last cycle", "next cycle", "imbalance", "breaker"):
        assert words in say.out
    assert f"balancer approve {number}" in say.out
    assert say("status", "--format", "json", role=Role.VIEWER) == 0
    (cluster,) = json.loads(say.out)["clusters"]
    assert cluster["newest_plan"]["number"] == number
    assert say("status", "--cluster", "nope", role=Role.VIEWER) == 1
    assert "No cluster 'nope' is configured" in say.err


def test_a_plan_is_approved_once_and_the_second_time_ends_with_4(asked: Asked, say: Shell) -> None:
    number = asked.plan()
    assert say("plans") == 0
    assert "waiting until" in say.out
    assert say("approve", str(number), "--reason", "CHG") == 0
    assert say.out.startswith(f"Approved plan {number} of vc1/prod")
    assert say("approve", str(number)) == 4
    assert "is approved already, by operator" in say.err
    assert say("plans", "--format", "json") == 0
    assert json.loads(say.out)["plans"][0]["state"] == "approved"
    assert say("reject", str(number), "--reason", "late") == 4
    assert say("approve", "..") == 1


def test_pause_resume_and_evacuations_say_the_same_as_on_the_journal(
    asked: Asked, say: Shell
) -> None:
    asked.plan()
    assert say("pause", "--reason", "disks\x1b[31m") == 0
    assert say.out.startswith("Paused everything: nothing new is sent.")
    assert asked.store.pauses()[0].by == "operator"
    assert say("resume") == 0
    assert "disks\\x1b[31m" in say.out
    assert say("evacuate", "esx2") == 0
    assert "esx2 (host-2) is to be emptied" in say.out
    assert say("evacuate", "--list") == 0
    assert "asked by operator" in say.out
    assert say("evacuate", "esx9") == 1
    assert "There is no host 'esx9'" in say.err
    assert say("evacuate", "esx2", "--cancel") == 0
    assert asked.store.evacuations("") == ()


def test_journal_and_audit_are_shown(asked: Asked, say: Shell) -> None:
    asked.plan()
    assert say("journal", "list", "--state", "done", "--state", "failed", "--since", "2d") == 0
    assert say.out == "No such moves in the journal.\n"
    assert say("journal", "show", "5") == 1
    assert "The journal has no row 5" in say.err
    assert say("journal", "verdicts", "--moves") == 0
    assert say("journal", "quarantines", "--format", "json") == 0
    say("pause")
    assert say("audit", "list", "--last", "5", "--format", "json", role=Role.ADMIN) == 0
    assert json.loads(say.out)[-1]["actor"] == "operator"
    assert say("audit", "verify", role=Role.ADMIN) == 0
    assert say.out.endswith("the chain holds\n")
    assert say("audit", "verify", "--head", f"1:{'0' * 64}", role=Role.ADMIN) == 1
    assert "does NOT hold" in say.out


def test_a_wrong_role_and_a_wrong_token_are_one_paragraph(asked: Asked, say: Shell) -> None:
    assert say("pause", role=Role.VIEWER) == 1
    assert "has the role viewer; allowed: the role operator" in say.err
    assert say.err.count("\n") == 1
    wrong = say.token(Role.ADMIN)
    wrong.write_text("mistyped\n")
    assert say("status", role=Role.VIEWER) == 0
    assert say.plainly("status", "--url", say._url, "--token-file", str(wrong)) == 1
    assert "The token is not known" in say.err
    assert "mistyped" not in say.err


def test_an_unreachable_daemon_is_told_with_the_way_without_http(
    tmp_path: Path, say: Shell
) -> None:
    token = str(say.token(Role.VIEWER))
    with socket.socket() as reserved:  # bound and not listening: refuses every connection
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        assert say.plainly("pause", "--url", url, "--token-file", token) == 1
    assert "Is it running" in say.err
    assert "--config F" in say.err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://balancer.example.com:9715", "would send the token in clear"),
        ("ftp://127.0.0.1", "is no address of a daemon"),
        ("127.0.0.1:9715", "is no address of a daemon"),
        ("https://user:pass@balancer.example.com", "is no address of a daemon"),
        ("https://", "is no address of a daemon"),
    ],
)
def test_an_address_that_is_none_or_unsafe_is_refused_before_anything_is_sent(
    say: Shell, url: str, said: str
) -> None:
    assert say.plainly("status", "--url", url, "--token-file", str(say.token(Role.VIEWER))) == 1
    assert said in say.err


def test_without_a_token_file_nothing_is_asked(say: Shell, tmp_path: Path) -> None:
    assert say.plainly("status", "--url", "http://127.0.0.1:1") == 1
    assert "--token-file or BALANCER_TOKEN_FILE" in say.err
    lost = str(tmp_path / "lost")
    assert say.plainly("status", "--url", "http://127.0.0.1:1", "--token-file", lost) == 1
    assert "cannot be read" in say.err


def test_what_is_no_balancer_is_said_to_be_none(say: Shell) -> None:
    token = str(say.token(Role.VIEWER))
    assert say.plainly("status", "--url", f"{say._url}/metrics", "--token-file", token) == 1
    assert "There is no such path" in say.err
    other = FastAPI()
    other.add_api_route("/api/v1/status", lambda: {"welcome": "home"})
    other.add_api_route("/api/v1/plans", lambda: HTMLResponse("<h1>\x1b[31mhome"))
    server = HttpServer(other)
    server.start()
    try:
        words = ["--url", server.url, "--token-file", token]
        assert say.plainly("plans", "--format", "json", *words) == 1
        assert "is no balancer: status 200, text/html" in say.err
        assert say.plainly("plans", *words) == 1
        assert "is no balancer" in say.err
        assert say.plainly("journal", "list", *words) == 1
        assert "is no balancer: status 404, application/json" in say.err
    finally:
        server.stop()


def test_the_environment_names_the_daemon_and_config_stays_the_way_without_http(
    asked: Asked, say: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.plan()
    monkeypatch.setenv("BALANCER_URL", say._url)
    monkeypatch.setenv("BALANCER_TOKEN_FILE", str(say.token(Role.OPERATOR)))
    assert say.plainly("pause") == 0
    assert asked.store.pauses()[0].by == "operator"
    asked.store.resume("", by="x", at=asked.scene.now())
    (tmp_path / "password").write_text("secret")
    config = tmp_path / "config.yaml"
    config.write_text(
        "vcenters: [{name: vc1, host: vc1.example.com, username: u, password_file: password}]\n"
        "clusters: [{vcenter: vc1, name: prod}]\njournal: {path: journal.sqlite}\n"
    )
    assert say.plainly("pause", "--config", str(config)) == 0
    assert asked.store.pauses()[0].by != "operator"
    assert say.plainly("status", "--config", str(config)) == 0
    assert "Read from the journal alone" in say.out
    assert say.plainly("pause", "--config", str(config), "--url", say._url) == 1
    assert "not both" in say.err


def test_a_certificate_must_be_of_a_trusted_authority(
    asked: Asked, say: Shell, tmp_path: Path
) -> None:
    files = certificate_in(tmp_path)
    server = HttpServer(asked.app(), tls=files)
    server.start()
    try:
        words = ["status", "--url", server.url, "--token-file", str(say.token(Role.VIEWER))]
        assert say.plainly(*words) == 1
        assert "--ca-file" in say.err
        assert say.plainly(*words, "--ca-file", str(files.certificate_file)) == 0
        assert say.plainly(*words, "--ca-file", str(tmp_path / "lost")) == 1
        assert "Allowed: a PEM file" in say.err
    finally:
        server.stop()


def test_a_token_is_made_for_its_owner_alone(say: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ann.token"
    assert say.plainly("token", "--name", "ann", "--role", "operator", "--output", str(file)) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    token = file.read_text().strip()
    assert len(token) >= 43
    assert token not in say.out
    assert "role: operator" in say.out
    assert say.plainly("token", "--name", "ann", "--output", str(file)) == 1
    assert "is there already" in say.err
    assert file.read_text().strip() == token
    assert say.plainly("token", "--name", "a\nb", "--output", str(tmp_path / "b")) == 1
    assert not (tmp_path / "b").exists()
