"""Two results side by side: what was set otherwise, and what became better or worse of each figure."""

import json
from dataclasses import replace

import pytest

from balancer.expose.escape import cells
from balancer.expose.text_layout import Paper
from balancer.lab.comparison import Course, compared
from balancer.lab.comparison_text import (
    comparison_document,
    comparison_markdown,
    comparison_text,
    summary,
)
from balancer.lab.replayed import Clock, Replayed
from tests.support.hostile import EVERY
from tests.unit.lab.made_up import RECIPE, after_a_failure, made_up, run, score

NAMES = ("a.json", "b.json")


def better_but_dearer() -> Replayed:
    return made_up(
        [
            run(made=score(unmet=1.5, moves=6)),
            run("nothing", made=score(unmet=40.0, moves=0, gib=0.0)),
        ]
    )


def test_a_result_is_the_same_as_itself_at_another_time() -> None:
    later = replace(made_up(), clock=Clock(made_at="later", elapsed_s=1.0, jobs=1))
    found = compared(made_up(), later, names=NAMES)
    assert found.is_same
    assert summary(found) == []


def test_each_figure_says_by_how_much_it_changed_and_whether_that_is_better() -> None:
    found = compared(made_up(), better_but_dearer(), names=NAMES)
    (pair,) = (one for one in found.pairs if one.contender == "ours")
    deltas = {(one.name, one.unit): one for one in pair.deltas}
    unmet, moves = deltas["unmet demand", "GHz·h"], deltas["moves", ""]
    assert (unmet.change, unmet.change_ratio, unmet.course) == (-0.5, -0.25, Course.BETTER)
    assert (moves.change, moves.change_ratio, moves.course) == (3.0, 1.0, Course.WORSE)
    assert found.only_first == (("chase", "random", 0),)
    assert "moves: worse in 1 of 2, +100 % over all" in summary(found)


def test_two_policies_are_set_beside_each_other_where_each_result_has_one_of_its_own() -> None:
    first = made_up([run("ours:old", made=score(moves=2)), run("ours"), run("nothing")])
    second = made_up([run("ours:new", made=score(moves=5)), run("ours"), run("chase")])
    found = compared(first, second, names=NAMES)
    assert {(one.contender, one.second_contender) for one in found.pairs} == {
        ("ours:old", "ours:new"),
        ("ours", "ours"),
    }
    assert [key[0] for key in (*found.only_first, *found.only_second)] == ["nothing", "chase"]
    assert "ours:old in A, ours:new in B, placement random" in comparison_text(found, Paper())
    assert '"second_contender": "ours:new"' in json.dumps(comparison_document(found))


def test_several_policies_of_one_result_are_not_guessed_to_be_partners() -> None:
    first = made_up([run("ours:old"), run("ours:other")])
    found = compared(first, made_up([run("ours:new")]), names=NAMES)
    assert found.pairs == ()


def test_the_same_files_under_other_names_are_no_difference() -> None:
    moved = replace(RECIPE, options={**RECIPE.options, "trace": ("/elsewhere/x",)})
    found = compared(made_up(), replace(made_up(), recipe=moved), names=NAMES)
    assert found.differences == ()


@pytest.mark.parametrize("width", [80, 100])
def test_a_comparison_keeps_to_the_width_of_a_terminal(width: int) -> None:
    found = compared(made_up(), better_but_dearer(), names=NAMES)
    lines = comparison_text(found, Paper(width=width)).splitlines()
    assert max(map(cells, lines)) <= width
    assert any(line.split()[0] == "moves" and line.endswith("  worse") for line in lines if line)
    assert not any(line.endswith(" ") for line in lines)


def test_from_zero_there_is_no_share() -> None:
    first, second = (made_up([run(made=score(moves=moves))]) for moves in (0, 4))
    text = comparison_text(compared(first, second, names=NAMES), Paper())
    assert "from 0  worse" in text


def test_what_was_set_otherwise_is_told() -> None:
    other = made_up()
    recipe = replace(RECIPE, program="2.0", options={**RECIPE.options, "--seed": ("0", "1")})
    policies = (replace(RECIPE.policies[0], digest="p2"),)
    other = replace(
        other,
        recipe=replace(recipe, policies=policies, digests={"hosts": "h2"}),
        result=replace(other.result, interval_s=60.0),
    )
    found = compared(made_up(), other, names=NAMES)
    told = {one.what: (one.first, one.second) for one in found.differences}
    assert told == {
        "program": ("1.2.3", "2.0"),
        "interval, s": ("300", "60"),
        "digest of hosts": ("h1", "h2"),
        "digest of placement random": ("r1", "-"),
        "policy balanced": ("p1", "p2"),
        "--seed": ("0", "0, 1"),
    }
    assert found.other_traces == ()


def test_another_trace_is_noticed_by_its_digest() -> None:
    other = made_up()
    other = replace(other, result=replace(other.result, trace_digest="d2", slots=11))
    found = compared(made_up(), other, names=NAMES)
    assert [one.what for one in found.other_traces] == ["trace digest", "slots"]


def test_the_document_holds_every_figure() -> None:
    found = compared(made_up(), better_but_dearer(), names=NAMES)
    document = json.loads(json.dumps(comparison_document(found), allow_nan=False))
    assert [pair["contender"] for pair in document["pairs"]] == ["nothing", "ours"]
    assert all(len(pair["figures"]) == 13 for pair in document["pairs"])
    assert document["same"] is False


def test_failures_are_compared_where_either_has_any_and_fewer_restarts_are_no_better() -> None:
    first = made_up([after_a_failure(), run("nothing")])
    second = made_up([run(made=score(down=1.5)), run("nothing")])
    found = compared(first, second, names=NAMES)
    assert [line for line in summary(found) if "down" in line or "restarts" in line] == [
        "unmet while VMs were down, GHz·h: worse in 1 of 2, +100 % over all",
        "restarts of VMs: other in 1 of 2, -100 % over all",
    ]
    assert "-100 %  other" in comparison_text(found, Paper())
    assert {len(pair.deltas) for pair in found.pairs} == {15}


@pytest.mark.parametrize("name", EVERY[::9])
def test_hostile_names_take_no_effect(name: str) -> None:
    first, second = made_up([run(name)]), made_up([run(name, made=score(unmet=9.0))])
    found = compared(first, second, names=(name, name))
    assert all(line.isprintable() for line in comparison_text(found, Paper()).splitlines())
    plain = compared(made_up([run("x")]), made_up([run("x", made=score(unmet=9.0))]), names=NAMES)
    lines, wanted = (comparison_markdown(one).splitlines() for one in (found, plain))
    assert [line.count("|") for line in lines] == [line.count("|") for line in wanted]
