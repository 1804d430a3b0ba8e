"""Log lines: one JSON object or one readable line each, with bound fields, without secrets."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from balancer.expose.logs import bind, configure_logging
from tests.unit.expose.plans import HOSTILE_NAMES

SECRET = "hunter2-very-secret"


class Terminal(io.StringIO):
    """A stream that says that a person reads it."""

    def isatty(self) -> bool:
        return True


class Narrow(io.TextIOWrapper):
    """A stream that can write ASCII only."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii")

    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode("ascii")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    names = ("uvicorn", "uvicorn.access", "uvicorn.error", "apscheduler", "sqlalchemy")
    before = {n: (logging.getLogger(n).level, logging.getLogger(n).propagate) for n in names}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, (old, propagate) in before.items():
        logging.getLogger(name).setLevel(old)
        logging.getLogger(name).propagate = propagate


def json_lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def as_json(level: str = "DEBUG", **options: object) -> io.StringIO:
    stream = io.StringIO()
    configure_logging("json", level, stream=stream, **options)  # type: ignore[arg-type]
    return stream


def as_text(**options: object) -> io.StringIO:
    stream = io.StringIO()
    configure_logging("text", "DEBUG", stream=stream, **options)  # type: ignore[arg-type]
    return stream


log = logging.getLogger("balancer.test")


def test_a_json_line_has_time_level_logger_event_and_the_extra_fields() -> None:
    stream = as_json()
    log.info("migration finished", extra={"vm": "vm-1", "seconds": 4.5})
    (line,) = json_lines(stream)
    stamp = line.pop("timestamp")
    assert isinstance(stamp, str)
    assert stamp.endswith("Z")
    assert line == {
        "level": "info",
        "logger": "balancer.test",
        "event": "migration finished",
        "seconds": 4.5,
        "vm": "vm-1",
    }
    assert stream.getvalue().startswith('{"timestamp":')


def test_the_time_is_that_of_the_record() -> None:
    stream = as_json()
    record = log.makeRecord("x", logging.INFO, "f", 1, "old", (), None)
    record.created = 0.0
    log.handle(record)
    assert json_lines(stream)[0]["timestamp"] == "1970-01-01T00:00:00.000Z"


def test_bound_fields_stand_in_every_line_inside_and_in_none_outside() -> None:
    stream = as_json()
    with bind(cycle_id="c1", cluster="prod"):
        log.info("one")
        with bind(move_id="m1"):
            logging.getLogger("another").info("two")
    log.info("three")
    one, two, three = json_lines(stream)
    assert (one["cycle_id"], one["cluster"]) == ("c1", "prod")
    assert (two["cycle_id"], two["move_id"]) == ("c1", "m1")
    assert "move_id" not in one
    assert "cycle_id" not in three


def test_arguments_are_filled_into_the_message() -> None:
    stream = as_json()
    log.warning("host %s of %d", "esx1", 4)
    assert json_lines(stream)[0]["event"] == "host esx1 of 4"


def test_a_traceback_is_one_field_of_the_line() -> None:
    stream = as_json()
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("cycle failed")
    (line,) = json_lines(stream)
    assert "ValueError: boom" in str(line["exception"])
    assert line["level"] == "error"


def test_lines_below_the_level_are_not_written() -> None:
    stream = as_json("warning")
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in json_lines(stream)] == ["loud"]


def test_configuring_again_replaces_the_first_setting() -> None:
    first, second = as_json(), as_json()
    log.info("once")
    assert first.getvalue() == ""
    assert len(json_lines(second)) == 1


def test_automatic_is_text_on_a_terminal_and_json_elsewhere() -> None:
    for stream, starts in ((Terminal(), "20"), (io.StringIO(), "{")):
        configure_logging("auto", stream=stream)
        log.warning("here")
        assert stream.getvalue().startswith(starts)


@pytest.mark.parametrize(("format_", "level"), [("xml", "INFO"), ("json", "LOUD")])
def test_an_unknown_format_or_level_is_refused(format_: str, level: str) -> None:
    with pytest.raises(ValueError, match=f"{format_}|{level}"):
        configure_logging(format_, level, stream=io.StringIO())


def test_a_text_line_is_time_level_event_and_fields() -> None:
    stream = as_text()
    log.info("cycle ended", extra={"moves": 3, "why": "two words", "note": 'a "b"', "none": ""})
    assert stream.getvalue()[25:] == (
        'INFO     cycle ended  moves=3 none="" note="a \\"b\\"" why="two words"\n'
    )


def test_a_traceback_in_text_is_indented_below_its_line() -> None:
    stream = as_text()
    try:
        raise ValueError("boom\x1b[31m")
    except ValueError:
        log.exception("failed")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("ERROR    failed")
    assert all(line.startswith("    ") for line in rest)
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_hostile_name_starts_no_line_and_moves_no_cursor(name: str) -> None:
    for configure in (as_text, as_json):
        stream = configure()
        log.info("moved", extra={"vm": name})
        (line,) = stream.getvalue().splitlines()
        assert line.isprintable()
        assert line.encode("utf-8")


def test_what_the_stream_cannot_encode_is_written_out() -> None:
    stream = Narrow()
    configure_logging("text", stream=stream)
    log.warning("moved", extra={"vm": "Düsseldorf"})
    assert "vm=D\\xfcsseldorf" in stream.text()


@pytest.mark.parametrize(
    "key",
    ["password", "vcenter_password", "Authorization", "session_id", "api_key", "access_token"],
)
def test_fields_that_are_secret_by_name_are_masked(key: str) -> None:
    stream = as_json()
    log.info("login", extra={key: SECRET, "nested": {key: SECRET}})
    assert SECRET not in stream.getvalue()
    assert json_lines(stream)[0][key] == "***"


@pytest.mark.parametrize(
    "text",
    [
        f"https://admin:{SECRET}@vc.example.com/sdk",
        f"cookie vmware_soap_session={SECRET}; path=/",
        f"Authorization: Basic {SECRET}",
    ],
)
def test_secrets_inside_of_a_text_are_masked(text: str) -> None:
    stream = as_json()
    log.error("call failed", extra={"error": text, "all": [text]})
    log.error("call failed: %s", text)
    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count("***") == 3


def test_a_named_secret_is_masked_wherever_it_occurs_even_in_a_traceback() -> None:
    for configure in (as_json, as_text):
        stream = configure(secrets=[SECRET, ""])
        try:
            raise ValueError(f"bad login {SECRET}")
        except ValueError:
            log.exception("login %s failed", SECRET, extra={"object": ValueError(SECRET)})
        assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("key", ["task", "moves", "author", "key", "cycle_id", "tokens_left"])
def test_ordinary_fields_are_not_masked(key: str) -> None:
    stream = as_json()
    log.info("x", extra={key: "plain"})
    assert json_lines(stream)[0][key] == "plain"


def test_libraries_log_the_same_way() -> None:
    noisy = logging.getLogger("uvicorn.error")
    noisy.addHandler(logging.StreamHandler(io.StringIO()))
    stream = as_json()
    noisy.warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn").info("Started server process", extra={"color_message": "\x1b[1m"})
    logging.getLogger("apscheduler.executors.default").error("job failed")
    assert [line["logger"] for line in json_lines(stream)] == [
        "uvicorn.error",
        "apscheduler.executors.default",
    ]
    assert noisy.handlers == []
