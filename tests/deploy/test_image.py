"""deploy/container: what the Dockerfile promises, read from it. `make image` builds it, in minutes."""

import os
import re
import stat
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "container" / "Dockerfile"
SCRIPT = ROOT / "deploy" / "container" / "build-image.sh"
CHECK = SCRIPT.with_name("check-image.sh")
HADOLINT = Path(sys.executable).parent / "hadolint"


def statements(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their words, continued lines in one."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(word.upper(), rest) for word, rest in pairs]


EVERY = statements(FILE.read_text("utf-8"))
LAST = EVERY[max(i for i, (word, _) in enumerate(EVERY) if word == "FROM") :]


def of(word: str) -> list[str]:
    """Return what is said with an instruction in the stage that becomes the image."""
    return [rest for said, rest in LAST if said == word]


def linted(text: str) -> str:
    done = subprocess.run(
        [str(HADOLINT), "-"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_hadolint_has_nothing_to_complain_about() -> None:
    assert linted(FILE.read_text("utf-8")) == ""


def test_hadolint_would_complain() -> None:
    assert "DL3004" in linted(FILE.read_text("utf-8") + "RUN sudo true\n")


def test_it_runs_as_a_number_that_is_not_root() -> None:
    assert of("USER") == ["65532:65532"]


def test_no_shell_is_needed_to_run_it() -> None:
    assert of("ENTRYPOINT") == ['["/opt/balancer/bin/balancer"]']
    assert of("CMD") == ['["run", "--config", "/etc/balancer/config.yaml"]']
    assert of("RUN") == []  # so that the last stage may start from an image without a shell
    assert of("HEALTHCHECK") == []


def test_every_base_can_be_chosen() -> None:
    assert [rest for word, rest in EVERY if word == "FROM"] == ["${BASE} AS build", "${RUNTIME}"]
    before = [rest for word, rest in EVERY[:2] if word == "ARG"]
    assert [text.partition("=")[0] for text in before] == ["BASE", "RUNTIME"]


def test_the_labels_say_what_it_is() -> None:
    (labels,) = of("LABEL")
    named = re.findall(r"org\.opencontainers\.image\.([a-z]+)=", labels)
    assert set(named) >= {"title", "description", "licenses", "version", "revision", "created"}
    for name in ("VERSION", "REVISION", "CREATED"):
        assert f'"${{{name}}}"' in labels
        assert f"{name}=unknown" in of("ARG")


def test_everything_is_installed_by_digest() -> None:
    runs = " ".join(rest for word, rest in EVERY if word == "RUN")
    for call in re.findall(r"pip (?:--python \S+ )?install [^&]*", runs):
        assert "--require-hashes" in call or "--no-index" in call


def test_the_code_is_root_s_and_only_the_journal_s_folder_is_not() -> None:
    copies = of("COPY")
    assert [text for text in copies if "--chown" in text] == [
        "--from=build --chown=65532:65532 /empty /var/lib/balancer"
    ]
    assert of("VOLUME") == ['["/var/lib/balancer"]']


def test_no_secret_comes_into_the_build() -> None:
    """All that the build may see is listed one by one; whatever else lies around is left out."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        source
        for word, rest in EVERY
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied == allowed
    assert not [name for name in allowed if fnmatch(name, "*secret*") or "config" in name]


# -- the script that builds it


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a docker without engine and a buildah on the PATH, which note what they are told."""
    log = tmp_path / "calls"
    log.touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, code in (
        ("docker", f'[ "$1" != info ] || [ -e "{tmp_path}/engine" ]'),
        ("buildah", "true"),
    ):
        path = programs / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{log}"\n{code}\n', encoding="utf-8")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    for name in ("IMAGE", "BASE", "BUILDER", "ISOLATION", "PIP_CONF"):
        monkeypatch.delenv(name, raising=False)
    return log


def build(*words: str, script: Path = SCRIPT, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(script), *words],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_buildah_builds_where_no_engine_answers(calls: Path) -> None:
    assert build(BASE="localhost/base", SOURCE_DATE_EPOCH="1780000000").returncode == 0
    (call,) = (line for line in calls.read_text("utf-8").splitlines() if " build " in line)
    assert call.startswith("buildah build --isolation chroot")
    for words in (
        "--file deploy/container/Dockerfile",
        "--tag vsphere-balancer:",
        "--build-arg BASE=localhost/base",
        "--build-arg CREATED=2026-05-28T20:26:40Z",
    ):
        assert words in call


def test_docker_builds_where_its_engine_answers(calls: Path, tmp_path: Path) -> None:
    (tmp_path / "engine").touch()
    assert (
        build("--pull", IMAGE="registry.example.com/b:1", PIP_CONF="/etc/pip.conf").returncode == 0
    )
    (call,) = (line for line in calls.read_text("utf-8").splitlines() if " build " in line)
    assert call.startswith("docker build ")
    assert "--secret id=pip.conf,src=/etc/pip.conf" in call
    assert "--tag registry.example.com/b:1" in call
    assert "--pull" in call
    assert "BASE=" not in call


def test_an_unknown_builder_is_refused(calls: Path) -> None:
    done = build(BUILDER="podman")
    assert done.returncode == 1
    assert "BUILDER is 'podman'; it can be docker or buildah" in done.stderr
    assert calls.read_text("utf-8") == ""


def test_without_a_builder_it_says_what_to_install(calls: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "buildah").unlink()
    done = build(PATH=f"{tmp_path}/bin:{reduced(tmp_path)}")
    assert done.returncode == 1
    assert "apt-get install buildah" in done.stderr


def reduced(folder: Path) -> Path:
    """Make a folder with the few programs that the script needs, and no builder."""
    path = folder / "few"
    path.mkdir()
    for name in ("sh", "sed", "git", "date", "dirname"):
        (path / name).symlink_to(f"/usr/bin/{name}")
    return path


@pytest.mark.parametrize("script", [SCRIPT, CHECK], ids=lambda path: path.name)
def test_the_scripts_can_be_run(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR


def test_the_check_runs_it_without_anything_that_it_does_not_need(
    calls: Path, tmp_path: Path
) -> None:
    (tmp_path / "engine").touch()
    done = build(script=CHECK)
    asked = [
        line for line in calls.read_text("utf-8").splitlines() if line.startswith("docker run")
    ]
    assert len(asked) == 2
    for words in ("--read-only", "--network none", "--cap-drop ALL", "no-new-privileges"):
        assert [line for line in asked if words not in line] == []
    assert done.returncode == 1  # the one that is asked here does not plan
    assert "the dry run ended with 0, not with 3" in done.stderr
