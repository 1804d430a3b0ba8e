"""A real systemd for tests: PID 1 of namespaces of its own, over this machine's files, on its network.

It owns the process that holds the namespaces, and the control group that it runs in. It must never leave
either behind, nor write to this machine's /etc, /opt or /var: `tests/deploy/namespace.sh` lays copies over
them. Units are given as text; services are looked at from outside, through /proc and nsenter(1).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

SCRIPT = Path(__file__).parents[1] / "deploy" / "namespace.sh"
SYSTEMD = Path("/lib/systemd/systemd")
UNIFIED = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
TRIAL = """\
[Unit]
Description=What the trial starts with: the log
DefaultDependencies=no
Wants=systemd-journald.service
"""
JOURNALD = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\n"
"""The log ends with the trial, and leaves this machine's kernel and its auditing alone."""
BOOT_WITHIN_S = 30.0
COMMAND_WITHIN_S = 60.0
MOST_TOLD = 4000
INSIDE = ("--mount", "--pid", "--cgroup", "--uts", "--ipc")


def require_namespaces() -> None:
    """Skip the test where systemd cannot be tried: without root, and without systemd or unshare(1).

    In CI, as root, what is missing fails the test.
    """
    if os.geteuid() != 0:
        pytest.skip("a systemd in namespaces needs root")
    missing = [str(SYSTEMD)] if not SYSTEMD.exists() else []
    missing += [name for name in ("unshare", "nsenter", "setpriv") if not shutil.which(name)]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{', '.join(missing)} is missing; Debian's systemd and util-linux bring it")
    if missing:
        pytest.skip(f"{', '.join(missing)} is missing; Debian's systemd and util-linux bring it")


class Machine:
    """A systemd that runs in namespaces of its own; leaving the context ends all that it started."""

    def __init__(self, folder: Path, units: Mapping[str, str]) -> None:
        """Prepare it.

        Args:
            folder: Where it keeps its files. What stands below `files` is laid over /etc, /opt and /var.
            units: The contents of /etc/systemd/system by name, `NAME.service.d/x.conf` for drop-ins.
        """
        self._folder = folder
        self._group = f"trial.{os.getpid()}.{time.monotonic_ns()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0
        for name, text in {**units, "trial.target": TRIAL}.items():
            path = folder / "units" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        journald = folder / "files/etc/systemd/journald.conf.d/trial.conf"
        journald.parent.mkdir(parents=True, exist_ok=True)
        journald.write_text(JOURNALD, encoding="utf-8")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["/bin/bash", str(SCRIPT), str(self._folder), self._group],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            self._until("systemd answers", self._is_up, within_s=BOOT_WITHIN_S)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything inside at once and remove the control group."""
        if self._process is None:
            return
        with_children = (self._init, self._process.pid)
        for pid in with_children:
            if pid:
                _kill(pid)
        self._process.wait(10)
        self._process = None
        group = next(root for root in UNIFIED if (root / "cgroup.procs").exists()) / self._group
        self._until("its control group is empty", lambda: _removed(group), within_s=10)

    def log(self, *of: str) -> str:
        """Return the lines of the log, without their heads: all, or those that journalctl's words choose."""
        command = ("journalctl", "--no-pager", "--all", "--output=cat", *of)
        return self._in(self._init, *INSIDE, "--", *command).stdout

    def inside(self, path: str) -> Path:
        """Return where a file of the inside is seen from here."""
        return Path(f"/proc/{self._init}/root{path}")

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command inside as root and return what it said on both outputs."""
        done = self._in(self._init, *INSIDE, "--", *command)
        if check and done.returncode != 0:
            words = f"{' '.join(command)} ended with {done.returncode}: {done.stdout}"
            raise AssertionError(f"{words}\n{self.log()[-MOST_TOLD:]}")
        return done.stdout

    def seen_by(self, pid: int, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root among the files of a process, which is named by its number here."""
        return self._in(pid, "--mount", "--", *command)

    def shown(self, unit: str, name: str) -> str:
        """Return a property of a unit, as `systemctl show` has it."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def main_pid(self, unit: str) -> int:
        """Return the number that a service's main process has here, outside; 0 where it has none."""
        inner = int(self.shown(unit, "MainPID"))
        return self.outer(inner) if inner else 0

    def outer(self, inner: int) -> int:
        """Return the number outside of a process inside.

        Source: proc(5), NSpid in /proc/PID/status: the numbers in each nested namespace, outermost first.
        """
        for status in Path("/proc").glob("[0-9]*/status"):
            numbers = _field(status, "NSpid").split()
            if len(numbers) == 2 and int(numbers[1]) == inner and self._is_inside(status.parent):
                return int(numbers[0])
        raise AssertionError(f"there is no process {inner} inside")

    def processes(self) -> list[int]:
        """Return the numbers outside of all processes inside."""
        return [
            int(folder.name) for folder in Path("/proc").glob("[0-9]*") if self._is_inside(folder)
        ]

    def until(self, what: str, holds: Callable[[], bool], *, within_s: float) -> None:
        """Poll until something holds; the failure says what did not, and what systemd said."""
        self._until(what, holds, within_s=within_s)

    def _in(self, pid: int, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "--target", str(pid), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )

    def _is_inside(self, folder: Path) -> bool:
        try:
            return (folder / "ns/pid").readlink() == Path(f"/proc/{self._init}/ns/pid").readlink()
        except OSError:
            return False

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError("systemd did not start in its namespaces")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        try:
            first = children.read_text("utf-8").split()
        except OSError:
            return False
        self._init = int(first[0]) if first else 0
        if not self._init or _field(Path(f"/proc/{self._init}/status"), "Name") != "systemd":
            return False
        return "running" in self.run("systemctl", "is-system-running", check=False)

    def _until(self, what: str, holds: Callable[[], bool], *, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not within {within_s:.0f} s: {what}\n{self.log()[-MOST_TOLD:]}"
                )
            time.sleep(0.1)


def install(folder: Path, sources: Path) -> None:
    """Lay this environment and these sources out below /opt/balancer, as installing the wheel there would.

    Its interpreter is shown below /opt/python: where it comes from may be hidden from services, as /root is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "venv").symlink_to(sys.prefix)
    (folder / "python").symlink_to(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = folder / "files/opt/balancer"
    packages = own / "lib" / version / "site-packages"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(sources / "balancer", packages / "balancer", ignore=ignored)
    shutil.copytree(sources / "policies", packages / "balancer" / "_policies", ignore=ignored)
    (own / "pyvenv.cfg").write_text("home = /opt/python/bin\n", encoding="utf-8")
    script = own / "bin/balancer"
    script.parent.mkdir()
    (own / "bin/python").symlink_to(f"/opt/python/bin/{version}")
    script.write_text(
        "#!/opt/balancer/bin/python\nimport sys\nfrom balancer.cli import main\nsys.exit(main())\n",
        encoding="utf-8",
    )
    script.chmod(0o755)


def _field(status: Path, name: str) -> str:
    try:
        lines = status.read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")), ""
    )


def field_of(pid: int, name: str) -> str:
    """Return a line of /proc/PID/status; empty where the process is gone."""
    return _field(Path(f"/proc/{pid}/status"), name)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _removed(group: Path) -> bool:
    """Remove a control group and those below it; whether all are gone."""
    for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        try:
            folder.rmdir()
        except OSError:
            return False
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
