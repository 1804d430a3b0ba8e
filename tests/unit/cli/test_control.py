"""The commands beside a daemon as people type them, on a journal file and without any vCenter."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import typer
import yaml

from balancer.adapters.store.sqlite import SqliteStore
from balancer.cli.app import Session, app, run_command_line
from balancer.expose.journal_view import rows_text
from balancer.keeping import stored
from balancer.model.control import Evacuation
from balancer.model.outcome import FailureKind, JournalEntry, JournalStep, MoveState, RowQuery
from balancer.model.plan import MoveReason
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.in_force import mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from tests.support.journal import begun
from tests.support.records import verdict
from tests.unit.control.board import uneven

SCHEMAS = Path(__file__).parents[3] / "balancer/schemas"
SHARD = "vc1/prod"
NASTY = "web\x1b[2J<script>|`rm`\u202e" + "x" * 90


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    (tmp_path / "password").write_text("secret")
    store = SqliteStore(tmp_path / "journal.sqlite")
    yield store
    store.close()


@pytest.fixture
def config(tmp_path: Path, store: SqliteStore) -> Path:
    del store  # the journal is there
    vcenter = {
        "name": "vc1",
        "host": "vc1.example.com",
        "username": "u",
        "password_file": "password",
    }
    document = {
        "vcenters": [vcenter],
        "clusters": [
            {"vcenter": "vc1", "name": "prod", "mode": "manual"},
            {"vcenter": "vc1", "name": "test", "mode": "observe"},
        ],
        "journal": {"path": "journal.sqlite"},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


class Terminal:
    """Runs commands and remembers what the last one said."""

    def __init__(self, config: Path, capture: pytest.CaptureFixture[bytes]) -> None:
        self._config, self._capture = config, capture
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        self._capture.readouterr()
        code = run_command_line([*words, "--config", str(self._config)], Session())
        said = self._capture.readouterr()
        self.out, self.err = said.out.decode(), said.err.decode()
        return code

    def json(self, *words: str, schema: str) -> dict[str, list[dict[str, object]]]:
        assert self(*words, "--format", "json") == 0, self.err
        document = json.loads(self.out)
        published = json.loads((SCHEMAS / f"{schema}.v1.schema.json").read_text())
        jsonschema.Draft202012Validator(published).validate(document)
        return dict(document)


@pytest.fixture
def say(config: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    return Terminal(config, capfdbinary)


def keep(store: SqliteStore, *, shard: str = SHARD, minutes_ago: float = 0.0) -> int:
    """Keep a plan of manual mode that was made so long ago; return its number."""
    snap, policy = uneven(), Policy()
    manual = mode_in_force(policy, Mode.MANUAL, snap.taken_at)
    plan = plan_snapshot(snap, policy, settings=PlanSettings(), in_force=manual)
    made = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return store.keep_plan(stored(replace(plan, created_at=made), snap, shard))


def entry(name: str = "web-1", **facts: object) -> JournalEntry:
    defaults: dict[str, object] = {
        "vcenter": "vc1",
        "cluster": ClusterId("domain-c1"),
        "plan_id": "p1",
        "cycle_id": "c1",
        "move_id": MoveId("m1"),
        "vm": VmId("vm-1"),
        "vm_name": name,
        "vm_uuid": "u-1",
        "source": HostId("host-1"),
        "target": HostId("host-2"),
        "reason": MoveReason.BALANCE,
        "expected_seconds": 12.0,
        "intended_at": datetime.now(UTC),
    }
    return JournalEntry(**(defaults | facts))  # type: ignore[arg-type]


def test_a_pause_a_second_one_and_a_resume_say_what_they_did(say: Terminal) -> None:
    assert say("pause", "--reason", "storage\x1b[31m work") == 0
    assert say.out.startswith("Paused everything: nothing new is sent.")
    assert say("pause", "--reason", "again") == 0
    assert re.search(
        r"everything was paused already by \S+.* at .*: storage\\x1b\[31m work", say.out
    )
    assert say("resume") == 0
    assert "Resumed everything: it was paused by" in say.out
    assert say("resume") == 0
    assert say.out.startswith("Nothing to resume: everything is not paused")


def test_a_cluster_stays_paused_when_everything_is_resumed(say: Terminal) -> None:
    say("pause", "--cluster", "test", "--reason", "disks")
    say("pause")
    assert "Paused besides: cluster vc1/test" in say.out
    say("resume")
    assert "Still paused: cluster vc1/test" in say.out
    assert "balancer resume --cluster vc1/test" in say.out


def test_a_resume_says_that_the_stop_file_is_there(say: Terminal, tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    say("resume")
    assert f"the stop file {tmp_path / 'stop'} is there" in say.out


def test_who_asks_is_the_users_name_and_sudo_is_told(
    say: Terminal, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "ann")
    say("pause")
    (pause,) = store.pauses()
    assert pause.by.endswith("(sudo by ann)")
    assert "--by" not in say.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["pause", "--cluster", "prd"], 1, "did you mean 'prod'?"),
        (["evacuate"], 1, "give a HOST, with or without --cancel, or --list alone"),
        (["evacuate", "esx1", "--list"], 1, "give a HOST"),
        (["evacuate", "esx1", "--cancel"], 1, "No host is to be emptied"),
        (["reject", "1"], 1, "--reason TEXT"),
        (["approve", "77"], 1, "There is no plan '77'."),
        (["apply", "no/such.json"], 1, "There is no plan file no/such.json"),
        (["apply", "77"], 1, "There is no plan '77'."),
        (["journal", "show", "5"], 1, "The journal has no row 5. It has no rows yet."),
        (["journal", "list", "--since", "yesterday"], 1, "allowed: a span as 90m"),
        (["journal", "list", "--state", "gone"], 1, "'intent', 'submitted'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_commands_say_what_is_wrong_and_what_is_allowed(
    say: Terminal, words: list[str], code: int, said: str
) -> None:
    assert say(*words) == code
    plain = re.sub(r"[\s│]+", " ", say.err)
    assert said in plain


def test_without_a_journal_a_pause_is_refused_rather_than_made_where_nobody_looks(
    say: Terminal, store: SqliteStore, tmp_path: Path
) -> None:
    store.close()
    for file in tmp_path.glob("journal.sqlite*"):
        file.unlink()
    assert say("pause") == 1
    assert "give the configuration that the daemon runs with" in say.err
    assert not (tmp_path / "journal.sqlite").exists()


def test_plans_are_listed_with_their_state_and_decided_once(
    say: Terminal, store: SqliteStore
) -> None:
    old, first, second = keep(store, minutes_ago=30), keep(store), keep(store, minutes_ago=1)
    assert say("plans") == 0
    assert [line.split()[-1] for line in say.out.splitlines()[1:] if "expired" in line] == [
        "expired"
    ]
    assert say("approve", str(first), "--reason", "CHG-1") == 0
    assert f"Plan {second} is newer" in say.out
    assert say("approve", str(first)) == 4
    assert "is approved already" in say.err
    assert say("reject", str(second), "--reason", "no") == 0
    assert say("approve", str(second)) == 4
    assert "was rejected by" in say.err
    assert say("approve", str(old)) == 4
    assert "could be approved until" in say.err
    listed = say.json("plans", schema="plans")["plans"]
    assert [one["state"] for one in listed] == ["rejected", "approved", "expired"]


def test_in_observe_nothing_is_approved(say: Terminal, store: SqliteStore) -> None:
    number = keep(store, shard="vc1/test")
    assert say("approve", str(number)) == 4
    assert "is in mode observe" in say.err
    assert store.approvals("", last=9) == ()


def test_a_plan_of_a_cluster_that_is_gone_is_told(say: Terminal, store: SqliteStore) -> None:
    number = keep(store, shard="vc1/gone")
    assert say("approve", str(number)) == 1
    assert "cluster vc1/gone, which is not configured any more" in say.err


def test_an_evacuation_is_cancelled_by_short_name_in_any_case(
    say: Terminal, store: SqliteStore
) -> None:
    asked = Evacuation(
        shard=SHARD,
        host=HostId("host-7"),
        host_name="Esx7.example.com",
        by="ann",
        at=datetime.now(UTC),
    )
    store.ask_evacuation(asked)
    assert say("evacuate", "esx8", "--cancel") == 1
    assert "asked for are: Esx7.example.com" in say.err
    assert say("evacuate", "ESX7", "--cancel") == 0
    assert "takes VMs again" in say.out


def test_rows_are_found_by_filter_and_shown_whole(say: Terminal, store: SqliteStore) -> None:
    number = keep(store)
    plan_id = store.plans(SHARD, last=1)[0].plan_id
    now = datetime.now(UTC)
    row = begun(store, entry(plan_id=plan_id))
    store.advance(row, JournalStep(state=MoveState.SUBMITTED, at=now, task="task-9"))
    store.advance(
        row,
        JournalStep(state=MoveState.FAILED, at=now, fault="Timedout", kind=FailureKind.TRANSIENT),
    )
    other = begun(store, entry("db-1", vm=VmId("vm-2"), intended_at=now - timedelta(days=3)))
    everything = say.json("journal", "list", schema="journal")["rows"]
    assert {one["row"] for one in everything} == {row, other}
    for words in (
        ["--vm", "web-1"],
        ["--vm", "vm-1"],
        ["--state", "failed"],
        ["--since", "2d"],
        ["--plan", str(number)],
        ["--last", "1", "--state", "failed"],
    ):
        found = say.json("journal", "list", *words, schema="journal")["rows"]
        assert [one["row"] for one in found] == [row], words
    assert len(say.json("journal", "list", "--cluster", "prod", schema="journal")["rows"]) == 2
    assert say.json("journal", "list", "--cluster", "test", schema="journal")["rows"] == []
    shown = say.json("journal", "show", str(row), schema="journal")
    assert [step["state"] for step in shown["steps"]] == ["intent", "submitted", "failed"]
    assert say("journal", "show", str(row)) == 0
    assert "Timedout" in say.out
    assert f"kept as {number}" in say.out
    assert say.json("journal", "quarantines", schema="journal")["quarantines"] == []
    assert say.json("journal", "verdicts", schema="journal")["verdicts"] == []
    store.put_verdict(
        verdict("c1", cluster=uneven().cluster.id, ended_at=datetime.now(UTC), detail="held")
    )
    (told,) = say.json("journal", "verdicts", schema="journal")["verdicts"]
    assert (told["batch"], told["result"], told["detail"]) == ("c1", "pending", "held")
    assert say("journal", "verdicts", "--moves") == 0
    assert "batch c1" in say.out


def test_no_name_harms_the_terminal(store: SqliteStore) -> None:
    begun(store, entry(NASTY))
    text = rows_text(store.find_rows(RowQuery()), width=100)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_commands_of_the_page_exist_with_their_options() -> None:
    page = (Path(__file__).parents[3] / "docs/operate/control.md").read_text("utf-8")
    commands = re.findall(r"^balancer (.+)$", page, re.M)
    assert len(commands) > 12
    for command in commands:
        words = [word for word in command.split() if not word.startswith(("-", '"'))]
        name = words[:2] if words[0] == "journal" else words[:1]
        options = re.findall(r"--[a-z]+", command)
        shown = _help_of(name)
        assert all(option in shown for option in options), command


def _help_of(name: list[str]) -> str:
    command = typer.main.get_command(app)
    for word in name:
        command = command.commands[word]  # type: ignore[attr-defined]
    return " ".join(option for parameter in command.params for option in parameter.opts)
