import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from balancer.cli import main
from balancer.cli.app import Reporter, Session, run_command_line
from balancer.version import VERSION

BALANCER = Path(sys.executable).parent / "balancer"


def run(*arguments: str) -> int:
    return run_command_line(arguments, Session())


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"balancer {VERSION}\n"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    assert [
        word for word in ("demo", "run", "plan", "snapshot", "validate") if word not in out
    ] == []


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 1
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["pln"], "No such command 'pln'", id="unknown command"),
        pytest.param(["plan"], "give either --config or --snapshot", id="no source"),
        pytest.param(
            ["plan", "--snapshot", "a", "--config", "b"],
            "give either --config or --snapshot",
            id="two sources",
        ),
        pytest.param(
            ["plan", "--snapshot", "a", "--cluster", "b"],
            "--cluster chooses among the clusters of --config",
            id="cluster without configuration",
        ),
        pytest.param(["plan", "--snapshot", "a", "--fromat", "x"], "--fromat", id="unknown option"),
        pytest.param(
            ["plan", "--snapshot", "a", "--format", "xml"],
            "'text', 'json', 'markdown', 'html'",
            id="unknown format",
        ),
        pytest.param(["snapshot"], "Missing option '--config'", id="missing option"),
        pytest.param(["validate"], "Missing argument", id="no file"),
    ],
)
def test_a_wrong_command_line_is_an_error_and_not_a_proposal_of_changes(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    assert expected in " ".join(capsys.readouterr().err.split())


def test_an_error_is_a_paragraph_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--snapshot", "nowhere.json") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "balancer: nowhere.json: 1 problem\n"
        "  nowhere.json: cannot be read: No such file or directory\n"
    )


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--debug", "plan", "--snapshot", "nowhere.json") == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("debug", [False, True], ids=["quiet", "debug"])
def test_what_nobody_expected_is_told_in_a_paragraph(
    debug: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ZeroDivisionError("division by zero")
    Reporter(Session(debug=debug))(ZeroDivisionError, error, None)
    err = capsys.readouterr().err
    assert "balancer: an internal error, ZeroDivisionError: division by zero." in err
    assert ("--debug" in err) is not debug


def test_an_interrupted_command_ends_with_130(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = subprocess.Popen([BALANCER, "validate", str(pipe)], stderr=subprocess.PIPE)
    with pipe.open("wb"):  # opens as soon as the command has opened its end
        process.send_signal(signal.SIGINT)
    # It hears of the signal before it begins to read, while it waits, or at the end of what it reads.
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_an_interrupt_while_the_program_is_read_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Pressed(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "balancer.cli.app", Pressed("balancer.cli.app"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_disk_behind_standard_output_is_told_and_is_no_internal_error() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [BALANCER, "schema", "plan"]
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert done.stderr == b"balancer: standard output cannot be written: No space left on device.\n"


def test_a_closed_pipe_is_no_reason_for_a_traceback() -> None:
    command = f"{BALANCER} --help | true; {BALANCER} --help | head -1"
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
