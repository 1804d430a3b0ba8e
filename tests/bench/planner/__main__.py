"""The planner benchmark. Prints Markdown tables and a summary; measures, and never passes or fails.

Run: `make bench-plan`, `BENCH=quick make bench-plan`, or `python -m tests.bench.planner --help`.
"""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version

from tests.bench.planner import notes
from tests.bench.planner.cases import Case
from tests.bench.planner.commands import command_table, run_command
from tests.bench.planner.comparisons import (
    again_table,
    balance_table,
    relief_table,
    reliefs,
    runs_table,
)
from tests.bench.planner.contradictions import contradiction_table, run_contradiction
from tests.bench.planner.evacuations import evacuation_table, run_evacuation
from tests.bench.planner.figures import Results, figure_table, figures_of
from tests.bench.planner.options import CONFLICT_SIZE, Options, read_options
from tests.bench.planner.page import write_tables
from tests.bench.planner.pair_runs import pair_table, run_pairs
from tests.bench.planner.runs import RUNS, UNPOLISHED, run_ours
from tests.bench.planner.scenarios import Size
from tests.bench.planner.schedules import run_schedules, run_tight_schedules, schedule_table
from tests.bench.planner.tables import section

Part = Callable[[Options, Results], Iterable[str]]


def main(words: Sequence[str]) -> None:
    """Run what the options ask for, print each table when it is done, the summary last."""
    options, results = read_options(words), Results()
    started = time.perf_counter()
    printed = [say(_circumstances(words, options))]
    _warm_up()
    for name in options.tables:
        printed += [say(text) for text in PARTS[name](options, results)]
    note = (
        f"Measured in {time.perf_counter() - started:.0f} s by the run that made the tables above."
    )
    printed.append(say(section("Figures to reach", note, figure_table(figures_of(results)))))
    if options.page:
        write_tables(options.page, "\n".join(printed))


def say(text: str) -> str:
    """Print a table at once and return it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return text


def progress(text: str) -> None:
    """Tell on standard error what is being run."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def plans(options: Options, results: Results) -> Iterable[str]:
    """Run every planner on every case."""
    for case in _cases(options.plan_cases, options):
        progress(f"plans: {case.scenario} {case.size} seed {case.seed}")
        for planner in options.planners:
            results.rows.append(RUNS[planner](case, options.repeats))
    rows = results.rows
    yield section("Contention cleared", notes.RELIEF, relief_table(reliefs(rows)))
    yield section("Equal balance", notes.BALANCE, balance_table(rows))
    yield section("Planning again on the result", notes.AGAIN, again_table(rows))
    yield section("Every run", notes.RUNS, runs_table(rows))


def evacuation(options: Options, results: Results) -> Iterable[str]:
    """Run the tight evacuations."""
    for tight in options.tight_cases:
        for seed in options.seeds_of(tight.size):
            progress(f"evacuation: {tight} seed {seed}")
            results.evacuations.append(run_evacuation(tight, seed))
    yield section("Tight evacuation", notes.EVACUATION, evacuation_table(results.evacuations))


def schedule(options: Options, results: Results) -> Iterable[str]:
    """Put plans in order under several limits."""
    for case in _cases(options.schedule_cases, options):
        progress(f"schedule: {case.scenario} {case.size} seed {case.seed}")
        results.schedules += run_schedules(case)
    for tight in options.tight_cases:
        progress(f"schedule: {tight}")
        results.schedules += run_tight_schedules(tight, 1)
    yield section("Schedule", notes.SCHEDULE, schedule_table(results.schedules))


def conflict(options: Options, results: Results) -> Iterable[str]:
    """Plan clusters with contradictory rules."""
    seed = options.seeds_of(CONFLICT_SIZE)[0]
    for name in options.contradictions:
        progress(f"conflict: {name}")
        results.contradictions.append(run_contradiction(name, CONFLICT_SIZE, seed))
    body = contradiction_table(results.contradictions)
    yield section("Contradictory must-rules", notes.CONFLICT, body)


def pairs(options: Options, results: Results) -> Iterable[str]:
    """Run the model with one boolean per pair."""
    for case in _cases(options.pair_cases, replace(options, seeds=options.seeds or (1,))):
        progress(f"pair booleans: {case.scenario} {case.size}")
        results.pairs.append(run_pairs(case, options.pair_limit_s))
    note = notes.PAIRS.format(limit=options.pair_limit_s)
    yield section("One boolean per VM and host", note, pair_table(results.pairs))


def command(options: Options, results: Results) -> Iterable[str]:
    """Run the whole command."""
    for case in _cases(options.command_cases, options):
        progress(f"command: {case.scenario} {case.size}")
        results.commands.append(run_command(case))
    yield section("The whole command", notes.COMMAND, command_table(results.commands))


PARTS: dict[str, Part] = {
    "plans": plans,
    "evacuation": evacuation,
    "schedule": schedule,
    "conflict": conflict,
    "pairs": pairs,
    "command": command,
}


def _cases(wanted: Iterable[tuple[str, Size]], options: Options) -> Iterable[Case]:
    for scenario, size in wanted:
        for seed in options.seeds_of(size):
            yield Case(scenario=scenario, size=size, seed=seed, target=options.target)


def _warm_up() -> None:
    """Load the solver and run every code path once, so that no row pays for it."""
    run_ours(Case(scenario="homog", size=Size.of("8x120"), seed=1, target=0.01), UNPOLISHED)


def _circumstances(words: Sequence[str], options: Options) -> str:
    quick = "BENCH=quick " if options.is_quick else ""
    told = f' BENCH_ARGS="{" ".join(words)}"' if words else ""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "ortools"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"Command: `{quick}make bench-plan{told}`. Python {platform.python_version()}, "
        f"{packages}, {cores} cores, {platform.system()} {platform.machine()}. "
        f"Target {100 * options.target:g} pp.\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
