"""What the commands that only look make of a policy's rules, of tags, and of files that do not apply."""

import json
from pathlib import Path

import pytest

from balancer.adapters.files import write_snapshot
from balancer.cli.app import Session, run_command_line
from tests.support import builders

HEAD = "apiVersion: balancer/v1\nkind: Policy\n"


def run(*arguments: str | Path) -> int:
    return run_command_line([*map(str, arguments)], Session())


def pair_on_one_host(folder: Path, *tags: str) -> Path:
    both = frozenset(tags)
    vms = [builders.vm(n, 1, name=f"web-{n}", tags=both) for n in (1, 2)]
    path = folder / "s.json"
    write_snapshot(builders.snapshot([builders.host(1), builders.host(2)], vms), path)
    return path


def written(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(HEAD + body)
    return path


APART = "rules:\n- {name: apart, type: anti-affinity, vms: {glob: 'web-*'}}\n"


@pytest.mark.parametrize("form", ["file", "tag"])
def test_a_plan_mends_a_rule_of_a_file_and_of_a_tag_and_names_who_made_it(
    form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tags = ("balancer:anti-affinity:apart",) if form == "tag" else ()
    policy = written(tmp_path, "p.yaml", APART if form == "file" else "name: p\n")
    snapshot = pair_on_one_host(tmp_path, *tags)
    assert run("plan", "--snapshot", snapshot, "--policy", policy, "--detailed-exitcode") == 2
    told = " ".join(capfd.readouterr().out.split())
    assert "1 rule fix" in told
    assert f"(must, keep apart, by {'policy' if form == 'file' else 'tag'}): web-1, web-2" in told


def test_explain_names_the_rule_of_a_policy(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    body = "rules:\n- {name: stay, type: vm-host, vms: {name: web-1}, run_on: {name: esx1}}\n"
    policy = written(tmp_path, "p.yaml", body)
    snapshot = pair_on_one_host(tmp_path)
    options = ("--vm", "web-1", "--host", "esx2")
    assert run("explain", "--snapshot", snapshot, "--policy", policy, *options) == 0
    assert "rule 'stay'" in capfd.readouterr().out


def test_notes_stand_in_the_document_and_files_that_do_not_apply_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    snapshot = pair_on_one_host(tmp_path, "balancer:exlude")
    site = written(tmp_path, "site.yaml", APART.replace("web", "db") + "prices: {move_price: 1}\n")
    other = written(tmp_path, "other.yaml", "applies_to: {clusters: ['test-*']}\n")
    later = written(tmp_path, "later.yaml", "prices: {move_price: 2}\n")
    files = [argument for path in (site, other, later) for argument in ("--policy", path)]
    assert run("plan", "--snapshot", snapshot, *files, "--format", "json") == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["notes"] == [
        f"{site}:4:3: rule 'apart' selects no VM",
        (
            "tag 'balancer:exlude' on web-1, web-2 is no rule; allowed: affinity:NAME, "
            "anti-affinity:NAME, run-on:HOST-GROUP, keep-off:HOST-GROUP, prefer:HOST-GROUP, exclude, "
            "exclude:GOAL, mode:MODE; did you mean 'balancer:exclude'?"
        ),
    ]
    assert f"policy {other} is left out: it applies to cluster test-*" in err
    assert "policies differ: prices.move_price is 2 in " in err


def test_policies_of_which_none_applies_are_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = written(tmp_path, "other.yaml", "applies_to: {clusters: ['test-*']}\n")
    assert run("plan", "--snapshot", pair_on_one_host(tmp_path), "--policy", other) == 1
    assert "it applies to cluster test-*" in capfd.readouterr().err


def test_a_live_configuration_whose_policies_do_not_apply_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "other.yaml", "applies_to: {vcenters: [south]}\n")
    (tmp_path / "password").write_text("x")
    (tmp_path / "password").chmod(0o600)
    config = tmp_path / "config.yaml"
    config.write_text(
        "vcenters: [{name: north, host: h, username: u, password_file: password}]\n"
        "clusters:\n"
        "- {vcenter: north, name: prod, policies: [./other.yaml]}\n"
    )
    assert run("validate", config) == 1
    told = capfd.readouterr()
    assert "it applies to vCenter south" in told.out + told.err
    assert "config.yaml:3:" in told.out + told.err
