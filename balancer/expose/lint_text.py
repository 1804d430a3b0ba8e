"""Findings in policies as text and as JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence

from balancer.expose.document import Json
from balancer.expose.figures import counted
from balancer.expose.text_layout import Paper, Tone
from balancer.policy.lint_types import Level, LintFinding

SCHEMA = "balancer/policy-lint/v1"
_TONES = {Level.ERROR: Tone.BAD, Level.WARNING: Tone.WARN, Level.INFO: Tone.FAINT}


def lint_text(findings: Sequence[LintFinding], *, against: str, paper: Paper) -> str:
    """Return the findings as text; `against` says which cluster was looked at."""
    lines = [line for finding in findings for line in _lines(finding, paper)]
    return "\n".join([*lines, _summary(findings, against, paper)]) + "\n"


def _lines(finding: LintFinding, paper: Paper) -> Iterator[str]:
    level = paper.paint(finding.level.value, _TONES[finding.level])
    rule = f"rule '{paper.safe(finding.rule)}'" if finding.rule else ""
    parts = [part for part in (paper.safe(finding.where), level, finding.kind.value, rule) if part]
    yield ": ".join(parts)
    yield from paper.wrap(finding.why, "    ")
    yield from paper.wrap(f"mend: {finding.mend}", "    ")


def _summary(findings: Sequence[LintFinding], against: str, paper: Paper) -> str:
    counts = Counter(finding.level for finding in findings)
    told = [counted(counts[level], level.value) for level in Level if counts[level]]
    words = ", ".join(told).replace("infos", "info") or "nothing found"
    return paper.safe(f"{words}; looked at: {against}")


def lint_document(findings: Sequence[LintFinding], *, against: str) -> Json:
    """Return the findings as a JSON object."""
    return {
        "schema": SCHEMA,
        "against": against,
        "findings": [
            {
                "level": finding.level.value,
                "kind": finding.kind.value,
                "rule": finding.rule,
                "where": finding.where,
                "why": finding.why,
                "mend": finding.mend,
            }
            for finding in findings
        ],
    }
