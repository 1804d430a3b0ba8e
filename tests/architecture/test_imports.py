"""What starts at once must not load what is heavy: looked up in the modules of a fresh interpreter."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    *("ortools", "numpy", "pandas", "fastapi", "uvicorn", "sqlalchemy", "apscheduler"),
    *("pyVmomi", "structlog", "tenacity", "prometheus_client", "rich", "httpx", "jinja2"),
    *("pyarrow", "openpyxl"),
}
PROGRAM = """
import json, sys
from balancer.cli.app import Session, run_command_line
code = run_command_line(sys.argv[1:], Session())
print("\\n" + json.dumps([code, sorted(name.partition(".")[0] for name in sys.modules)]))
"""
MOST_HELP_SECONDS = 0.5


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--help"], id="help"),
        pytest.param(["plan", "--help"], id="help of a command"),
        pytest.param(["--version"], id="version"),
        pytest.param(
            [
                "validate",
                "config.example.yaml",
                "policies/balanced.yaml",
                "tests/data/small.snapshot.json",
                "tests/data/small.plan.json",
            ],
            id="validate every kind of file",
        ),
    ],
)
def test_a_quick_command_loads_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert HEAVY & set(modules) == set()


def test_help_takes_less_than_half_a_second() -> None:
    assert min(_help_seconds() for _ in range(3)) < MOST_HELP_SECONDS


def _help_seconds() -> float:
    """Return the processor seconds of one `balancer --help`, which other load does not change much."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(Path(sys.executable).parent / "balancer"), "--help"]
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
