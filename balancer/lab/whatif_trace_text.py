"""The answer of a what-if over a trace as text: the verdict first, then the figures before and after."""

from collections.abc import Sequence

from balancer.expose.figures import counted, duration, gibibytes, listed, moment, percent
from balancer.expose.text_layout import Paper, Tone, capped, fit, fit_right, widest
from balancer.lab.figures import share, unmet_percent
from balancer.lab.whatif_replayed import (
    MEMORY_CEILING,
    Case,
    Peak,
    Side,
    TraceAnswer,
    WorstHour,
    misfits,
)
from balancer.lab.whatif_text import MOST_LINES, unplaced_words
from balancer.model.units import DAY_S

_NAMES = 8
_LABEL = 28
_LEAST_COLUMN = 16


def trace_answer_text(answer: TraceAnswer, paper: Paper) -> str:
    """Return the whole answer."""
    lines = [
        paper.paint(f"What if: {paper.safe(_headline(answer))}", Tone.TITLE),
        *(line for told in answer.told for line in paper.wrap(told, "    ", "  ")),
        *([] if answer.told else ["  nothing changed but the policy"]),
    ]
    for case in answer.cases:
        lines += ["", *_verdict(answer, case, paper), "", *_figures(answer, case, paper)]
        lines += _seats(case, paper)
    lines += ["", *paper.wrap(_rule(answer), "", "")]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _headline(answer: TraceAnswer) -> str:
    played, before = answer.played, answer.cases[0].before
    span_s = played.slots * played.step_s
    length = f"{span_s / DAY_S:.4g} days" if span_s >= DAY_S else duration(span_s)
    return (
        f"trace {played.trace}, {counted(before.vms, 'VM')} on {counted(before.hosts, 'host')}, "
        f"{length}, placement {played.start}"
    )


def _verdict(answer: TraceAnswer, case: Case, paper: Paper) -> list[str]:
    who = f"{paper.safe(case.after.run.contender)}: "
    if answer.case_fits(case):
        return [paper.paint(f"{who}it fits.", Tone.GOOD)]
    found: list[str] = []
    for told in (*unplaced_words(case.unplaced), *misfits(answer, case)):
        found += paper.wrap(told, "    ", "  ")
    verdict = [paper.paint(f"{who}it does not fit.", Tone.BAD), *capped(found, MOST_LINES)]
    if case.unplaced:
        verdict += paper.wrap("The figures below are without the VMs that find no host.", "  ")
    return verdict


def _figures(answer: TraceAnswer, case: Case, paper: Paper) -> list[str]:
    sides = (case.before, case.after)
    columns = [_column(answer, case, side) for side in sides]
    names = [paper.safe(side.label) for side in sides]
    cells = [
        names,
        *([cells[label] for cells in columns] for label in columns[0]),
    ]
    widths = [
        widest([paper.safe(row[place]) for row in cells], least=_LEAST_COLUMN, most=44)
        for place in range(len(sides))
    ]

    def line(label: str, row: Sequence[str]) -> str:
        told = (
            f"  {fit_right(fit(paper.safe(cell), width).rstrip(), width)}"
            for cell, width in zip(row, widths, strict=True)
        )
        return f"{fit(label, _LABEL)}{''.join(told)}"

    heading = paper.paint(line("", names), Tone.FAINT)
    return [heading, *(line(label, [cells[label] for cells in columns]) for label in columns[0])]


def _column(answer: TraceAnswer, case: Case, side: Side) -> dict[str, str]:
    score, whole = side.run.score, side.run.score.host_slots
    fits = answer.case_fits(case) if side is case.after else side.fits(answer.most_unmet)
    return {
        "fits": "yes" if fits else "no",
        "VMs, hosts": f"{side.vms:,}, {side.hosts:,}",
        "unmet demand": f"{unmet_percent(score.unmet_ratio)} %",
        "unmet demand, GHz h": f"{score.unmet_ghz_h:,.1f}",
        "host-slots above 80 %": share(score.slots_over_80, whole),
        "host-slots above 100 %": share(score.slots_over_100, whole),
        f"memory above {percent(MEMORY_CEILING)}": share(score.memory_slots_full, whole),
        "moves": f"{score.moves:,}",
        "moved": f"{score.moved_gib:,.0f} GiB",
        "fullest host, CPU": _peak(side.cpu),
        "  at": _at(side.cpu),
        "fullest host, memory": _peak(side.memory),
        "  at ": _at(side.memory),
        "worst hour": moment(side.worst.begins),
        "  in it": _hour(side.worst),
    }


def _peak(peak: Peak) -> str:
    return f"{peak.host} {percent(peak.ratio)}"


def _at(peak: Peak) -> str:
    return moment(peak.at)


def _hour(hour: WorstHour) -> str:
    return f"{hour.unmet_ghz_h:,.1f} GHz h, {hour.host} {percent(hour.cpu_ratio)}"


def _seats(case: Case, paper: Paper) -> list[str]:
    if not case.seats:
        return []
    told = [f"{seat.name} on {case.host_names[seat.target]}" for seat in case.seats]
    placed = f"started elsewhere or new: {listed(told, _NAMES)}"
    moved = sum(seat.source is not None for seat in case.seats)
    if moved:
        placed += (
            f"; {counted(moved, 'VM')} of hosts that are gone "
            f"{'holds' if moved == 1 else 'hold'} {gibibytes(case.seated_mib)}"
        )
    return ["", *paper.wrap(placed, "  ", "")]


def _rule(answer: TraceAnswer) -> str:
    return (
        f"It fits if every VM finds a host, memory that is held is never above {percent(MEMORY_CEILING)} of a "
        f"host's, and at most {answer.most_unmet * 100.0:g} % of the CPU demand goes unmet (--most-unmet). A worst "
        "hour is the one with the most unmet demand, or that of the fullest host where none is unmet."
    )
