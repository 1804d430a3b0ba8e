"""`balancer audit`: the log is shown and verified, and nothing is changed."""

import json
import sqlite3
from pathlib import Path

import pytest

from balancer.cli.app import Session, run_command_line
from balancer.model.audit import AuditNote
from tests.support.builders import NOON
from tests.support.journal import sqlite_store
from tests.support.records import pause

CONFIG = """
vcenters:
  - {name: vc1, host: vc.example.org, username: u, password_file: p}
clusters:
  - {vcenter: vc1, name: prod}
journal: {path: journal.sqlite}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "p").write_text("secret")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    with sqlite_store(path) as store:
        store.pause(pause("vc1/prod", reason="storage \x1b[31m"))
        store.note(AuditNote(at=NOON, action="plan.held", subject="p1", facts={"moves": 3}))
    return path


def run(*arguments: str | Path) -> int:
    return run_command_line([str(word) for word in arguments], Session())


def test_entries_are_shown_oldest_first_and_harmlessly(
    config: Path, journal: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("audit", "list", "--config", config) == 0
    first, second = capfd.readouterr().out.splitlines()
    assert "ann  pause  vc1/prod  storage \\x1b[31m" in first
    assert "balancer  plan.held  p1  moves=3" in second


def test_the_last_entries_are_shown_as_json(
    config: Path, journal: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("audit", "list", "--config", config, "--last", 1, "--format", "json") == 0
    (entry,) = json.loads(capfd.readouterr().out)
    assert (entry["number"], entry["action"], entry["facts"]) == (2, "plan.held", {"moves": 3})


def test_a_whole_log_is_verified_with_the_head_that_it_shows(
    config: Path, journal: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("audit", "verify", "--config", config) == 0
    shown = capfd.readouterr().out
    assert "entries  2" in shown
    head = next(line.split()[1] for line in shown.splitlines() if line.startswith("head"))
    assert run("audit", "verify", "--config", config, "--head", head) == 0
    assert run("audit", "verify", "--config", config, "--head", "3" + head[1:]) == 1
    assert "fault    entry 3 is missing: the log ends at 2" in capfd.readouterr().out


def test_a_changed_entry_is_named(
    config: Path, journal: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = sqlite3.connect(journal)
    (guard,) = file.execute(
        "select sql from sqlite_master where name = 'audit_no_update'"
    ).fetchone()
    file.execute("drop trigger audit_no_update")
    file.execute("update audit set actor = 'bob' where number = 1")
    file.execute(guard)
    file.commit()
    file.close()
    assert run("audit", "verify", "--config", config) == 1
    assert "fault    entry 1 was changed after it was written" in capfd.readouterr().out


@pytest.mark.parametrize("head", ["", "1", "x:" + "0" * 64, "0:" + "0" * 64, "1:abc"])
def test_what_is_no_head_is_refused_in_words(
    config: Path, journal: Path, capfd: pytest.CaptureFixture[str], head: str
) -> None:
    assert run("audit", "verify", "--config", config, "--head", head) == 1
    assert "NUMBER:DIGEST" in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize("command", ["list", "verify"])
def test_without_a_journal_none_is_made(
    config: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    assert run("audit", command, "--config", config) == 1
    assert "There is no journal" in capfd.readouterr().err
    assert not (config.parent / "journal.sqlite").exists()


def test_facts_within_facts_are_told_by_name(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    facts = {"balance": {"now": 0.3, "answer": "in_band"}, "moves": 0}
    with sqlite_store(tmp_path / "journal.sqlite") as store:
        store.note(AuditNote(at=NOON, action="plan.made", subject="p1", facts=facts))
    assert run("audit", "list", "--config", config) == 0
    assert "p1  balance.answer=in_band balance.now=0.3 moves=0" in capfd.readouterr().out
