"""deploy/vcenter and the doctor ask for the same privileges, and the scripts do what they say."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from pyVmomi import vim

from balancer.model.privileges import OF_ROLE, Place, Privilege, Role, needed_ids

FOLDER = Path(__file__).parents[2] / "deploy" / "vcenter"
SCRIPT = FOLDER / "create-roles.sh"
POWERSHELL = FOLDER / "Create-Roles.ps1"
AN_ID = re.compile(r"\b(?:System|Resource|Authorization|VirtualMachine|Host|Global)\.[A-Z]\w+")


def listed(role: Role) -> dict[str, str]:
    """Return the ids of a role's list with their comments."""
    lines = (FOLDER / f"{role}.privileges").read_text("utf-8").splitlines()
    entries = [line.partition("#") for line in lines if line and not line.startswith("#")]
    return {key.strip(): told.strip() for key, _, told in entries}


@pytest.mark.parametrize("role", Role)
def test_a_roles_list_is_the_doctors_with_reasons_and_sources(role: Role) -> None:
    expected = {entry.id: f"{entry.reason} ({entry.source})" for entry in OF_ROLE[role]}
    assert listed(role) == expected


@pytest.mark.parametrize("entry", OF_ROLE[Role.EXECUTOR], ids=lambda entry: entry.id)
def test_the_page_tells_each_privilege_as_the_list_does(entry: Privilege) -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{entry.id}` |"))
    assert entry.reason in row
    assert set(re.findall(r"[\w.]+", entry.source)) <= set(re.findall(r"[\w.]+", row))


@pytest.mark.parametrize("script", [SCRIPT, POWERSHELL], ids=lambda path: path.name)
def test_scripts_hold_no_privileges_of_their_own(script: Path) -> None:
    code = [line for line in script.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert AN_ID.findall("\n".join(code)) == []
    assert {str(role) for role in Role} <= set(re.findall(r"balancer-\w+", "\n".join(code)))


def test_both_scripts_read_the_lists_as_the_doctor_does() -> None:
    """Nobody here can run PowerShell: what it reads of a list is worked out from its own expression."""
    code = POWERSHELL.read_text("utf-8")
    (name,) = re.findall(r'Get-Content \(Join-Path \$PSScriptRoot "([^"]+)"\)', code)
    (cut,) = re.findall(r"\(\$_ -replace '([^']+)', ''\)\.Trim\(\)", code)
    for role in Role:
        lines = (FOLDER / name.replace("$Role", role)).read_text("utf-8").splitlines()
        kept = [re.sub(cut, "", line).strip() for line in lines]
        assert {line for line in kept if line} == needed_ids(role)
    assert re.findall(r"Set-BalancerRole '([^']+)'", code) == [str(role) for role in Role]


def test_the_executor_holds_all_of_the_reader() -> None:
    """A permission on a cluster takes the place of the one on the root: it must not take reading away."""
    assert needed_ids(Role.READER) < needed_ids(Role.EXECUTOR)
    assert needed_ids(Role.EXECUTOR, Place.ROOT) == needed_ids(Role.READER)


def test_the_methods_that_are_called_declare_these_privileges() -> None:
    relocate = vim.VirtualMachine._GetMethodInfo("Relocate")
    check = vim.vm.check.ProvisioningChecker._GetMethodInfo("CheckRelocate")
    rights = vim.AuthorizationManager._GetMethodInfo("HasPrivilegeOnEntities")
    assert relocate.privId in needed_ids(Role.EXECUTOR) - needed_ids(Role.READER)
    assert {check.privId, rights.privId} <= needed_ids(Role.READER)


# -- the shell script, with a govc that writes down what it is told


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a govc on the PATH that notes its words; roles exist if the file `roles` is there."""
    log = tmp_path / "calls"
    log.touch()
    fake = tmp_path / "govc"
    fake.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >> "{log}"\n'
        "case $1 in\n"
        f'role.ls) [ -e "{tmp_path}/roles" ] ;;\n'
        f'permissions.set) [ ! -e "{tmp_path}/refuse" ] ;;\n'
        "esac\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("GOVC", raising=False)
    return log


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), *words], capture_output=True, text=True, timeout=100, check=False
    )


def told(log: Path, *leaving_out: str) -> list[str]:
    lines = log.read_text("utf-8").splitlines()
    return [line for line in lines if line.split()[0] not in leaving_out]


READER_IDS = " ".join(entry.id for entry in OF_ROLE[Role.READER])
EXECUTOR_IDS = " ".join(entry.id for entry in OF_ROLE[Role.EXECUTOR])
GIVEN = "permissions.set -principal bal@vsphere.local -group=false -propagate=true -role"


def test_roles_are_created_with_exactly_the_listed_privileges(calls: Path) -> None:
    assert run().returncode == 0
    assert told(calls, "role.ls") == [
        f"role.create balancer-reader {READER_IDS}",
        f"role.create balancer-executor {EXECUTOR_IDS}",
    ]


def test_roles_that_exist_are_set_anew(calls: Path, tmp_path: Path) -> None:
    (tmp_path / "roles").touch()
    assert run().returncode == 0
    assert told(calls, "role.ls") == [
        f"role.update balancer-reader {READER_IDS}",
        f"role.update balancer-executor {EXECUTOR_IDS}",
    ]


def test_an_account_reads_everywhere_and_acts_where_it_is_told(calls: Path) -> None:
    done = run(
        *("--principal", "bal@vsphere.local"),
        *("--execute", "/dc/host/prod a", "--execute", "/dc/vm/web"),
    )
    assert done.returncode == 0
    assert told(calls, "role.ls", "role.create") == [
        f"{GIVEN} balancer-reader /",
        f"{GIVEN} balancer-executor /dc/host/prod a",
        f"{GIVEN} balancer-executor /dc/vm/web",
    ]


def test_a_dry_run_prints_the_commands_and_runs_none(calls: Path) -> None:
    done = run(
        "--dry-run", "--principal", "bal@vsphere.local", "--group", "--execute", "/dc/host/p"
    )
    assert done.returncode == 0
    assert calls.read_text() == ""
    assert done.stdout.splitlines() == [
        f"govc role.create balancer-reader {READER_IDS}",
        f"govc role.create balancer-executor {EXECUTOR_IDS}",
        *(
            "govc permissions.set -principal bal@vsphere.local -group=true -propagate=true"
            f" -role {role} {path}"
            for role, path in (("balancer-reader", "/"), ("balancer-executor", "/dc/host/p"))
        ),
    ]


def test_a_permission_that_is_refused_ends_it_with_an_error(calls: Path, tmp_path: Path) -> None:
    (tmp_path / "refuse").touch()
    assert run("--principal", "a", "--execute", "/x").returncode != 0
    assert len(told(calls, "role.ls", "role.create")) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--execute", "/x"], "--execute needs --principal"),
        (["--principal"], "--principal needs a value"),
        (["--dryrun"], "unknown option '--dryrun'"),
    ],
)
def test_a_wrong_command_line_changes_nothing(
    words: list[str], complaint: str, calls: Path
) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert calls.read_text() == ""


def test_help_tells_every_option(calls: Path) -> None:
    done = run("--help")
    assert done.returncode == 0
    for option in ("--principal", "--group", "--execute", "--dry-run", "GOVC_URL"):
        assert option in done.stdout
    assert calls.read_text() == ""
