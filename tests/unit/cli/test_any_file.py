"""Whatever a file holds, it is read or refused with its problems: no other error, ever."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from balancer.cli.validation import examined
from balancer.model.errors import InputError, Problem
from tests.support.searching import examples
from tests.unit.adapters.files.any_json import ANY_JSON, damaged

ROOT = Path(__file__).parents[3]
GOOD = {
    name: (ROOT / name).read_bytes()
    for name in (
        "config.example.yaml",
        "policies/balanced.yaml",
        "tests/data/small.snapshot.json",
        "tests/data/small.plan.json",
    )
}
SPLICES = st.sampled_from(
    [
        *(b"", b"\n", b" ", b":", b"-", b"'", b'"', b"{", b"}", b"[", b"]", b",", b"#", b"\xff"),
        *(b"null", b"true", b"-1", b"1e999", b"1e308", b"9" * 30, b"0", b".nan", b"NaN", b"&a"),
        *(b"*a", b"<<", b"!t", b'"\\0"', b'"\\ud800"', b"\\", b"/", b"x" * 300, b"\x00", b"..."),
    ]
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 12), SPLICES),
    min_size=1,
    max_size=4,
)


def problems_of(path: Path) -> tuple[Problem, ...]:
    """Return what is said of a file, wrong or not."""
    try:
        return examined(path).warnings
    except InputError as err:
        return err.problems


def mutated(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Replace a few bytes here and there."""
    for share, length, splice in edits:
        start = int(share * len(content))
        content = content[:start] + splice + content[start + length :]
    return content


@pytest.mark.parametrize("name", GOOD)
@examples(150, suppress_health_check=list(HealthCheck))
@given(edits=EDITS)
def test_a_damaged_file_is_read_or_refused(
    name: str, edits: list[tuple[float, int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / Path(name).name
    path.write_bytes(mutated(GOOD[name], edits))
    assert all(problem.where and problem.found for problem in problems_of(path))


DOCUMENTS: dict[str, object] = {name: yaml.safe_load(text) for name, text in GOOD.items()}


@pytest.mark.parametrize("name", DOCUMENTS)
@examples(100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_file_with_any_piece_replaced_is_read_or_refused(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = data.draw(damaged(DOCUMENTS[name], values=ANY_JSON))
    written = yaml.safe_dump(document) if name.endswith(".yaml") else json.dumps(document)
    path = tmp_path_factory.getbasetemp() / Path(name).name
    path.write_text(written)
    lines = [str(problem) for problem in problems_of(path)]
    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(set(lines))


HEAD = "vcenters: [{name: v, host: h, username: u, password_file: p}]\n"
CLUSTER = "clusters: [{vcenter: v, name: c, policies: [%s]}]\n"


@pytest.mark.parametrize(
    "name",
    ['"a\\0b"', '"a\\0/b"', "x" * 5000, "./" + "x" * 5000, "/dev/null", "/", "/proc/self/mem"],
    ids=["NUL", "NUL in a path", "long", "long path", "nothing", "folder", "device"],
)
def test_a_policy_that_cannot_be_a_file_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + CLUSTER % name)
    with pytest.raises(InputError):
        examined(path)


@pytest.mark.parametrize(
    "setting",
    ['password_file: "a\\0b"', 'password_file: "%s"' % ("x" * 5000), "password_file: /"],
    ids=["NUL", "long", "folder"],
)
def test_a_secret_that_cannot_be_a_file_is_told(setting: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD.replace("password_file: p", setting) + CLUSTER % "balanced")
    assert problems_of(path)
