"""The findings of `balancer doctor` for a terminal: one line a check, what to do below it.

Words that come from a vCenter are made safe. Checks that could not be made for one and the same reason
share a line.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from balancer.expose.escape import cells
from balancer.expose.text_layout import Paper, Tone, fit
from balancer.model.finding import ClusterDiagnosis, Diagnosis, Finding, Outcome

LEAST_WIDTH = 80
MOST_OBJECTS = 8
"""Names on one line; JSON has them all."""

_TONES = {
    Outcome.OK: Tone.GOOD,
    Outcome.ADVICE: Tone.WARN,
    Outcome.PROBLEM: Tone.BAD,
    Outcome.UNCHECKED: Tone.WARN,
}
_WORDS = {outcome: outcome.value for outcome in Outcome} | {Outcome.PROBLEM: "PROBLEM"}
_OUTCOME_COLUMNS = max(len(word) for word in _WORDS.values())
_INDENT = 2
_GAP = 2


def doctor_text(
    diagnoses: Sequence[Diagnosis],
    *,
    width: int = 80,
    color: bool = False,
    ascii_only: bool = False,
) -> str:
    """Return the report as text that ends with a line break. `width` is in columns, at least 80."""
    paper = Paper(width=max(width, LEAST_WIDTH), color=color, ascii_only=ascii_only)
    checks = max((cells(f.check) for d in diagnoses for f in d.every), default=0)
    lines: list[str] = []
    for diagnosis in diagnoses:
        title = f"vCenter {diagnosis.vcenter} ({diagnosis.address}) as {diagnosis.user}"
        lines += [*_section(title, diagnosis.findings, checks, paper), ""]
        for cluster in diagnosis.clusters:
            lines += [*_section(_title(cluster), cluster.findings, checks, paper), ""]
    lines += paper.wrap(summary([f for d in diagnoses for f in d.every]), "")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def summary(findings: Iterable[Finding]) -> str:
    """Return how many checks ended how, in one sentence."""
    outcomes = [finding.outcome for finding in findings]
    counts = {outcome: outcomes.count(outcome) for outcome in Outcome}
    problems, advice = counts[Outcome.PROBLEM], counts[Outcome.ADVICE]
    return (
        f"{problems} problem{'s' if problems != 1 else ''},"
        f" {advice} piece{'s' if advice != 1 else ''} of advice,"
        f" {counts[Outcome.UNCHECKED]} unchecked, {counts[Outcome.OK]} ok."
    )


def _title(cluster: ClusterDiagnosis) -> str:
    return f"cluster {cluster.name}, mode {cluster.mode}"


def _section(title: str, findings: Sequence[Finding], checks: int, paper: Paper) -> list[str]:
    lines = [paper.paint(line, Tone.TITLE) for line in paper.wrap(title, "  ", "")]
    for alike in _alike(findings):
        lines += _lines(alike, checks, paper)
    return lines


def _alike(findings: Sequence[Finding]) -> Iterator[tuple[Finding, ...]]:
    """Yield the findings one by one, but together those that were not made for the same reason."""

    def key(finding: Finding) -> object:
        is_shared = finding.outcome is Outcome.UNCHECKED and not finding.objects
        return (finding.found, finding.mend) if is_shared else id(finding)

    for _, group in groupby(findings, key):
        yield tuple(group)


def _lines(alike: Sequence[Finding], checks: int, paper: Paper) -> list[str]:
    first = alike[0]
    word = paper.paint(fit(_WORDS[first.outcome], _OUTCOME_COLUMNS), _TONES[first.outcome])
    names = [fit(finding.check, checks) for finding in alike]
    start = _INDENT + _OUTCOME_COLUMNS + _GAP + checks + _GAP
    blank = " " * start
    plain = " " * (_INDENT + _OUTCOME_COLUMNS + _GAP)
    text = paper.wrap(first.found, blank, blank)
    if first.objects:
        text += paper.wrap(_objects(first.objects), blank + "  ", blank)
    if first.mend:
        text += paper.wrap(first.mend, blank + "   ", blank + "-> ")
    heads = [f"{' ' * _INDENT}{word}{' ' * _GAP}{names[0]}"]
    heads += [plain + name for name in names[1:]]
    rows = max(len(heads), len(text))
    heads += [""] * (rows - len(heads))
    text += [""] * (rows - len(text))
    return [
        (head + " " * _GAP if head else blank) + line.removeprefix(blank)
        for head, line in zip(heads, text, strict=True)
    ]


def _objects(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_OBJECTS:,} more" if len(names) > MOST_OBJECTS else ""
    return ", ".join(names[:MOST_OBJECTS]) + more
