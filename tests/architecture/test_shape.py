"""The shape of the tree: sizes, names, docstrings and the import contracts, as the contributing page says."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "balancer").rglob("*.py"))
PYTHON = sorted([*SOURCES, *(ROOT / "tests").rglob("*.py")])
FORBIDDEN_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "base",
    "manager",
    "managers",
    "misc",
}

MOST_SOURCE_LINES = 400
MOST_TEST_LINES = 500
MOST_FUNCTION_LINES = 60


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON}
    limits = {path: MOST_SOURCE_LINES if path in SOURCES else MOST_TEST_LINES for path in PYTHON}

    assert {str(path): n for path, n in lengths.items() if n > limits[path]} == {}


def test_no_function_is_too_long() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in functions(path)
        if node.end_lineno and node.end_lineno - node.lineno + 1 > MOST_FUNCTION_LINES
    }

    assert found == {}


def test_the_loop_and_the_readme_stay_short() -> None:
    assert len((ROOT / "balancer" / "cycle.py").read_text(encoding="utf-8").splitlines()) <= 160
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_no_module_is_a_drawer() -> None:
    assert [str(path) for path in SOURCES if path.stem in FORBIDDEN_NAMES] == []


def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if len(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") < 15
    ]

    assert silent == []


def swallows(node: ast.ExceptHandler) -> bool:
    """Whether a handler takes every error and does not raise it on after cleaning up."""
    is_blind = node.type is None or (
        isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
    )
    last = node.body[-1]
    return is_blind and not (isinstance(last, ast.Raise) and last.exc is None)


def test_errors_are_swallowed_at_the_boundaries_of_cycle_and_thread_only() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and swallows(node)
    }

    assert found == {
        "balancer/adapters/notify/outbox.py",
        "balancer/adapters/vsphere/watcher.py",
        "balancer/adapters/planning/worker.py",
        "balancer/adapters/recording/recorder.py",
        "balancer/backfill.py",
        "balancer/adapters/replaying/pool.py",
        "balancer/expose/audience.py",
        "balancer/jobs.py",
        "balancer/serving.py",
    }


@pytest.mark.slow
def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout
