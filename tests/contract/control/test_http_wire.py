"""The daemon over HTTPS as people use it: a plan shows up, is approved with a token, carried out, and only once."""

import hashlib
import json
import signal
import ssl
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import yaml

from tests.contract.control.conftest import has_carried_out, in_mode
from tests.support.certificates import CertificateFiles, certificate_in
from tests.support.commands import Ran, balancer
from tests.support.stage import DaemonRun, running_daemon, wait_until
from tests.support.vcenter import VCenterProcess

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]

TOKENS = {"vera": "viewer", "otto": "operator", "ada": "admin"}


def secret(name: str) -> str:
    return f"{name}-0123456789abcdef"


def serve_to(config: Path, files: CertificateFiles, *names: str) -> None:
    """Let the daemon of a configuration serve HTTPS to the tokens of these people."""
    entries = [
        {"name": n, "role": TOKENS[n], "sha256": hashlib.sha256(secret(n).encode()).hexdigest()}
        for n in names
    ]
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    document["http"] = {
        "listen": "127.0.0.1",
        "port": 0,
        "tls": {
            "certificate_file": str(files.certificate_file),
            "key_file": str(files.key_file),
        },
        "tokens": entries,
    }
    config.write_text(yaml.safe_dump(document), encoding="utf-8")


class Person:
    """Somebody with a token, in a browser's place and at a shell."""

    def __init__(self, name: str, daemon: DaemonRun, files: CertificateFiles) -> None:
        self._url = f"https://127.0.0.1:{daemon.port}"
        self._files = files
        self._token_file = files.key_file.with_name(f"{name}.token")
        self._token_file.write_text(f"{secret(name)}\n", encoding="utf-8")
        self.client = httpx.Client(
            base_url=f"{self._url}/api/v1",
            headers={"authorization": f"Bearer {secret(name)}"},
            verify=ssl.create_default_context(cafile=str(files.certificate_file)),
            trust_env=False,
            timeout=60.0,
        )

    def waiting(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self.client.get("/plans?waiting=true").json()["plans"]
        return found

    def types(self, *words: str) -> Ran:
        """Run a command that talks to the daemon."""
        return balancer(
            *(*words, "--url", self._url, "--token-file", str(self._token_file)),
            *("--ca-file", str(self._files.certificate_file)),
        )


def rows(person: Person) -> list[dict[str, object]]:
    found: list[dict[str, object]] = person.client.get("/journal").json()["rows"]
    return found


def test_a_plan_is_approved_over_https_carried_out_and_not_approved_again(
    tmp_path: Path, server: VCenterProcess, config: Path
) -> None:
    files = certificate_in(tmp_path)
    in_mode(config, "manual", interval_s=3600)
    serve_to(config, files, *TOKENS)
    with running_daemon(tmp_path, config) as daemon, ExitStack() as ends:
        vera, otto, ada = (Person(name, daemon, files) for name in TOKENS)
        for one in (vera, otto, ada):
            ends.enter_context(one.client)
        wait_until("a plan waits", lambda: bool(vera.waiting()), within_s=120)
        (plan,) = vera.waiting()
        path = f"/plans/{plan['digest']}"
        assert vera.client.post(f"{path}/approve").status_code == 403
        assert server.control.relocations() == ()

        page = vera.client.get(f"{path}.html")
        assert page.status_code == 200
        assert "<html" in page.text
        vm = vera.client.get(path).json()["moves"][0]["vm"]
        why = vera.client.get(f"/clusters/vc1/prod-a/explain?vm={vm}&format=text")
        assert why.status_code == 200
        assert " moves " in why.text
        read = vera.client.get("/clusters/vc1/prod-a/snapshot").json()
        assert read["schema"] == "balancer/snapshot/v1"

        said = vera.types("status")
        assert said.code == 0, said.err
        assert f"balancer approve {plan['number']}" in said.out
        assert "next cycle" in said.out
        assert "imbalance" in said.out
        assert vera.types("pause").code == 1

        done = otto.client.post(f"{path}/approve", json={"reason": "CHG-7"})
        assert done.status_code == 200, done.text
        wait_until("moves", lambda: bool(server.control.relocations()), within_s=120)
        again = otto.client.post(f"{path}/approve")
        assert again.status_code == 409
        typed = otto.types("approve", str(plan["number"]))
        assert typed.code == 4
        assert "otto" in typed.err
        wait_until("the plan is carried out", lambda: has_carried_out(daemon), within_s=150)
        assert {row["state"] for row in rows(otto)} == {"done"}
        assert {one.state for one in server.control.relocations()} == {"success"}
        assert len(rows(otto)) == len(server.control.relocations())

        assert otto.types("pause", "--reason", "enough").code == 0
        assert "enough" in vera.types("status").out
        assert otto.types("audit", "list").code == 1
        entries = json.loads(ada.types("audit", "list", "--format", "json").out)
        assert {"otto"} == {one["actor"] for one in entries if one["action"] == "pause"}
        assert "the chain holds" in ada.types("audit", "verify").out

        serve_to(config, files, "vera", "ada")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(
            "the token is taken away",
            lambda: otto.client.get("/status").status_code == 401,
            within_s=120,
        )
        assert vera.client.get("/status").status_code == 200
        assert daemon.stop() == 0
