"""All that is found in the policies of a cluster: in their settings, and in their rules where there is a snapshot.

Gathers what others find and puts it into an order: what matters most first. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from balancer.assess.lint_rules import RuleBook, lint_rules
from balancer.policy.compose import PolicySet
from balancer.policy.lint_settings import lint_settings
from balancer.policy.lint_types import Level, LintFinding, LintKind
from balancer.policy.resolved import Note, NoteKind, Resolved

MOST_ALIKE = 3
"""Rules of the cluster that do not count are told one by one up to so many."""

_ORDER = list(Level)
NOTES: Mapping[NoteKind, tuple[Level, LintKind, str]] = MappingProxyType(
    {
        NoteKind.NO_VMS: (Level.WARNING, LintKind.NO_VMS, "mend its selector, or remove it"),
        NoteKind.ONE_VM: (Level.WARNING, LintKind.ONE_VM, "select two VMs or more, or remove it"),
        NoteKind.ONE_RUNNING: (Level.INFO, LintKind.ONE_VM, "nothing, if its VMs will run again"),
        NoteKind.NO_HOSTS: (Level.ERROR, LintKind.NO_HOSTS, "mend its selector of hosts"),
        NoteKind.SHARED_HOST: (
            Level.WARNING,
            LintKind.CONTRADICTORY,
            "name each host in one group of per",
        ),
        NoteKind.NO_SUCH_RULE: (
            Level.WARNING,
            LintKind.UNKNOWN_NAME,
            "mend the name, or remove it",
        ),
        NoteKind.SWITCHED_OFF: (Level.INFO, LintKind.TAKEN_IN, "nothing, if this is meant"),
        NoteKind.SOFTENED: (Level.INFO, LintKind.TAKEN_IN, "nothing, if this is meant"),
        NoteKind.SAME_NAME: (Level.INFO, LintKind.TAKEN_IN, "give it a name of its own"),
        NoteKind.TAG_NO_RULE: (Level.WARNING, LintKind.UNKNOWN_NAME, "mend or remove the tag"),
        NoteKind.TAGS_UNKNOWN: (
            Level.WARNING,
            LintKind.FACTS_UNKNOWN,
            "let the account read tags; see balancer doctor",
        ),
        NoteKind.GUEST_OS_UNKNOWN: (
            Level.WARNING,
            LintKind.FACTS_UNKNOWN,
            "record the snapshot anew with this version",
        ),
    }
)
"""Level, kind and mend of each note that a resolution makes."""


def lint(policies: PolicySet, resolved: Resolved | None, now: datetime) -> tuple[LintFinding, ...]:
    """Return the findings, errors first, then by place.

    `resolved` is the cluster as the policies without their windows read it, None where none is known;
    `now` (with a time zone) is when windows are looked at.
    """
    found = list(lint_settings(policies, now))
    if resolved is not None:
        found += [_of_note(note, resolved) for note in _few(resolved.notes)]
        found += lint_rules(RuleBook(snapshot=resolved.snapshot, places=resolved.places))
    return ranked(found)


def ranked(found: Iterable[LintFinding]) -> tuple[LintFinding, ...]:
    """Return findings, each once, errors first, then by place."""
    return tuple(sorted(_once(found), key=_rank))


def _once(found: Iterable[LintFinding]) -> Iterator[LintFinding]:
    """Yield each finding once, and of a rule that is redundant in several ways the first."""
    redundant: set[str] = set()
    for finding in dict.fromkeys(found):
        if finding.kind is LintKind.REDUNDANT:
            if finding.rule in redundant:
                continue
            redundant.add(finding.rule)
        yield finding


def _few(notes: Sequence[Note]) -> Iterator[Note]:
    """Yield the notes, and of many rules of the cluster that do not count one that counts them."""
    off = [note for note in notes if note.kind is NoteKind.SWITCHED_OFF]
    yield from (note for note in notes if note not in off or len(off) <= MOST_ALIKE)
    if len(off) > MOST_ALIKE:
        some = ", ".join(f"'{note.rule}'" for note in off[:MOST_ALIKE])
        rest = f"{some} and {len(off) - MOST_ALIKE} more"
        text = f"{len(off)} rules of the cluster do not count: {rest}"
        yield Note(kind=NoteKind.SWITCHED_OFF, text=text)


def _of_note(note: Note, resolved: Resolved) -> LintFinding:
    level, kind, mend = NOTES[note.kind]
    if note.kind is NoteKind.NO_HOSTS and not _binds(note, resolved):
        level = Level.WARNING
    return LintFinding(
        level=level, kind=kind, rule=note.rule, where=note.where, why=note.text, mend=mend
    )


def _binds(note: Note, resolved: Resolved) -> bool:
    """Whether a rule without hosts is a law all the same: its VMs may run nowhere."""
    rules: Iterator[bool] = (
        not rule.hosts and rule.mandatory
        for rule in resolved.snapshot.active_rules()
        if resolved.places.get(rule.name) == note.where
    )
    return any(rules)


def _rank(finding: LintFinding) -> tuple[object, ...]:
    file, _, rest = finding.where.partition(":")
    numbers = [int(part) for part in rest.split(":") if part.isdigit()]
    return (_ORDER.index(finding.level), file, numbers, finding.kind, finding.rule, finding.why)
