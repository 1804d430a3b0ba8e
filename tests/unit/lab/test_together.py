"""Results of one trace shown as one: every run once, nothing reckoned anew, and no mixing of what differs."""

from dataclasses import replace

import pytest

from balancer.lab.document import lab_result_text, parse_lab_result
from balancer.lab.replayed import Clock, LostRun, Replayed
from balancer.lab.together import together
from balancer.model.errors import InputError
from tests.unit.lab.made_up import RECIPE, after_a_failure, made_up, run


def part(*contenders: str, start: str = "random") -> Replayed:
    return made_up([run(one, start=start) for one in contenders])


def test_one_result_is_itself() -> None:
    alone = part("ours", "nothing")
    assert lab_result_text(together([("a", alone)])) == lab_result_text(alone)


def test_parts_amount_to_what_one_replay_of_all_would_have_made() -> None:
    clock = Clock(made_at="2026-01-02T00:00:00Z", elapsed_s=5.0, jobs=2)
    first = replace(part("nothing", "ours"), clock=clock)
    second = replace(part("chase"), clock=replace(clock, made_at="2026-01-03T00:00:00Z", jobs=1))
    made = together([("a", first), ("b", second)])
    whole = replace(
        part("nothing", "ours", "chase"),
        clock=Clock(made_at="2026-01-03T00:00:00Z", elapsed_s=10.0, jobs=2),
    )
    assert lab_result_text(made) == lab_result_text(whole)


def test_read_back_from_files_nothing_is_reckoned_anew() -> None:
    texts = [lab_result_text(part(one)) for one in ("ours", "nothing")]
    read = [(str(n), parse_lab_result(text.encode(), name=str(n))) for n, text in enumerate(texts)]
    made = together(read)
    assert [one.contender for one in made.result.runs] == ["nothing", "ours"]
    by_name = {
        one.contender: sketch for one, sketch in zip(made.result.runs, made.sketches, strict=True)
    }
    assert by_name["ours"] is read[0][1].sketches[0]


def test_what_went_down_stays_with_its_run() -> None:
    made = together([("a", part("nothing")), ("b", made_up([after_a_failure()]))])
    assert [(one.score.restarts, len(one.downs)) for one in made.result.runs] == [(0, 0), (1, 2)]


def test_a_run_that_was_lost_in_one_and_played_in_another_is_not_lost() -> None:
    gone = (
        LostRun(contender="ours", start="random", seed=0, why="killed"),
        LostRun(contender="chase", start="random", seed=0, why="killed"),
    )
    made = together([("a", replace(part("nothing"), lost=gone)), ("b", part("ours"))])
    assert [one.contender for one in made.lost] == ["chase"]


def test_options_digests_and_policies_are_added_up() -> None:
    other = replace(
        part("chase"),
        recipe=replace(
            RECIPE,
            options={**RECIPE.options, "--with": ("chase", "drs-3")},
            digests={**RECIPE.digests, "placement even": "e1"},
        ),
    )
    made = together([("a", part("ours")), ("b", other)]).recipe
    assert made.options["--with"] == (*RECIPE.options["--with"], "drs-3")
    assert made.digests == {**RECIPE.digests, "placement even": "e1"}
    assert made.policies == RECIPE.policies


def differing() -> dict[str, Replayed]:
    base = part("chase")
    result, recipe = base.result, base.recipe
    policy = replace(RECIPE.policies[0], digest="another")
    return {
        "the digest of the trace": replace(base, result=replace(result, trace_digest="f00")),
        "the list of hosts": replace(base, result=replace(result, hosts=("x", "y", "z"))),
        "the interval": replace(base, result=replace(result, interval_s=60.0)),
        "the share of idle memory": replace(base, result=replace(result, idle_consumed=0.5)),
        "the program": replace(base, recipe=replace(recipe, program="9.9")),
        "the digest of policy": replace(base, recipe=replace(recipe, policies=(policy,))),
        "the digest of hosts": replace(base, recipe=replace(recipe, digests={"hosts": "other"})),
    }


@pytest.mark.parametrize("what", differing())
def test_results_that_mean_different_things_are_refused(what: str) -> None:
    with pytest.raises(InputError, match=what) as refused:
        together([("a.json", part("ours")), ("b.json", differing()[what])])
    assert "b.json: " in str(refused.value)
    assert "in a.json it is" in str(refused.value)


def test_a_run_that_stands_in_two_results_is_refused() -> None:
    with pytest.raises(InputError, match=r"b\.json: has ours from random with seed 0, as a\.json"):
        together([("a.json", part("ours")), ("b.json", part("ours", "chase"))])
