from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from balancer.config import (
    Cluster,
    Config,
    Http,
    Journal,
    Log,
    Proxy,
    Timeouts,
    Tls,
    VCenter,
    exposed_secrets,
    file_problems,
    load_config,
)
from balancer.config.notify import (
    EmailChannel,
    Notify,
    SlackChannel,
    TeamsChannel,
    WebhookChannel,
)
from balancer.model.errors import InputError
from balancer.policy.mode import Mode

EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"
VCENTER = "vcenters:\n- {name: main, host: vc, username: u, password_file: pw}\n"
CLUSTER = "clusters:\n- {vcenter: main, name: prod}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text)
    return path


def load(folder: Path, text: str) -> Config:
    return load_config(write(folder, text))


def problems_of(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(InputError) as caught:
        load_config(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_the_least_configuration_takes_every_default(tmp_path: Path) -> None:
    config = load(tmp_path, VCENTER + CLUSTER)
    assert config.clusters[0].mode is Mode.OBSERVE
    assert config.clusters[0].policies == ("balanced",)
    assert (config.http, config.log, config.journal) == (Http(), Log(), Journal())
    assert config.policies_of(config.clusters[0]).without_windows.name == "balanced"


def test_the_example_loads() -> None:
    config = load_config(EXAMPLE)
    assert config.vcenter_of(config.clusters[0]).host == "vcenter.example.com"


@pytest.mark.parametrize(
    "model",
    [
        *(VCenter, Tls, Proxy, Timeouts, Cluster, Journal, Http, Log, Config),
        *(Notify, WebhookChannel, SlackChannel, TeamsChannel, EmailChannel),
    ],
)
def test_the_example_names_every_setting(model: type[BaseModel]) -> None:
    text = EXAMPLE.read_text()
    names = [info.alias or name for name, info in model.model_fields.items()]
    assert [name for name in names if f"{name}:" not in text] == []


def test_the_example_shows_the_defaults() -> None:
    data: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    parts: list[tuple[dict[str, Any], type[BaseModel]]] = [
        (data["vcenters"][0], VCenter),
        (data["vcenters"][0]["timeouts"], Timeouts),
        (data["clusters"][0], Cluster),
        (data["journal"], Journal),
        (data["http"], Http),
        (data["log"], Log),
    ]
    for given, model in parts:
        for name, info in model.model_fields.items():
            if name in given and not info.is_required() and not isinstance(given[name], dict):
                default = info.default
                shown = list(default) if isinstance(default, tuple) else default
                is_example = name == "username"
                assert is_example or given[name] == shown or given[name] == str(shown), name


def test_the_comments_of_the_example_name_the_same_defaults() -> None:
    for line in EXAMPLE.read_text().splitlines():
        setting, _, comment = line.partition("#")
        told = comment.rpartition("default: ")[2].partition(";")[0].strip()
        value = setting.partition(": ")[2].strip()
        if "default: " in comment and value and told != "this":
            assert told == value, line


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    config = load(tmp_path, VCENTER + CLUSTER + "policy_folder: own\njournal: {path: j.sqlite}\n")
    assert config.journal.path == tmp_path / "j.sqlite"
    assert config.policy_folders == (tmp_path / "own",)
    assert config.vcenters[0].password_file == tmp_path / "pw"


def test_a_bare_secret_name_is_looked_for_among_the_credentials_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "pw").write_text("from systemd\n")
    (tmp_path / "pw").write_text("from beside\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert load(tmp_path, VCENTER + CLUSTER).vcenters[0].password() == "from systemd"
    (credentials / "pw").unlink()
    assert load(tmp_path, VCENTER + CLUSTER).vcenters[0].password() == "from beside"


def test_a_changed_password_file_counts_at_once(tmp_path: Path) -> None:
    vcenter = load(tmp_path, VCENTER + CLUSTER).vcenters[0]
    (tmp_path / "pw").write_text("one")
    assert vcenter.password() == "one"
    (tmp_path / "pw").write_text("two \r\n")
    assert vcenter.password() == "two "


def test_a_user_name_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("somebody\n")
    text = VCENTER.replace("username: u", "username_file: user") + CLUSTER
    assert load(tmp_path, text).vcenters[0].user() == "somebody"


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"a\nb", b"\xff", b"a\0b"],
    ids=["empty", "blank", "two lines", "not text", "a NUL"],
)
def test_a_password_file_without_one_line_of_text_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "pw").write_bytes(content)
    config = load(tmp_path, VCENTER + CLUSTER)
    (problem,) = file_problems(config)
    assert problem.where == "password_file of vCenter main"


def test_missing_files_are_found_and_never_repeat_what_may_be_a_secret(tmp_path: Path) -> None:
    text = VCENTER.replace("password_file: pw", "password_file: hunter2, tls: {ca_file: ca.pem}")
    found = [str(problem) for problem in file_problems(load(tmp_path, text + CLUSTER))]
    assert found == [
        (
            "password_file of vCenter main: the file that it names cannot be read: "
            "No such file or directory"
        ),
        f"tls.ca_file of vCenter main: there is no file {tmp_path / 'ca.pem'}",
    ]


def test_a_password_in_the_wrong_place_is_never_repeated(tmp_path: Path) -> None:
    for wrong in ("password: 4711", "password_file: 4711"):
        text = VCENTER.replace("password_file: pw", wrong) + CLUSTER
        assert not any("4711" in problem for problem in problems_of(tmp_path, text))


def test_a_password_file_that_everybody_may_read_is_warned_of(tmp_path: Path) -> None:
    secret = tmp_path / "pw"
    secret.write_text("x")
    config = load(tmp_path, VCENTER + CLUSTER)
    secret.chmod(0o644)
    assert [problem.hint for problem in exposed_secrets(config)] == [f"chmod 600 {secret}"]
    secret.chmod(0o640)
    assert exposed_secrets(config) == ()


def test_a_thumbprint_is_read_with_or_without_colons(tmp_path: Path) -> None:
    pins = ["ab" * 32, ":".join(["AB"] * 32)]
    texts = [
        VCENTER.replace("host: vc", f'host: vc, tls: {{thumbprint_sha256: "{p}"}}') for p in pins
    ]
    found = {load(tmp_path, text + CLUSTER).vcenters[0].tls.thumbprint_sha256 for text in texts}
    assert found == {"ab" * 32}


def test_several_policies_of_a_cluster_are_merged(tmp_path: Path) -> None:
    (tmp_path / "calm.yaml").write_text(
        "apiVersion: balancer/v1\nkind: Policy\nlimits: {moves_per_run_at_most: 4}\n"
    )
    text = VCENTER + "clusters:\n- {vcenter: main, name: p, policies: [aggressive, ./calm.yaml]}\n"
    config = load(tmp_path, text)
    policy = config.policies_of(config.clusters[0]).without_windows
    assert (policy.name, policy.limits.moves_per_run_at_most) == ("aggressive", 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            VCENTER.replace("password_file: pw", "password: secret") + CLUSTER,
            [
                "2:3: vcenters[0]: 'password_file' is missing; allowed: it must be given",
                "2:39: vcenters[0].password: unknown key 'password'; did you mean 'password_file'?",
            ],
            id="password in clear",
        ),
        pytest.param(
            VCENTER + "clusters:\n- {vcenter: main, name: prod, mode: automatik}\n",
            [
                (
                    "4:37: clusters[0].mode: 'automatik'; allowed: 'observe', 'manual', "
                    "'partial' or 'automatic'; did you mean 'automatic'?"
                )
            ],
            id="misspelt mode",
        ),
        pytest.param(
            VCENTER + "clusters:\n- {vcenter: mian, name: prod}\n",
            [
                (
                    "4:13: clusters[0].vcenter: there is no vCenter 'mian'; allowed: main; "
                    "did you mean 'main'?"
                )
            ],
            id="unknown vCenter",
        ),
        pytest.param(
            VCENTER + CLUSTER + "- {vcenter: main, name: prod}\n",
            ["5:25: clusters[1].name: 'prod' is given twice; allowed: each cluster once"],
            id="cluster twice",
        ),
        pytest.param(
            VCENTER + VCENTER.splitlines()[1] + "\n" + CLUSTER,
            ["3:10: vcenters[1].name: 'main' is given twice; allowed: each vCenter once"],
            id="vCenter twice",
        ),
        pytest.param(
            VCENTER.replace("username: u", "username: u, username_file: f") + CLUSTER,
            ["2:3: vcenters[0]: both given; allowed: either username or username_file"],
            id="two user names",
        ),
        pytest.param(
            VCENTER.replace("username: u, ", "") + CLUSTER,
            ["2:3: vcenters[0]: neither given; allowed: either username or username_file"],
            id="no user name",
        ),
        pytest.param(
            VCENTER.replace("host: vc", "host: vc, tls: {verify: false}") + CLUSTER,
            [
                (
                    "2:32: vcenters[0].tls.verify: unknown key 'verify'; "
                    "allowed: ca_file, thumbprint_sha256"
                )
            ],
            id="verification cannot be switched off",
        ),
        pytest.param(
            VCENTER.replace("host: vc", "host: vc, tls: {thumbprint_sha256: ab}") + CLUSTER,
            [
                (
                    "2:51: vcenters[0].tls.thumbprint_sha256: 'ab'; "
                    "allowed: 64 hexadecimal digits (SHA-256), colons allowed"
                )
            ],
            id="short thumbprint",
        ),
        pytest.param(
            VCENTER + "clusters: []\n",
            ["3:11: clusters: an empty list; allowed: at least one"],
            id="no cluster",
        ),
        pytest.param(
            VCENTER + CLUSTER + "policy_folder: nowhere\n",
            ["5:16: policy_folder: there is no folder TMP/nowhere"],
            id="policy folder that does not exist",
        ),
        pytest.param(
            VCENTER + CLUSTER + "http: {port: '9715'}\n",
            ["5:14: http.port: '9715'; allowed: a whole number; write it without quotes"],
            id="port in quotes",
        ),
        pytest.param(
            VCENTER + CLUSTER + "kind: Policy\n",
            ["5:7: kind: 'Policy'; allowed: 'Config'"],
            id="another kind of document",
        ),
    ],
)
def test_a_mistake_is_named_with_line_column_and_setting(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert problems_of(tmp_path, text) == [line.replace("TMP", str(tmp_path)) for line in expected]


def test_an_unknown_policy_is_named_where_it_is_asked_for(tmp_path: Path) -> None:
    text = VCENTER + "clusters:\n- {vcenter: main, name: prod, policies: [balancd]}\n"
    (problem,) = problems_of(tmp_path, text)
    assert problem.startswith("4:41: clusters[0].policies: policy 'balancd': not found in ")
    assert problem.endswith("did you mean 'balanced'?")


def test_a_wrong_policy_file_is_shown_with_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("apiVersion: balancer/v1\nkind: Policy\nlimit: {}\n")
    text = VCENTER + "clusters:\n- {vcenter: main, name: prod, policies: [p.yaml]}\n"
    assert problems_of(tmp_path, text) == [
        (
            f"4:41: clusters[0].policies: {tmp_path / 'p.yaml'}:3:1: limit: unknown key 'limit'; "
            "did you mean 'limits'?"
        )
    ]


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    text = "vcenters:\n- {nam: x, port: 0}\nclusters:\n- {interval_s: no}\nhtp: {}\n"
    assert len(problems_of(tmp_path, text)) == 10


@pytest.mark.parametrize(
    ("proxy", "what"),
    [
        ("{}", "no host"),
        ("{port: 3128}", "no host"),
        ("{host: p, from_environment: true}", "from_environment beside host"),
        ("{host: 'http://p:3128'}", "without https:// before it"),
    ],
)
def test_a_proxy_is_named_or_looked_for_but_not_both(tmp_path: Path, proxy: str, what: str) -> None:
    text = VCENTER.replace("password_file: pw", f"password_file: pw, proxy: {proxy}") + CLUSTER
    (problem,) = problems_of(tmp_path, text)
    assert what in problem


@pytest.mark.parametrize("host", ["https://vc", "vc/sdk", "'a b'", "u@vc"])
def test_a_host_is_a_name_or_an_address(tmp_path: Path, host: str) -> None:
    (problem,) = problems_of(tmp_path, VCENTER.replace("host: vc", f"host: {host}") + CLUSTER)
    assert "without https:// before it" in problem


def test_a_file_with_a_proxys_login_is_looked_after_like_a_password(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("secret")
    (tmp_path / "pw").chmod(0o600)
    way = "password_file: pw, proxy: {host: p, credentials_file: login}"
    config = load(tmp_path, VCENTER.replace("password_file: pw", way) + CLUSTER)
    (missing,) = file_problems(config)
    assert missing.where == "proxy.credentials_file of vCenter main"
    (tmp_path / "login").write_text("nobody")
    (without,) = file_problems(config)
    assert "user:password" in without.found
    (tmp_path / "login").write_text("somebody:secret")
    assert file_problems(config) == ()
    (tmp_path / "login").chmod(0o644)
    (exposed,) = exposed_secrets(config)
    assert exposed.where == "proxy.credentials_file of vCenter main"
