"""deploy/systemd: what systemd itself says of the unit, without starting it."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import program

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNIT = FOLDER / "balancer.service"
MOST_EXPOSURE = 1.5


def settings(name: str) -> list[str]:
    """Return the values of a setting in the unit, in the order of the file."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text("utf-8"), re.M)


def verified(folder: Path, unit: str, *drop_ins: Path) -> str:
    """Return all that `systemd-analyze verify` says of a unit; its program stands in for the installed one."""
    copy = folder / "balancer.service"
    copy.write_text(unit.replace("/opt/balancer/bin/balancer", "/bin/true"), encoding="utf-8")
    for drop_in in drop_ins:
        target = folder / "balancer.service.d" / drop_in.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(drop_in.read_bytes())
    command = [program("systemd-analyze"), "verify", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"rc {done.returncode}")


def test_systemd_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    assert verified(tmp_path, UNIT.read_text("utf-8")) == ""


def test_the_drop_in_of_a_site_goes_with_it(tmp_path: Path) -> None:
    assert verified(tmp_path, UNIT.read_text("utf-8"), FOLDER / "site.conf") == ""


def test_what_systemd_does_not_know_would_be_told(tmp_path: Path) -> None:
    spoilt = UNIT.read_text("utf-8").replace("ProtectProc=", "ProtectProcs=")
    assert "ProtectProcs" in verified(tmp_path, spoilt)


def test_the_exposure_is_low(tmp_path: Path) -> None:
    copy = tmp_path / "balancer.service"
    copy.write_bytes(UNIT.read_bytes())
    command = [program("systemd-analyze"), "security", "--offline=true", "--no-pager", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    (level,) = re.findall(r"Overall exposure level for balancer.service: ([\d.]+)", done.stdout)
    assert float(level) <= MOST_EXPOSURE


def test_a_stop_has_more_time_than_the_program_takes_and_no_more_than_is_sensible() -> None:
    """The program stops within ten seconds, see `balancer run --help`."""
    (seconds,) = settings("TimeoutStopSec")
    assert 10 < int(seconds.removesuffix("s")) <= 30


def test_no_secret_and_no_process_listing_is_given_away() -> None:
    text = UNIT.read_text("utf-8")
    assert re.findall(r"^(?:SetCredential|EnvironmentFile)", text, re.M) == []
    assert not re.search(r"password", " ".join(settings("Environment") + settings("ExecStart")))
    assert settings("LoadCredential") == [
        "vcenter-password:/etc/balancer/credentials/vcenter-password"
    ]


@pytest.mark.parametrize("file", [UNIT, FOLDER / "site.conf"], ids=lambda path: path.name)
def test_settings_are_those_of_systemd_247(file: Path) -> None:
    """Older words only: `Type=notify-reload` and the like are ignored by the systemd of Debian 12."""
    assert "notify-reload" not in file.read_text("utf-8")
    assert "ProcSubset=pid\n" not in re.sub(r"^#.*$", "", file.read_text("utf-8"), flags=re.M)
