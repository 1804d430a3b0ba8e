"""The table of the whole command: `balancer plan --snapshot` as a process of its own, from file to report."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from balancer.adapters.files import write_snapshot
from tests.bench.planner.cases import TRIGGER_FACTOR, Case
from tests.bench.planner.tables import number, table

ROOT = Path(__file__).resolve().parents[3]
ENTRY = "from balancer.cli import main; main()"
POLICY = """apiVersion: balancer/v1
kind: Policy
name: bench
thresholds:
  balance_trigger: {trigger:g}
  balance_target: {target:g}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One run of the command. `peak_mib` is the peak resident memory of that process."""

    case: str
    size: str
    wall_s: float
    cpu_s: float
    peak_mib: float
    exit_code: int
    snapshot_mib: float
    plan_mib: float


def run_command(case: Case) -> Command:
    """Write the snapshot and the policy to a folder, run the command there, and measure the process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        snapshot, policy, plan = (folder / f for f in ("snapshot.json", "policy.yaml", "plan.json"))
        write_snapshot(case.need.snapshot, snapshot)
        trigger = case.target * TRIGGER_FACTOR
        policy.write_text(POLICY.format(trigger=trigger, target=case.target), encoding="utf-8")
        words = ["plan", "--snapshot", str(snapshot), "--policy", str(policy)]
        words += ["--format", "json", "--output", str(plan)]
        found = _launched([sys.executable, "-c", ENTRY, *words])
        return Command(
            case=f"{case.scenario} {case.size}",
            size=str(case.size),
            wall_s=float(found["wall_s"]),
            cpu_s=float(found["cpu_s"]),
            peak_mib=float(found["peak_mib"]),
            exit_code=int(found["exit_code"]),
            snapshot_mib=snapshot.stat().st_size / 2**20,
            plan_mib=plan.stat().st_size / 2**20 if plan.exists() else 0.0,
        )


def command_table(found: Sequence[Command]) -> str:
    """Return the table."""
    head = ("case", "wall s", "cpu s", "peak MiB", "exit", "snapshot MiB", "plan MiB")
    return table(
        head,
        (
            (
                row.case,
                number(row.wall_s, 2),
                number(row.cpu_s, 2),
                number(row.peak_mib),
                str(row.exit_code),
                number(row.snapshot_mib, 1),
                number(row.plan_mib, 1),
            )
            for row in found
        ),
    )


def _launched(words: Sequence[str]) -> dict[str, float]:
    """Run a command through the launcher and return what it used."""
    launcher = [sys.executable, str(Path(__file__).with_name("launcher.py"))]
    done = subprocess.run(
        [*launcher, *words], env=_environment(), capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _environment() -> dict[str, str]:
    """Return this process's environment with the sources of this tree first on the path."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
