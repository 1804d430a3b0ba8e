import time
import tracemalloc
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from balancer.model.errors import InputError
from balancer.policy.strict_yaml import MOST_BYTES, YamlFile, parse_yaml, read_yaml
from tests.support.searching import examples


def parse(text: str) -> YamlFile:
    return parse_yaml(text.encode(), name="f.yaml")


def problems_of(text: str | bytes) -> list[str]:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(InputError) as caught:
        parse_yaml(content, name="f.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("no", "no", id="no is text"),
        pytest.param("on", "on", id="on is text"),
        pytest.param("22:00", "22:00", id="a time of day is text"),
        pytest.param("1_000", "1_000", id="underscores make text"),
        pytest.param("2026-11-22", "2026-11-22", id="a date is text"),
        pytest.param("0b11", "0b11", id="binary is text"),
        pytest.param("=", "=", id="the value key is text"),
        pytest.param("1e3", 1000.0, id="an exponent without a point is a float"),
        pytest.param("010", 10, id="a leading zero is decimal"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("0xff", 255, id="hexadecimal"),
        pytest.param("-3", -3, id="negative integer"),
        pytest.param("+.5", 0.5, id="fraction alone"),
        pytest.param("7.", 7.0, id="a point at the end"),
        pytest.param("true", True, id="true"),
        pytest.param("False", False, id="False"),
        pytest.param("~", None, id="tilde is null"),
        pytest.param("", None, id="an empty file is null"),
        pytest.param("'5'", "5", id="quoted number is text"),
        pytest.param('"true"', "true", id="quoted true is text"),
        pytest.param("|\n  5\n", "5\n", id="a block scalar is text"),
    ],
)
def test_scalars_are_read_by_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    data = parse(text).data
    assert data == value
    assert type(data) is type(value)


def test_mappings_and_lists_nest_and_keys_are_always_text() -> None:
    assert parse("a:\n  - 1\n  - {b: x}\n2: y\ntrue: z\n").data == {
        "a": [1, {"b": "x"}],
        "2": "y",
        "true": "z",
    }


def test_positions_of_keys_and_values_are_known() -> None:
    file = parse("a:\n  - 1\n  - {b: x}\n")
    assert file.where(("a", 1, "b")) == "f.yaml:3:9"
    assert file.where(("a", 1, "b"), at_key=True) == "f.yaml:3:6"


def test_a_path_that_is_not_there_is_placed_at_what_surrounds_it() -> None:
    assert parse("a:\n  b: 1\n").where(("a", "missing")) == "f.yaml:2:3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: &x 1", "f.yaml:1:4: an anchor '&x'; allowed: no anchors", id="anchor"),
        pytest.param(
            "a: *x", "f.yaml:1:4: an alias '*x'; allowed: write the value out", id="alias"
        ),
        pytest.param(
            "*x : 1", "f.yaml:1:1: an alias '*x'; allowed: write the value out", id="alias as key"
        ),
        pytest.param(
            "<<: {a: 1}",
            "f.yaml:1:1: a merge key '<<'; allowed: write the settings out",
            id="merge key",
        ),
        pytest.param(
            "a: !!python/object/apply:os.system [x]",
            "f.yaml:1:4: a tag 'tag:yaml.org,2002:python/object/apply:os.system'; allowed: no tags",
            id="tag",
        ),
        pytest.param("a: ! 1", "f.yaml:1:4: a tag '!'; allowed: no tags", id="non-specific tag"),
        pytest.param(
            "%YAML 1.1\n---\na: 1",
            "f.yaml:1:1: a % directive; allowed: no directives",
            id="directive",
        ),
        pytest.param(
            "a: 1\nb: 2\na: 3",
            "f.yaml:3:1: the key 'a' is given twice, first at 1:1; allowed: each key once",
            id="key twice",
        ),
        pytest.param(
            "a: 1\n---\nb: 2",
            "f.yaml:2:1: a second document; allowed: one document in a file",
            id="two documents",
        ),
        pytest.param(
            "? [a, b]\n: 1",
            "f.yaml:1:3: a mapping or list used as a key; allowed: text as key",
            id="list as key",
        ),
        pytest.param(
            "[" * 33 + "]" * 33,
            "f.yaml:1:33: nested too deeply; allowed: at most 32 levels",
            id="too deep",
        ),
        pytest.param(
            "a: .nan",
            "f.yaml:1:4: .nan is not a finite number; allowed: finite numbers",
            id="not a number",
        ),
        pytest.param(
            "a: -.inf",
            "f.yaml:1:4: -.inf is not a finite number; allowed: finite numbers",
            id="infinity",
        ),
        pytest.param(
            "a: 1e999",
            "f.yaml:1:4: a number that is too large; allowed: at most 64 characters and 1e308",
            id="a float beyond the range",
        ),
        pytest.param(
            "a: " + "9" * 5000,
            "f.yaml:1:4: a number that is too large; allowed: at most 64 characters and 1e308",
            id="thousands of digits",
        ),
    ],
)
def test_what_is_forbidden_is_named_with_its_place(text: str, expected: str) -> None:
    assert problems_of(text) == [expected]


def test_every_forbidden_construct_of_a_file_is_listed() -> None:
    assert len(problems_of("a: &x 1\na: *x\nb: !t 2\n<<: 3\n")) == 5


@pytest.mark.parametrize(
    ("content", "start"),
    [
        pytest.param(b"a: [1, 2", "f.yaml:2:1: not valid YAML: while parsing", id="open bracket"),
        pytest.param(b"a: 1\n\tb: 2", "f.yaml:2:1: not valid YAML", id="tab"),
        pytest.param(b"a: b: c", "f.yaml:1:5: not valid YAML", id="colon in a value"),
        pytest.param(b"a: 1\nb: \xff", "f.yaml:2:1: byte 0xff is not UTF-8", id="not UTF-8"),
        pytest.param(b"a: \x00", "f.yaml: the character", id="a NUL"),
        pytest.param(b'a: "\\ud800"', "f.yaml:1:", id="half of a surrogate pair"),
        pytest.param(
            b"a" * (MOST_BYTES + 1),
            "f.yaml: the file is too large; allowed: at most 1 MiB",
            id="size",
        ),
    ],
)
def test_errors_of_syntax_are_placed(content: bytes, start: str) -> None:
    (problem,) = problems_of(content)
    assert problem.startswith(start)


def test_a_file_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        read_yaml(tmp_path / "none.yaml")


def _repeat(unit: str, *, head: str = "") -> str:
    return head + unit * ((MOST_BYTES - len(head)) // len(unit))


HOSTILE = {
    "deep brackets": _repeat("["),
    "deep braces": _repeat("{a: "),
    "deep dashes": _repeat("- "),
    "deep questions": _repeat("? "),
    "many values": _repeat("a,", head="["),
    "many lines": _repeat("- a\n"),
    "many keys": "".join(f"{n}: 1\n" for n in range(90_000)),
    "one key again and again": _repeat("a: 1\n"),
    "many anchors": _repeat("- &a 1\n"),
    "many aliases": _repeat("- *a\n"),
    "many tags": _repeat("- !t 1\n"),
    "many merge keys": _repeat("- <<: {}\n"),
    "many documents": _repeat("---\n"),
    "one long word": _repeat("x"),
    "one long number": _repeat("9"),
    "one long quoted text": '"' + _repeat("\\n")[:-4] + '"',
    "open quote": _repeat("x\n", head='"'),
    "spaces": _repeat(" "),
    "line breaks": _repeat("\n"),
    "comments": _repeat("# x\n"),
    "colons": _repeat(":"),
    "open block": _repeat("  x\n", head="a: |\n"),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_costs_little_time_and_memory(text: str) -> None:
    content = text.encode()[:MOST_BYTES]
    started = time.process_time()
    _parse_or_refuse(content)
    assert time.process_time() - started < 3.0
    tracemalloc.start()
    _parse_or_refuse(content)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 50 * 2**20


def test_nested_merge_keys_do_not_expand() -> None:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    started = time.process_time()
    _parse_or_refuse("\n".join(lines).encode())
    assert time.process_time() - started < 1.0


def _parse_or_refuse(content: bytes) -> object:
    try:
        return parse_yaml(content, name="f").data
    except InputError:
        return None


@given(
    st.binary(max_size=300)
    | st.text(alphabet="a:-[]{}&*!<>|'\"#%?, \n~1.e", max_size=80).map(str.encode)
)
def test_any_bytes_are_parsed_or_refused(content: bytes) -> None:
    _parse_or_refuse(content)


_words = st.text(alphabet="abcxyz _-:09.", max_size=12)
_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | _words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words, inner, max_size=4),
    max_leaves=12,
)


@examples(200)
@given(_plain)
def test_what_a_yaml_writer_writes_is_read_back(data: object) -> None:
    content = yaml.safe_dump(data, allow_unicode=True)
    assert _parse_or_refuse(content.encode()) == data
