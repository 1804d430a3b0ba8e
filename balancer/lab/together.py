"""Several results of one trace as one: contenders that were replayed on other days, or on other machines.

Each run stands for itself, so that nothing is reckoned anew. What is not the same everywhere is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from balancer.lab.replayed import Clock, Recipe, Replayed, run_key, run_order
from balancer.model.errors import InputError, Problem

Part = tuple[str, Replayed]
"""A result, and what messages call it."""


def together(parts: Sequence[Part]) -> Replayed:
    """Return all runs of the parts, of which there is one at least, as one result.

    Raises:
        InputError: parts differ in trace, hosts, settings, or what a name stands for, or two of them have a run.
    """
    problems = (*_differing(parts), *_twice(parts))
    if problems:
        raise InputError("results that are shown together", problems)
    all_runs = [
        (run, sketch)
        for _, made in parts
        for run, sketch in zip(made.result.runs, made.sketches, strict=True)
    ]
    all_runs.sort(key=lambda pair: run_order(pair[0]))
    first = parts[0][1]
    done = {run_key(run) for run, _ in all_runs}
    lost = dict.fromkeys(one for _, made in parts for one in made.lost)
    return Replayed(
        recipe=_recipe([made.recipe for _, made in parts]),
        result=replace(first.result, runs=tuple(run for run, _ in all_runs)),
        sketches=tuple(sketch for _, sketch in all_runs),
        clock=_clock([made.clock for _, made in parts]),
        lost=tuple(one for one in lost if (one.contender, one.start, one.seed) not in done),
        mends=first.mends,
    )


def _recipe(recipes: Sequence[Recipe]) -> Recipe:
    options: dict[str, dict[str, None]] = {}
    for recipe in recipes:
        for option, values in recipe.options.items():
            options.setdefault(option, {}).update(dict.fromkeys(values))
    policies = {policy.name: policy for recipe in recipes for policy in recipe.policies}
    return Recipe(
        program=recipes[0].program,
        options={option: tuple(values) for option, values in options.items()},
        digests={what: digest for recipe in recipes for what, digest in recipe.digests.items()},
        policies=tuple(policies.values()),
    )


def _clock(clocks: Sequence[Clock]) -> Clock:
    return Clock(
        made_at=max(clock.made_at for clock in clocks),
        elapsed_s=sum(clock.elapsed_s for clock in clocks),
        jobs=max(clock.jobs for clock in clocks),
    )


def _differing(parts: Sequence[Part]) -> Iterator[Problem]:
    """Yield what a part says otherwise than an earlier one does."""
    said: dict[str, tuple[str, str]] = {}
    for name, made in parts:
        for what, value in _facts(made).items():
            first, expected = said.setdefault(what, (name, value))
            if value != expected:
                yield Problem(
                    where=name,
                    found=f"{what} is {value}, in {first} it is {expected}",
                    allowed="results that differ in contenders, placements and seeds alone",
                )


def _facts(made: Replayed) -> Mapping[str, str]:
    """Return what must be the same wherever it is said."""
    result, recipe = made.result, made.recipe
    return {
        "the digest of the trace": result.trace_digest[:16],
        "the program": recipe.program,
        "the list of hosts": ", ".join(result.hosts),
        "the interval": f"{result.interval_s:g} s",
        "the share of idle memory that counts": f"{result.idle_consumed:g}",
        **{f"the digest of {what}": digest[:16] for what, digest in recipe.digests.items()},
        **{f"the digest of policy {one.name}": one.digest[:16] for one in recipe.policies},
    }


def _twice(parts: Sequence[Part]) -> Iterator[Problem]:
    known: dict[tuple[str, str, int], str] = {}
    for name, made in parts:
        for key in map(run_key, made.result.runs):
            first = known.setdefault(key, name)
            if first != name:
                contender, start, seed = key
                yield Problem(
                    where=name,
                    found=f"has {contender} from {start} with seed {seed}, as {first} has",
                    allowed="each run in one of the results",
                )
