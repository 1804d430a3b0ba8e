"""Runs a page of the documentation as a reader would: line after line in one shell, against a test vCenter.

What a test cannot have as written (the address of the vCenter, the password, ports that others may use) is put in
place of it; everything else is run to the letter.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.doc_blocks import ROOT, Block, blocks_of, lines_of
from tests.support.free_port import free_port
from tests.support.stage import BALANCER, SOURCES
from tests.support.vcenter import VCenterProcess

PASSWORD_IN_DOCS = "the password of the account"
ALLOWED = {"balancer doctor": {0, 1}, "balancer plan": {0, 3}}
"""Exit codes that are answers and no errors, by how a line begins; of others it is 0 alone."""

_ADAPT = """\
import sys, yaml
path, host, port, user, ca_file, http_port = sys.argv[1:]
data = yaml.safe_load(open(path))
data["vcenters"][0] |= {"host": host, "port": int(port), "username": user, "tls": {"ca_file": ca_file}}
data["http"] = {**data.get("http", {}), "port": int(http_port)}
data["journal"] = {**data["journal"], "path": data["journal"]["path"].rpartition("/")[2]}
open(path, "w").write(yaml.safe_dump(data))
"""


@dataclass(kw_only=True)
class Reader:
    """Somebody with a home directory, the program installed, and a vCenter of their own."""

    home: Path
    server: VCenterProcess
    daemon_port: int = field(default_factory=free_port)
    prometheus_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        """Do what the blocks marked `prepared` say: install, and copy what is shipped."""
        folder = self.home / "balancer"
        for name in ("venv", "venv-2"):
            bin_folder = folder / name / "bin"
            bin_folder.mkdir(parents=True)
            (bin_folder / "balancer").symlink_to(BALANCER)
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        shutil.copy(ROOT / "config.example.yaml", folder)
        for path in (folder / "deploy").rglob("*.y*ml"):
            path.write_text(self._here(path.read_text("utf-8")), "utf-8")
        editor = self.home / "editor"
        editor.write_text(f"#!/bin/sh\nprintf '%s\\n' '{self.server.greeting.password}' > \"$1\"\n")
        editor.chmod(0o755)
        (self.home / "adapt.py").write_text(_ADAPT)

    def read(self, page: str, *, start: str = "balancer") -> str:
        """Run the commands of a page below docs/operate, in a folder of the home directory; return what they said.

        Raises:
            AssertionError: a command ended with an exit code that is no answer.
        """
        rows = ["PIDS=()"]
        for block in blocks_of(ROOT / "docs" / "operate" / page):
            rows += self._rows_of(block)
        rows.append('for pid in "${PIDS[@]}"; do kill "$pid"; wait "$pid"; done')
        done = subprocess.run(
            ["bash", "-c", self._here("\n".join(rows))],
            cwd=self.home / start,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=500,
            check=False,
        )
        failed = [
            line
            for line, code in re.findall(r"^@@ (.*) @@ (\d+)$", done.stdout, re.M)
            if int(code) not in _allowed(line)
        ]
        assert failed == [], done.stdout
        return done.stdout

    def _rows_of(self, block: Block) -> list[str]:
        if name := block.marks.get("file"):
            return [
                f"cat > {name} <<'END_OF_BLOCK'",
                block.text.rstrip("\n"),
                "END_OF_BLOCK",
                self._adapted(name),
            ]
        if block.language not in ("bash", "sh", "console") or block.marks.get("run") == "prepared":
            return []
        if block.marks.get("run") == "background":
            return [f"{line} > background.log 2>&1 &\nPIDS+=($!)" for line in lines_of(block)]
        return [row for line in lines_of(block) for row in self._watched(line)]

    def _watched(self, line: str) -> list[str]:
        told = line.replace("'", "'\\''")
        rows = [line, f"printf '\\n@@ %s @@ %d\\n' '{told}' $?"]
        return (
            [*rows, self._adapted("config.yaml")]
            if line.startswith("cp config.example.yaml")
            else rows
        )

    def _adapted(self, name: str) -> str:
        server, python = self.server, BALANCER.with_name("python")
        facts = (
            server.host,
            server.port,
            server.greeting.username,
            server.ca_file,
            self.daemon_port,
        )
        return f"{python} {self.home}/adapt.py {name} {' '.join(map(str, facts))}"

    def _here(self, text: str) -> str:
        """Return a text with this machine's free ports, and the password."""
        text = text.replace("9715", str(self.daemon_port)).replace(
            "9090", str(self.prometheus_port)
        )
        return text.replace(PASSWORD_IN_DOCS, self.server.greeting.password)

    def _environment(self) -> dict[str, str]:
        path = f"{BALANCER.parent}:{os.environ['PATH']}"
        mine = {"HOME": str(self.home), "EDITOR": str(self.home / "editor"), "PATH": path}
        return {**os.environ, **mine, "PYTHONPATH": str(SOURCES), "NO_COLOR": "1"}


def _allowed(line: str) -> set[int]:
    return next((codes for start, codes in ALLOWED.items() if line.startswith(start)), {0})
