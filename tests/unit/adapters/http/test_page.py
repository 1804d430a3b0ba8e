"""docs/operate/http.md as its reader would follow it: each command as written, against a server with TLS."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from balancer.adapters.http import limits, lobby, workers
from balancer.adapters.http.problems import KINDS, URN
from balancer.adapters.http.server import HttpServer
from balancer.config import HttpToken
from balancer.model.access import Role
from tests.support.asking import Asked, asked_of
from tests.support.certificates import CertificateFiles, certificate_in
from tests.support.programs import program
from tests.support.stage import BALANCER, SOURCES

PAGE = (Path(__file__).parents[4] / "docs/operate/http.md").read_text("utf-8")
ADDRESS = "https://balancer.example.com:9715"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


@dataclass(kw_only=True)
class Reader:
    """Somebody who types the page's lines, block after block, in one shell."""

    folder: Path
    url: str
    number: int
    before: list[str] = field(default_factory=list)

    def types(self, block: str) -> str:
        here = block.replace(ADDRESS, self.url).replace("/plans/17", f"/plans/{self.number}")
        (self.folder / "bin").mkdir(exist_ok=True)
        command = self.folder / "bin/balancer"
        if not command.exists():
            command.symlink_to(BALANCER)
        done = subprocess.run(
            ["bash", "-e", "-c", "\n".join([*self.before, here])],
            cwd=self.folder,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("BALANCER_")},
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "PYTHONPATH": str(SOURCES),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{here}\n{done.stdout}\n{done.stderr}"
        self.before += [line for line in here.splitlines() if line.startswith("export ")]
        return done.stdout


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    with asked_of(tmp_path) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return certificate_in(tmp_path)


@pytest.fixture
def reader(asked: Asked, files: CertificateFiles, tmp_path: Path) -> Iterator[Reader]:
    program("curl")
    server = HttpServer(asked.app(), tls=files)
    server.start()
    yield Reader(folder=tmp_path, url=server.url, number=asked.plan())
    server.stop()


def test_the_page_leads_from_a_token_to_an_approved_plan(
    asked: Asked, reader: Reader, tmp_path: Path
) -> None:
    make, commands, look, decide = blocks("sh")
    printed = reader.types(make)
    (entry,) = yaml.safe_load(printed.partition("\n")[2])["tokens"]
    assert entry["role"] == "operator"
    asked.gate.take([HttpToken(name="ann", role=Role(entry["role"]), sha256=entry["sha256"])])

    said = reader.types(commands)
    assert "vc1/prod" in said
    assert "Paused everything" in said
    assert "Resumed everything: it was paused by ann" in said

    seen = reader.types(look)
    assert "vm3" in seen
    assert (tmp_path / "plan.html").read_text("utf-8").startswith("<!")
    assert "**Plan" in (tmp_path / "ticket.md").read_text("utf-8")
    assert (tmp_path / "ann.curl").stat().st_mode & 0o077 == 0

    done = [json.loads(line) for line in reader.types(decide).replace("}\n{", "}\0{").split("\0")]
    assert [one["action"] for one in done] == ["approve", "evacuate", "end_evacuation", "pause"]
    assert asked.store.approvals("", last=1)[0].by == "ann"


def test_the_configuration_of_the_page_is_taken(tmp_path: Path) -> None:
    from balancer.config import Config

    (shown,) = blocks("yaml")
    http = Config.model_fields["http"].annotation
    assert http is not None
    made = http.model_validate_json(json.dumps(yaml.safe_load(shown)["http"]))
    assert made.tokens[0].role is Role.OPERATOR


def test_the_problem_of_the_page_is_one() -> None:
    (shown,) = blocks("json")
    problem = json.loads(shown)
    kind = problem["type"].removeprefix(URN)
    assert (problem["status"], problem["title"]) == KINDS[kind]


def test_the_limits_of_the_page_are_those_in_force() -> None:
    told = PAGE.partition("## Limits")[2]
    for figure in (
        f"{limits.MOST_HEAD_BYTES // 1024} KiB, within {limits.HEAD_TIMEOUT_S:.0f} seconds",
        f"{limits.MOST_BODY_BYTES // 1024} KiB, within {limits.BODY_TIMEOUT_S:.0f} seconds",
        f"cut off after {limits.READER_TIMEOUT_S:.0f} seconds",
        f"| TLS handshake | {limits.HANDSHAKE_TIMEOUT_S:.0f} seconds",
        f"| idle connection | {limits.KEEP_ALIVE_TIMEOUT_S} seconds",
        f"| {lobby.MOST_CONNECTIONS:,}, or",
        f"| {limits.MOST_API_REQUESTS}, of which {workers.API_THREADS} are worked on",
        f"have {limits.MOST_OTHER_REQUESTS} and threads",
    ):
        assert figure in told, figure
