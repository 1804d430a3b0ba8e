"""The section on notifications: secrets by file, and every mistake named with its place."""

from pathlib import Path

import pytest

from balancer.config import Config, exposed_secrets, file_problems, load_config
from balancer.model.errors import InputError
from balancer.model.notice import NoticeKind, Severity

HEAD = """\
vcenters:
- {name: main, host: vc, username: u, password_file: pw}
clusters:
- {vcenter: main, name: prod}
"""
MAIL = "name: m, host: h, sender: a@b.c, recipients: [a@b.c]"
KEY = "whsec_" + "QUFB" * 8


def write(folder: Path, notify: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(f"{HEAD}notify:\n{notify}")
    (folder / "pw").write_text("secret\n")
    return path


def load(folder: Path, notify: str) -> Config:
    return load_config(write(folder, notify))


def problems(folder: Path, notify: str) -> str:
    path = write(folder, notify)
    with pytest.raises(InputError) as caught:
        load_config(path)
    return "\n".join(str(one).removeprefix(str(path)) for one in caught.value.problems)


def hook(
    folder: Path, *, url: str = "https://hooks.example.com/T0/hidden", key: str = KEY
) -> Config:
    (folder / "url").write_text(f"{url}\n")
    (folder / "key").write_text(f"{key}\n")
    return load(folder, "  webhook:\n  - {name: hook, url_file: url, secret_file: key}\n")


def test_without_the_section_nobody_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD)
    assert load_config(path).notify.channels == ()


def test_a_channel_takes_all_defaults(tmp_path: Path) -> None:
    config = hook(tmp_path)
    (channel,) = config.notify.webhook
    assert (channel.url(), channel.key()) == ("https://hooks.example.com/T0/hidden", b"AAA" * 8)
    assert (channel.events, channel.clusters) == ((), ())
    assert (channel.least_severity, channel.least_interval_s) == (Severity.INFO, 60.0)
    assert file_problems(config) == ()


def test_a_channel_chooses_what_it_is_told(tmp_path: Path) -> None:
    chosen = "events: [breaker_opened], clusters: [main/prod], least_severity: error"
    config = load(tmp_path, f"  slack:\n  - {{name: ops, url_file: u, {chosen}}}\n")
    (channel,) = config.notify.slack
    assert channel.events == (NoticeKind.BREAKER_OPENED,)
    assert channel.clusters == ("main/prod",)
    assert channel.least_severity is Severity.ERROR


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        ("  slack:\n  - {name: ops}\n", ":7:5: notify.slack[0]: 'url_file' is missing"),
        (
            "  slack:\n  - {name: ops, url_file: u, url: https://x}\n",
            "unknown key 'url'; allowed: name, events",
        ),
        (
            "  slack:\n  - {name: ops, url_file: u, events: [breaker_open]}\n",
            "did you mean 'breaker_opened'?",
        ),
        (
            "  slack:\n  - {name: ops, url_file: u, clusters: [main/prd]}\n",
            "there is no cluster 'main/prd'; allowed: main/prod; did you mean 'main/prod'?",
        ),
        (
            "  slack:\n  - {name: ops, url_file: u}\n  teams:\n  - {name: ops, url_file: u}\n",
            "notify.teams[0].name: 'ops' is given twice; allowed: each channel once",
        ),
        ("  slack:\n  - {name: 'Ops!', url_file: u}\n", "notify.slack[0].name: 'Ops!'"),
        (
            "  slack:\n  - {name: ops, url_file: u, proxy: 'http://u:p@proxy:1'}\n",
            "without user and password",
        ),
        ("  webhook:\n  - {name: h, url_file: u}\n", "'secret_file' is missing"),
        (
            "  email:\n  - {name: m, host: h, sender: a@b.c, recipients: ['X <a@b.c>']}\n",
            "a bare address such as ops@example.com",
        ),
        (
            '  email:\n  - {name: m, host: h, sender: "a@b.c\\r\\nBcc: x@y.z", recipients: [a@b.c]}\n',
            "a bare address such as ops@example.com",
        ),
        (
            "  email:\n  - {name: m, host: h, sender: a@b.c, recipients: []}\n",
            "1 or more entries",
        ),
        (
            f"  email:\n  - {{{MAIL}, username: u}}\n",
            "username without password_file; allowed: both, or neither",
        ),
        (
            f"  email:\n  - {{{MAIL}, username: u, password_file: p, security: none}}\n",
            "none beside username; allowed: starttls or tls",
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(tmp_path: Path, notify: str, told: str) -> None:
    assert told in problems(tmp_path, notify)


@pytest.mark.parametrize(
    "url",
    [
        "hidden",
        "http://hooks.example.com/T0/hidden",
        "ftp://hooks.example.com/hidden",
        "https://user:hidden@hooks.example.com/",
        "https:///hidden",
        "https://hooks.example.com:99999/hidden",
        "https://hooks.example.com/hidden place",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_repeated(
    tmp_path: Path, url: str
) -> None:
    (problem,) = file_problems(hook(tmp_path, url=url))
    assert problem.where == "url_file of channel hook"
    assert "https://" in problem.allowed
    assert "hidden" not in str(problem)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]:9/x"])
def test_this_machine_may_be_told_without_tls(tmp_path: Path, url: str) -> None:
    assert file_problems(hook(tmp_path, url=url)) == ()


@pytest.mark.parametrize("key", ["hidden", "aGlkZGVu", "hidden key of more than 24 characters!"])
def test_a_key_that_is_none_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    (problem,) = file_problems(hook(tmp_path, key=key))
    assert problem.hint == "make one with: openssl rand -base64 32"
    assert key not in str(problem)


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "  slack:\n  - {name: ops, url_file: nowhere, ca_file: ca.pem}\n"
        "  email:\n  - {name: m, host: h, sender: a@b.c, recipients: [a@b.c], username: u, "
        "password_file: nothing}\n",
    )
    told = " ".join(str(one) for one in file_problems(config))
    for where in (
        "url_file of channel ops",
        "ca_file of channel ops",
        "password_file of channel m",
    ):
        assert where in told


def test_a_secret_that_everybody_may_read_is_warned_of(tmp_path: Path) -> None:
    config = hook(tmp_path)
    (tmp_path / "pw").chmod(0o600)
    (tmp_path / "url").chmod(0o604)
    (tmp_path / "key").chmod(0o640)
    (problem,) = exposed_secrets(config)
    assert problem.where == "url_file of channel hook"
    assert problem.hint == f"chmod 600 {tmp_path / 'url'}"
