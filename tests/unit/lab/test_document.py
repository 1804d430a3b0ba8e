"""Results as JSON: written and read back, the same whenever replayed the same, refused where wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest

from balancer.lab.document import lab_result_text, parse_lab_result
from balancer.lab.document_types import lab_result_schema
from balancer.lab.replayed import Clock, LostRun, replayed
from balancer.model.errors import InputError
from tests.unit.lab.made_up import (
    CLOCK,
    HOSTS,
    RECIPE,
    after_a_failure,
    curves,
    made_up,
    mark,
    result,
    run,
)


def test_what_is_written_is_read_back() -> None:
    made = made_up()
    text = lab_result_text(made)
    read = parse_lab_result(text.encode(), name="a.json")
    assert lab_result_text(read) == text
    assert [one.score for one in read.result.runs] == [one.score for one in made.result.runs]
    assert [one.moves for one in read.result.runs] == [one.moves for one in made.result.runs]
    assert (read.recipe, read.clock, read.mends) == (made.recipe, made.clock, made.mends)
    np.testing.assert_allclose(
        read.sketches[0].peak_load, made.sketches[0].peak_load, rtol=0.0, atol=0.0101
    )


def test_the_text_obeys_the_published_schema() -> None:
    lost = LostRun(contender="ours", start="even", seed=1, why="it crashed")
    text = lab_result_text(replayed(result(), RECIPE, CLOCK, lost=[lost]))
    jsonschema.validate(json.loads(text), lab_result_schema())
    assert parse_lab_result(text.encode(), name="a.json").lost == (lost,)


def test_what_went_down_with_a_host_is_written_and_read_back() -> None:
    text = lab_result_text(made_up([after_a_failure()]))
    jsonschema.validate(json.loads(text), lab_result_schema())
    (read,) = parse_lab_result(text.encode(), name="a.json").result.runs
    assert (read.score.restarts, read.score.down_ghz_h) == (1, 0.75)
    assert read.downs == after_a_failure().downs


def test_where_a_file_says_nothing_of_failures_there_were_none() -> None:
    document = json.loads(lab_result_text(made_up([after_a_failure()])))
    (run_entry,) = document["runs"]
    del run_entry["downs"]
    for entry in (run_entry["score"], document["bound"]):
        del entry["restarts"], entry["down_ghz_h"]
    jsonschema.validate(document, lab_result_schema())
    (read,) = parse_lab_result(json.dumps(document).encode(), name="a.json").result.runs
    assert (read.score.restarts, read.score.down_ghz_h, read.downs) == (0, 0.0, ())


def test_a_host_that_nobody_knows_did_not_fail() -> None:
    def change(document: dict[str, Any]) -> None:
        document["runs"][0]["downs"] = [
            {"vm": "a", "source": "host-y", "since_seconds": 0, "target": None}
            | {"until_seconds": None, "was_started": False}
        ]

    told = spoiled(change)
    assert "runs[0].downs[0].source: 'host-y' is not among hosts" in told
    assert "target" not in told


def test_nothing_but_the_clock_tells_two_replays_of_the_same_apart() -> None:
    slow = replace(result(), runs=tuple(replace(one, wall_s=99.0) for one in result().runs[::-1]))
    mends = made_up().mends
    later = replayed(
        slow,
        RECIPE,
        mends=mends,
        clock=Clock(made_at="2027-01-01T00:00:00Z", elapsed_s=99.0, jobs=1),
    )
    documents = [json.loads(lab_result_text(made)) for made in (made_up(), later)]
    clocks = [document.pop("clock") for document in documents]
    assert documents[0] == documents[1]
    assert clocks[0] != clocks[1]


def test_a_load_a_hair_above_a_hundred_per_cent_stays_above_it() -> None:
    made = made_up([run(lines=curves(peak=1.0001))])
    read = parse_lab_result(lab_result_text(made).encode(), name="a.json")
    assert read.sketches[0].peak_load.max() > 1.0


def test_a_run_of_thirty_days_stays_under_two_megabytes() -> None:
    hosts = tuple(f"host{number:02}" for number in range(20))
    marks = tuple(mark(number, hosts=hosts) for number in range(1000))
    made = made_up([run(lines=curves(8640, 20), moves=marks)], hosts=hosts)
    assert len(lab_result_text(made)) < 2_000_000


def spoiled(change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(lab_result_text(made_up()))
    change(document)
    with pytest.raises(InputError) as raised:
        parse_lab_result(json.dumps(document).encode(), name="a.json")
    return str(raised.value)


def test_what_is_wrong_with_a_file_is_named_with_its_place() -> None:
    def change(document: dict[str, Any]) -> None:
        document["runs"][0]["moves"][1]["target"] = "host-z"
        document["runs"][1]["curves"]["peak_load_percent"][2].pop()
        document["runs"][2] = document["runs"][0]
        document["runs"][0]["score"]["moves"] = -1
        document["clock"]["wall_seconds"].append(1.0)
        del document["trace"]["digest"]

    told = spoiled(change)
    assert "runs[0].moves[1].target: 'host-z' is not among hosts" in told
    assert "runs[1].curves.peak_load_percent[2]: 9 values; allowed: 10" in told
    assert "runs[2]: another run has the same contender, start and seed" in told
    assert "runs[0].score.moves" in told
    assert "clock.wall_seconds: 4 values; allowed: 3" in told
    assert "trace: " in told


def test_a_file_of_another_kind_is_told_nothing_else() -> None:
    def change(document: dict[str, Any]) -> None:
        document["schema"] = "balancer/plan/v1"
        del document["trace"]["digest"]

    told = spoiled(change)
    assert "another kind or version, 'balancer/plan/v1'; allowed: 'balancer/lab-result/v1'" in told
    assert "trace: " not in told


def test_another_version_and_no_json_are_refused() -> None:
    assert "format_version" in spoiled(lambda document: document.update(format_version="2.0"))
    with pytest.raises(InputError, match="line 1, column"):
        parse_lab_result(b'{"schema": ', name="a.json")


def test_hosts_are_the_rows_of_the_loads() -> None:
    document = json.loads(lab_result_text(made_up()))
    assert all(len(one["curves"]["mean_load_percent"]) == len(HOSTS) for one in document["runs"])
