"""Results as JSON, written and read back. Everything but the key `clock` is the same whenever the same is replayed.

Curves are stored as their sketches (see `lab.sketch`), loads as whole per cent.
"""

import re
from pathlib import Path

import numpy as np

from balancer.adapters.files.json_file import read_as, read_bytes
from balancer.expose.document import Json, document_text
from balancer.expose.figures import number
from balancer.lab.document_checks import mistakes_in
from balancer.lab.document_types import (
    FORMAT_VERSION,
    READER,
    SCHEMA,
    CurvesEntry,
    DownEntry,
    LabResultEntry,
    MoveEntry,
    RunEntry,
    ScoreEntry,
)
from balancer.lab.replayed import Clock, LostRun, Mended, PolicyText, Recipe, Replayed
from balancer.lab.result import Curves, DownMark, Line, MoveMark, Result, Run, Score
from balancer.lab.sketch import Sketch
from balancer.model.units import HostId

_NUMBERS = re.compile(r"\[\n[\s\d.,eE+-]+\]")
"""A list of figures, one a line: text in JSON has no line breaks, so that nothing else looks like it."""


def lab_result_text(made: Replayed) -> str:
    """Return a result as the text of its file: pure ASCII, lists of figures in one line each."""
    text = document_text(lab_document(made))
    return _NUMBERS.sub(lambda found: "".join(found[0].split()), text)


def lab_document(made: Replayed) -> Json:
    """Return a result as the JSON object that `read_lab_result` reads."""
    result = made.result
    runs = zip(result.runs, made.sketches, strict=True)
    return {
        "schema": SCHEMA,
        "format_version": FORMAT_VERSION,
        "recipe": _recipe(made.recipe),
        "trace": {
            "name": result.trace,
            "digest": result.trace_digest,
            "slots": result.slots,
            "step_seconds": number(result.step_s),
            "vms": result.vms,
            "mends": [
                {"rule": one.rule, "count": one.count, "places": list(one.places)}
                for one in made.mends
            ],
        },
        "hosts": list(result.hosts),
        "interval_seconds": number(result.interval_s),
        "idle_consumed_ratio": number(result.idle_consumed),
        "bound": score_entry(result.bound),
        "runs": [_run(run, sketch) for run, sketch in runs],
        "lost": [
            {"contender": one.contender, "start": one.start, "seed": one.seed, "why": one.why}
            for one in made.lost
        ],
        "clock": _clock(made),
    }


def _recipe(recipe: Recipe) -> Json:
    policies = [
        {"name": one.name, "digest": one.digest, "text": one.text} for one in recipe.policies
    ]
    options = {key: list(values) for key, values in sorted(recipe.options.items())}
    return {
        "program": recipe.program,
        "options": options,
        "digests": dict(sorted(recipe.digests.items())),
        "policies": policies,
    }


def score_entry(score: Score) -> ScoreEntry:
    """Return the figures of a run or a bound."""
    return {
        "demand_ghz_h": number(score.demand_ghz_h),
        "unmet_ghz_h": number(score.unmet_ghz_h),
        "host_slots": score.host_slots,
        "slots_over_80": score.slots_over_80,
        "slots_over_100": score.slots_over_100,
        "memory_slots_full": score.memory_slots_full,
        "memory_over_gib_h": number(score.memory_over_gib_h),
        "moves": score.moves,
        "failed_moves": score.failed_moves,
        "moved_gib": number(score.moved_gib),
        "copy_hours": number(score.copy_hours),
        "repeats": score.repeats,
        "undone": score.undone,
        "spread_ratio": number(score.spread),
        "restarts": score.restarts,
        "down_ghz_h": number(score.down_ghz_h),
    }


def _run(run: Run, sketch: Sketch) -> RunEntry:
    return {
        "contender": run.contender,
        "start": run.start,
        "seed": run.seed,
        "cycles": run.cycles,
        "score": score_entry(run.score),
        "quiet": dict(sorted(run.quiet.items())),
        "moves": [_move(mark) for mark in run.moves],
        "downs": [_down(mark) for mark in run.downs],
        "curves": _curves(sketch),
    }


def _move(mark: MoveMark) -> MoveEntry:
    return {
        "vm": mark.vm,
        "source": mark.source,
        "target": mark.target,
        "begun_seconds": number(mark.begun_s),
        "ended_seconds": number(mark.ended_s),
        "memory_mib": number(mark.memory_mib),
        "reason": mark.reason,
        "fault": mark.fault,
    }


def _down(mark: DownMark) -> DownEntry:
    return {
        "vm": mark.vm,
        "source": mark.source,
        "since_seconds": number(mark.since_s),
        "target": mark.target,
        "until_seconds": None if mark.until_s is None else number(mark.until_s),
        "was_started": mark.was_started,
    }


def _curves(sketch: Sketch) -> CurvesEntry:
    return {
        "step_seconds": number(sketch.step_s),
        "mean_load_percent": _percents(sketch.mean_load),
        "peak_load_percent": _percents(sketch.peak_load),
        "unmet_ghz_h": [float(f"{value:.6g}") for value in sketch.unmet_ghz_h],
        "spread_ratio": [round(float(value), 4) for value in sketch.spread],
    }


def _percents(load: Line) -> list[list[int]]:
    """Return a row for each host. A load above 100 % stays above it, however little it is."""
    whole = np.where(load > 1.0, np.ceil(load * 100.0 - 1e-3), np.rint(load * 100.0))
    whole = np.where((load > 1.0) & (whole <= 100.0), 101.0, whole)
    return [[int(value) for value in row] for row in whole.T]


def _clock(made: Replayed) -> Json:
    return {
        "made_at": made.clock.made_at,
        "elapsed_seconds": number(made.clock.elapsed_s),
        "jobs": made.clock.jobs,
        "wall_seconds": [number(run.wall_s) for run in made.result.runs],
    }


def read_lab_result(path: Path) -> Replayed:
    """Read a file of results.

    Raises:
        InputError: every problem of the file, with its JSON path.
    """
    return parse_lab_result(read_bytes(path), name=str(path))


def parse_lab_result(content: bytes, *, name: str) -> Replayed:
    """Read results from bytes; `name` is what messages call them. Raises as `read_lab_result`."""
    entry = read_as(READER, content, name=name, check=mistakes_in)
    sketches = tuple(_read_sketch(run["curves"]) for run in entry["runs"])
    return Replayed(
        recipe=_read_recipe(entry),
        result=_read_result(entry, sketches),
        sketches=sketches,
        clock=Clock(
            made_at=entry["clock"]["made_at"],
            elapsed_s=entry["clock"]["elapsed_seconds"],
            jobs=entry["clock"]["jobs"],
        ),
        lost=tuple(LostRun(**one) for one in entry["lost"]),
        mends=tuple(
            Mended(rule=one["rule"], count=one["count"], places=tuple(one["places"]))
            for one in entry["trace"]["mends"]
        ),
    )


def _read_recipe(entry: LabResultEntry) -> Recipe:
    recipe = entry["recipe"]
    return Recipe(
        program=recipe["program"],
        options={key: tuple(values) for key, values in recipe["options"].items()},
        digests=recipe["digests"],
        policies=tuple(PolicyText(**one) for one in recipe["policies"]),
    )


def _read_result(entry: LabResultEntry, sketches: tuple[Sketch, ...]) -> Result:
    trace, walls = entry["trace"], entry["clock"]["wall_seconds"]
    runs = zip(entry["runs"], sketches, walls, strict=True)
    return Result(
        trace=trace["name"],
        trace_digest=trace["digest"],
        slots=trace["slots"],
        step_s=trace["step_seconds"],
        vms=trace["vms"],
        hosts=tuple(entry["hosts"]),
        interval_s=entry["interval_seconds"],
        idle_consumed=entry["idle_consumed_ratio"],
        runs=tuple(_read_run(run, sketch, wall_s) for run, sketch, wall_s in runs),
        bound=_read_score(entry["bound"]),
    )


def _read_run(entry: RunEntry, sketch: Sketch, wall_s: float) -> Run:
    return Run(
        contender=entry["contender"],
        start=entry["start"],
        seed=entry["seed"],
        score=_read_score(entry["score"]),
        moves=tuple(_read_move(move) for move in entry["moves"]),
        curves=Curves(
            step_s=sketch.step_s,
            host_load=sketch.mean_load,
            unmet_ghz_h=sketch.unmet_ghz_h,
            spread=sketch.spread,
        ),
        cycles=entry["cycles"],
        wall_s=wall_s,
        quiet=entry["quiet"],
        downs=tuple(_read_down(down) for down in entry.get("downs", ())),
    )


def _read_score(entry: ScoreEntry) -> Score:
    return Score(
        demand_ghz_h=entry["demand_ghz_h"],
        unmet_ghz_h=entry["unmet_ghz_h"],
        host_slots=entry["host_slots"],
        slots_over_80=entry["slots_over_80"],
        slots_over_100=entry["slots_over_100"],
        memory_slots_full=entry["memory_slots_full"],
        memory_over_gib_h=entry["memory_over_gib_h"],
        moves=entry["moves"],
        failed_moves=entry["failed_moves"],
        moved_gib=entry["moved_gib"],
        copy_hours=entry["copy_hours"],
        repeats=entry["repeats"],
        undone=entry["undone"],
        spread=entry["spread_ratio"],
        restarts=entry.get("restarts", 0),
        down_ghz_h=entry.get("down_ghz_h", 0.0),
    )


def _read_move(entry: MoveEntry) -> MoveMark:
    return MoveMark(
        vm=entry["vm"],
        source=HostId(entry["source"]),
        target=HostId(entry["target"]),
        begun_s=entry["begun_seconds"],
        ended_s=entry["ended_seconds"],
        memory_mib=entry["memory_mib"],
        reason=entry["reason"],
        fault=entry["fault"],
    )


def _read_down(entry: DownEntry) -> DownMark:
    target = entry["target"]
    return DownMark(
        vm=entry["vm"],
        source=HostId(entry["source"]),
        since_s=entry["since_seconds"],
        target=None if target is None else HostId(target),
        until_s=entry["until_seconds"],
        was_started=entry["was_started"],
    )


def _read_sketch(entry: CurvesEntry) -> Sketch:
    return Sketch(
        step_s=entry["step_seconds"],
        mean_load=_line(entry["mean_load_percent"]) / np.float32(100.0),
        peak_load=_line(entry["peak_load_percent"]) / np.float32(100.0),
        unmet_ghz_h=np.array(entry["unmet_ghz_h"], dtype=np.float32),
        spread=np.array(entry["spread_ratio"], dtype=np.float32),
    )


def _line(rows: list[list[int]]) -> Line:
    return np.array(rows, dtype=np.float32).T
