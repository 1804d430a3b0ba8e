"""A comparison in words: for a terminal, as Markdown, and as JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence

from balancer.expose.document import Json
from balancer.expose.escape import markdown_text
from balancer.expose.figures import counted, number
from balancer.expose.markdown_parts import table
from balancer.expose.text_layout import Paper, Tone, fit, fit_right
from balancer.lab.comparison import Comparison, Course, Delta, Pair
from balancer.lab.replayed import RunKey

SCHEMA = "balancer/lab-comparison/v1"
_TONES = {
    Course.BETTER: Tone.GOOD,
    Course.WORSE: Tone.BAD,
    Course.OTHER: Tone.PLAIN,
    Course.SAME: Tone.FAINT,
}
_SHARE, _WORD = 10, 8
_WIDE, _NARROW = (2, 34, 13), (0, 31, 10)
"""Indent, width of a figure's name, and width of a value, where a terminal has the room and where not."""


def summary(found: Comparison) -> list[str]:
    """Return for each figure that changed in how many runs the second is better, worse, or other."""
    lines = []
    for deltas in zip(*(pair.deltas for pair in found.pairs), strict=True):
        counts = Counter(delta.course for delta in deltas)
        told = [
            f"{course.value} in {counts[course]}"
            for course in (Course.BETTER, Course.WORSE, Course.OTHER)
            if counts[course]
        ]
        if told:
            name, mean = _named(deltas[0].name, deltas[0].unit), _mean_change(deltas)
            lines.append(f"{name}: {', '.join(told)} of {len(found.pairs)}{mean}")
    return lines


def _mean_change(deltas: Sequence[Delta]) -> str:
    first = sum(delta.first for delta in deltas)
    second = sum(delta.second for delta in deltas)
    return f", {_percent((second - first) / first)} over all" if first else ""


def _named(name: str, unit: str) -> str:
    return f"{name}, {unit}" if unit else name


def comparison_text(found: Comparison, paper: Paper) -> str:
    """Return the comparison for a terminal."""
    lines = [paper.paint(paper.safe(f"A: {found.first}"), Tone.TITLE)]
    lines += [paper.paint(paper.safe(f"B: {found.second}"), Tone.TITLE), ""]
    lines += _settings_lines(found, paper)
    for pair in found.pairs:
        lines += ["", *_pair_lines(pair, paper)]
    lines += [line for told in _alone(found) for line in paper.wrap(told, "  ", first="")]
    lines += ["", paper.paint(f"B against A, {counted(len(found.pairs), 'run')}", Tone.TITLE)]
    lines += [paper.safe(f"  {line}") for line in summary(found) or ["no figure differs"]]
    return "\n".join(lines) + "\n"


def _settings_lines(found: Comparison, paper: Paper) -> list[str]:
    if not found.differences:
        return ["set alike: trace, hosts, placements, policies, options and program"]
    lines = ["set otherwise:"]
    for one in found.differences:
        lines += paper.wrap(f"{one.what}: A {one.first}; B {one.second}", "    ", first="  ")
    return lines


def _pair_lines(pair: Pair, paper: Paper) -> Iterator[str]:
    if pair.is_same:
        yield paper.safe(f"{_pair_name(pair)}: no figure differs")
        return
    yield paper.paint(paper.safe(_pair_name(pair)), Tone.TITLE)
    indent, wide, each = _widths(paper)
    heads = "".join(fit_right(head, each) for head in ("A", "B", "B - A"))
    yield paper.paint(f"{' ' * (indent + wide)}{heads}{fit_right('%', _SHARE)}", Tone.FAINT)
    for delta in pair.deltas:
        values = "".join(fit_right(cell, each) for cell in _cells(delta)[:3])
        share = fit_right(_cells(delta)[3], _SHARE)
        name = fit(paper.safe(_named(delta.name, delta.unit)), wide)
        word = "" if delta.course is Course.SAME else f"  {delta.course.value}"
        line = f"{' ' * indent}{name}{values}{share}{word}".rstrip()
        yield paper.paint(line, _TONES[delta.course])


def _widths(paper: Paper) -> tuple[int, int, int]:
    indent, name, value = _WIDE
    return _WIDE if paper.width >= indent + name + 3 * value + _SHARE + _WORD else _NARROW


def _pair_name(pair: Pair) -> str:
    name = pair.contender
    if pair.second_contender != name:
        name = f"{name} in A, {pair.second_contender} in B"
    return f"{name}, placement {pair.start}, seed {pair.seed}"


def _cells(delta: Delta) -> tuple[str, str, str, str]:
    digits = delta.digits
    change = "0" if delta.course is Course.SAME else f"{delta.change:+,.{digits}f}"
    return f"{delta.first:,.{digits}f}", f"{delta.second:,.{digits}f}", change, _share(delta)


def _share(delta: Delta) -> str:
    if delta.course is Course.SAME:
        return ""
    return "from 0" if delta.change_ratio is None else _percent(delta.change_ratio)


def _percent(ratio: float) -> str:
    value = ratio * 100.0
    return f"{value:+,.0f} %" if abs(value) >= 9.95 else f"{value:+.1f} %"


def _alone(found: Comparison) -> Iterator[str]:
    for word, keys in (("A", found.only_first), ("B", found.only_second)):
        for key in keys:
            yield f"only in {word}: {_key_name(key)}"


def _key_name(key: RunKey) -> str:
    contender, start, seed = key
    return f"{contender}, placement {start}, seed {seed}"


def comparison_markdown(found: Comparison) -> str:
    """Return the comparison as Markdown that ends with a line break."""
    lines = [f"A: {markdown_text(found.first)}, B: {markdown_text(found.second)}", ""]
    rows = [
        [markdown_text(text) for text in (one.what, one.first, one.second)]
        for one in found.differences
    ]
    lines += table(["set otherwise", "A", "B"], rows) if rows else ["Set alike."]
    for pair in found.pairs:
        cells = [
            [markdown_text(_named(one.name, one.unit)), *_cells(one), one.course.value]
            for one in pair.deltas
        ]
        lines += ["", f"**{markdown_text(_pair_name(pair))}**", ""]
        lines += table(["figure", "A", "B", "B - A", "%", "B is"], cells)
    lines += ["", *(f"- {markdown_text(told)}" for told in (*_alone(found), *summary(found)))]
    return "\n".join(lines).rstrip("\n") + "\n"


def comparison_document(found: Comparison) -> Json:
    """Return the comparison as a JSON object."""
    return {
        "schema": SCHEMA,
        "first": found.first,
        "second": found.second,
        "same": found.is_same,
        "differences": [
            {"what": one.what, "first": one.first, "second": one.second, "of_trace": one.is_trace}
            for one in found.differences
        ],
        "pairs": [_pair_entry(pair) for pair in found.pairs],
        "only_first": [_key_entry(key) for key in found.only_first],
        "only_second": [_key_entry(key) for key in found.only_second],
    }


def _pair_entry(pair: Pair) -> Json:
    figures = [
        {
            "name": one.name,
            "unit": one.unit,
            "first": number(one.first),
            "second": number(one.second),
            "change": number(one.change),
            "change_ratio": None if one.change_ratio is None else number(one.change_ratio),
            "course": one.course.value,
        }
        for one in pair.deltas
    ]
    names = {"second_contender": pair.second_contender}
    return _key_entry((pair.contender, pair.start, pair.seed)) | names | {"figures": figures}


def _key_entry(key: RunKey) -> Json:
    contender, start, seed = key
    return {"contender": contender, "start": start, "seed": seed}
