"""What the program is made of, and that it can be made again: lock files, archives, bill of materials."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
from collections.abc import Mapping
from importlib.metadata import files
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.programs import PACKAGES

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("requirements.lock", "requirements-build.lock")


def locked(name: str) -> Mapping[str, Version]:
    """Return the versions of a lock file by the packages' canonical names."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+) \\$", (ROOT / name).read_text("utf-8"), re.M)
    return {canonicalize_name(package): Version(version) for package, version in pins}


# -- lock files


@pytest.mark.parametrize("name", LOCKS)
def test_each_line_of_a_lock_file_is_a_version_with_digests(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    statements = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.M)).split("\n")
    plain = r"[A-Za-z0-9._-]+==\S+(\s+--hash=sha256:[0-9a-f]{64})+\s*"
    assert [line for line in statements if line and not re.fullmatch(plain, line)] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_names_no_index(name: str) -> None:
    assert not re.search(
        r"://|--(?:index|extra-index|find-links|trusted)", (ROOT / name).read_text("utf-8")
    )


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements-build.lock", PROJECT["build-system"]["requires"]),
    ],
)
def test_what_is_locked_is_what_the_project_asks_for(name: str, asked: list[str]) -> None:
    pins = locked(name)
    wanted = [Requirement(text) for text in asked]
    assert [str(each) for each in wanted if canonicalize_name(each.name) not in pins] == []
    unmet = [
        f"{each}: {pins[canonicalize_name(each.name)]} is locked"
        for each in wanted
        if pins[canonicalize_name(each.name)] not in each.specifier
    ]
    assert unmet == []


def test_each_dependency_has_a_lower_bound() -> None:
    asked = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["optional-dependencies"]["dev"],
    ]
    bounds = {text: [each.operator for each in Requirement(text).specifier] for text in asked}
    assert [text for text, operators in bounds.items() if ">=" not in operators] == []


# -- wheel and source archive


def copied(folder: Path, *, mode: int, seconds: int) -> Path:
    """Copy what wheels are made of, with other times and permissions."""
    shutil.copytree(
        ROOT / "balancer", folder / "balancer", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "policies", folder / "policies")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
        os.utime(path, (seconds, seconds))
    return folder


def built(sources: Path, target: str, **environment: str) -> Path:
    """Build an archive as `make wheel` does; return it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory"]
    out = sources / "out"
    subprocess.run(
        [*command, str(out)],
        cwd=sources,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1780000000", **environment},
        check=True,
        capture_output=True,
        timeout=100,
    )
    (archive,) = out.iterdir()
    return archive


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_two_builds_are_the_same_bytes(target: str, tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    one = built(copied(tmp_path / "a" / "deep" / "x", mode=0o644, seconds=1_600_000_000), target)
    two = built(
        copied(tmp_path / "b" / "y", mode=0o600, seconds=1_750_000_000),
        target,
        TZ="Pacific/Auckland",
        LC_ALL="C",
        PYTHONHASHSEED="7",
    )
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (one, two)}
    assert one.name == two.name
    assert len(digests) == 1


def test_the_source_archive_has_what_builds_and_nothing_of_a_workplace(tmp_path: Path) -> None:
    sources = copied(tmp_path / "x", mode=0o644, seconds=1_700_000_000)
    for stray in (".venv/bin/python", ".ci/run", "config.yaml", "dist/old.whl", "a.sqlite"):
        path = sources / stray
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("stray", encoding="utf-8")
    with tarfile.open(built(sources, "sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "balancer/daemon.py", "PKG-INFO"} <= names
    assert {name.partition("/")[0] for name in names if "/" in name} == {"balancer", "policies"}
    assert not {"config.yaml", "a.sqlite"} & names


# -- the bill of materials


def recipe(tool: str) -> list[str]:
    """Return the words with which the Makefile calls a tool."""
    text = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    (line,) = re.findall(rf"^\t\$\(BIN\)/{tool} (.*)$", text, re.M)
    return shlex.split(line)


def environment_of(folder: Path, *packages: str) -> Path:
    """Make an environment in which these packages, which are installed here, seem to be; return its Python."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in packages:
        metadata = files(name)
        assert metadata is not None
        (head,) = (each for each in metadata if each.name == "METADATA")
        shutil.copytree(Path(str(head.locate())).parent, site / head.parts[0])
    return folder / "bin" / "python"


def test_the_bill_of_materials_has_licences_and_says_what_needs_what(tmp_path: Path) -> None:
    out = tmp_path / "sbom.json"
    words = recipe("cyclonedx-py")
    words[words.index("--output-file") + 1] = str(out)
    words[-1] = str(environment_of(tmp_path / "venv", "jinja2", "markupsafe"))
    command = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        *words,
        "--no-validate",
    ]  # which takes ten seconds
    bare = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(command, cwd=ROOT, env=bare, check=True, capture_output=True, timeout=100)
    text = out.read_text("utf-8")
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "vsphere-balancer"
    found = {each["name"].lower(): each for each in bill["components"]}
    assert found.keys() == {"jinja2", "markupsafe"}
    assert [name for name, each in found.items() if not each.get("licenses")] == []
    edges = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    refs = {name: each["bom-ref"] for name, each in found.items()}
    assert edges[refs["jinja2"]] == [refs["markupsafe"]]
    assert refs["jinja2"] in edges[bill["metadata"]["component"]["bom-ref"]]
    assert str(tmp_path) not in text  # nor anything else of the machine that made it


def test_the_audit_is_strict_and_looks_at_the_lock_file() -> None:
    words = recipe("pip-audit")
    assert {"--strict", "--require-hashes", "requirements.lock"} <= set(words)


# -- the programs that tests need


def test_continuous_integration_installs_what_tests_ask_for() -> None:
    lines = (ROOT / ".ci" / "packages").read_text("utf-8").splitlines()
    installed = dict(line.split() for line in lines)
    assert installed.items() <= PACKAGES.items()
    asked = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r'\bprogram\("([a-z-]+)"\)', path.read_text("utf-8"))
    }
    assert asked <= installed.keys()
