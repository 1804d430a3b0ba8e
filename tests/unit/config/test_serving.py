"""The section http: what is wrong is told with the way out, and tokens in clear are refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from balancer.config import exposed_secrets, file_problems, load_config
from balancer.config.serving import is_loopback
from balancer.model.errors import InputError
from balancer.reload import restart_problems

DIGEST, OTHER = "ab" * 32, "cd" * 32


def token(name: str = "ann", sha256: str = DIGEST, role: str = "viewer") -> dict[str, str]:
    return {"name": name, "role": role, "sha256": sha256}


def write(folder: Path, **http: Any) -> Path:
    (folder / "password").write_text("secret")
    (folder / "password").chmod(0o600)
    vcenter = {
        "name": "vc1",
        "host": "vc1.example.com",
        "username": "u",
        "password_file": "password",
    }
    document = {
        "vcenters": [vcenter],
        "clusters": [{"vcenter": "vc1", "name": "prod"}],
        "http": http,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize(
    ("http", "said"),
    [
        ({"tokens": [token(), token(sha256=OTHER)]}, "'ann' is given twice"),
        ({"tokens": [token(), token("bob")]}, "the same token is given twice"),
        (
            {"tokens": [token(), token("bob", DIGEST.upper())]},
            "the same token is given twice",
        ),
        ({"tokens": [token(sha256="my-secret-token")]}, "64 hexadecimal digits"),
        ({"tokens": [token(role="root")]}, "'viewer', 'operator' or 'admin'"),
        ({"tokens": [token("a b")]}, "name"),
        ({"tokens": [token() | {"token": "x"}]}, "unknown key 'token'"),
        ({"metrics_need_token": True}, "there are no tokens"),
        ({"listen": "0.0.0.0", "tokens": [token()]}, "reached from other machines without TLS"),
        ({"listen": "::", "tokens": [token()]}, "allow_plain_http: true"),
        ({"listen": "balancer.example.com", "tokens": [token()]}, "set http.tls"),
        ({"tls": {"certificate_file": "a.pem"}}, "key_file"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, http: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as told:
        load_config(write(tmp_path, **http))
    assert said in str(told.value)
    assert "my-secret-token" not in str(told.value)


@pytest.mark.parametrize(
    "http",
    [
        {"listen": "0.0.0.0"},
        {"tokens": [token()]},
        {"listen": "::1", "tokens": [token()]},
        {"listen": "localhost", "tokens": [token()]},
        {"listen": "0.0.0.0", "tokens": [token()], "allow_plain_http": True},
        {
            "listen": "0.0.0.0",
            "tokens": [token(), token("bob", OTHER)],
            "tls": {"certificate_file": "a.pem", "key_file": "b.pem"},
        },
    ],
)
def test_what_is_safe_is_taken(tmp_path: Path, http: dict[str, Any]) -> None:
    assert load_config(write(tmp_path, **http)).http.port == 9715


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback_is_what_this_machine_alone_reaches(address: str, is_here: bool) -> None:
    assert is_loopback(address) is is_here


def test_lost_and_open_files_of_the_certificate_are_told(tmp_path: Path) -> None:
    tls = {"certificate_file": "a.pem", "key_file": "b.pem"}
    config = load_config(write(tmp_path, tls=tls))
    assert [problem.where for problem in file_problems(config)] == [
        "http.tls.certificate_file",
        "http.tls.key_file",
    ]
    for name in tls.values():
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o644)
    assert file_problems(config) == ()
    assert [problem.where for problem in exposed_secrets(config)] == ["http.tls.key_file"]


def test_tokens_change_without_a_restart_and_nothing_else_of_http(tmp_path: Path) -> None:
    path = write(tmp_path, tokens=[token()])
    old = load_config(path)
    new = load_config(write(tmp_path, tokens=[token("bob", OTHER)]))
    assert list(restart_problems(path, old, new)) == []
    moved = load_config(write(tmp_path, tokens=[], port=1234))
    assert [problem.where for problem in restart_problems(path, old, moved)] == [
        f"{path}: http.port"
    ]
