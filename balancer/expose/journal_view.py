"""Rows of the journal for people, in a terminal or a pipe, and as JSON. Names are made safe; decides nothing."""

from collections.abc import Sequence

from balancer.expose.escape import cells, visible
from balancer.expose.figures import duration, timestamp
from balancer.expose.text_layout import fit, widest
from balancer.expose.verdict_text import verdict_entries
from balancer.model.after_action import AfterAction
from balancer.model.control import Approval, StoredPlan
from balancer.model.outcome import JournalRow, JournalStep
from balancer.model.past import Quarantine
from balancer.model.story import RowStory

SCHEMA = "balancer/journal/v1"

Json = dict[str, object]

_LEAST_NAME, _MOST_NAME = 8, 40


def rows_text(rows: Sequence[JournalRow], *, width: int | None) -> str:
    """Return rows as a table, oldest first. Lines are cut to the width of a terminal; None cuts nothing."""
    if not rows:
        return "No such moves in the journal.\n"
    names = [visible(row.entry.vm_name) for row in rows]
    hosts = [visible(f"{row.entry.source} -> {row.entry.target}") for row in rows]
    name_wide = widest([*names, "VM"], least=_LEAST_NAME, most=_MOST_NAME)
    host_wide = widest([*hosts, "from -> to"], least=10, most=_MOST_NAME)
    lines = [_head(name_wide, host_wide)]
    for row, name, journey in zip(rows, names, hosts, strict=True):
        entry = row.entry
        line = (
            f"{row.id:>7}  {entry.intended_at:%Y-%m-%d %H:%M:%S}  {fit(name, name_wide)}  "
            f"{fit(journey, host_wide)}  {entry.reason.word:<11}  {row.state.value:<9}  {_told(row)}"
        )
        lines.append(line)
    return "".join(f"{_cut(line, width)}\n" for line in lines)


def _cut(line: str, width: int | None) -> str:
    return line.rstrip() if width is None or cells(line) <= width else fit(line, width).rstrip()


def _head(name_wide: int, host_wide: int) -> str:
    when = "when (UTC)"
    return (
        f"{'row':>7}  {when:<19}  {fit('VM', name_wide)}  {fit('from -> to', host_wide)}  "
        f"{'reason':<11}  {'state':<9}  what is known"
    )


def _told(row: JournalRow) -> str:
    took = ""
    if row.ended_at and row.submitted_at:
        took = duration((row.ended_at - row.submitted_at).total_seconds())
    return visible(", ".join(filter(None, (took, row.fault, row.detail))))


def row_text(story: RowStory) -> str:
    """Return one row with everything around it, a fact a line."""
    row, plan, approval, verdict = story.row, story.plan, story.approval, story.verdict
    entry = row.entry
    facts = [
        ("Row", f"{row.id}, {row.state.value}"),
        ("VM", f"{entry.vm_name} ({entry.vm}{', ' + entry.vm_uuid if entry.vm_uuid else ''})"),
        ("Move", f"{entry.source} -> {entry.target}, {entry.reason.word}"),
        ("Cluster", f"{entry.vcenter}, {entry.cluster}"),
        ("Expected", duration(entry.expected_seconds)),
        ("Plan", _plan_words(row, plan)),
    ]
    if approval:
        facts.append(("Approved", f"by {approval.by} at {timestamp(approval.at)}{_why(approval)}"))
    if row.task:
        facts.append(("Task", row.task))
    for number, step in enumerate(story.steps):
        facts.append(("History" if number == 0 else "", _step_words(step)))
    if verdict:
        facts.append(("Verdict", f"{verdict.result.value}: {verdict.detail or 'not measured yet'}"))
    for one in story.quarantines:
        until = timestamp(one.until)
        facts.append(
            ("Learnt", f"{one.kind.value} {one.subject} is left alone until {until}: {one.detail}")
        )
    return "".join(f"{name:<9} {visible(text)}\n" for name, text in facts)


def _plan_words(row: JournalRow, plan: StoredPlan | None) -> str:
    where = f"{row.entry.move_id} of {row.entry.plan_id}, cycle {row.entry.cycle_id}"
    return f"{where}, kept as {plan.id}" if plan else where


def _why(approval: Approval) -> str:
    return f": {approval.reason}" if approval.reason else ""


def _step_words(step: JournalStep) -> str:
    more = ", ".join(filter(None, (step.task, step.fault, step.detail)))
    return f"{timestamp(step.at)}  {step.state.value:<9}  {more}".rstrip()


def rows_document(rows: Sequence[JournalRow]) -> Json:
    """Return rows as JSON, oldest first."""
    return {"schema": SCHEMA, "rows": [row_entry(row) for row in rows]}


def row_entry(row: JournalRow) -> Json:
    """Return one row as JSON; what is not known has no key."""
    entry = row.entry
    found: Json = {
        "row": row.id,
        "state": row.state.value,
        "vcenter": entry.vcenter,
        "cluster": entry.cluster,
        "vm": entry.vm,
        "vm_name": entry.vm_name,
        "vm_uuid": entry.vm_uuid,
        "from": entry.source,
        "to": entry.target,
        "reason": entry.reason.value,
        "plan_id": entry.plan_id,
        "cycle_id": entry.cycle_id,
        "move_id": entry.move_id,
        "expected_seconds": entry.expected_seconds,
        "intended_at": timestamp(entry.intended_at),
        "submitted_at": row.submitted_at and timestamp(row.submitted_at),
        "ended_at": row.ended_at and timestamp(row.ended_at),
        "task": row.task,
        "fault": row.fault,
        "kind": row.kind and row.kind.value,
        "detail": row.detail,
    }
    return {key: value for key, value in found.items() if value not in ("", None)}


def row_document(story: RowStory) -> Json:
    """Return one row with everything around it as JSON."""
    plan, approval, verdict = story.plan, story.approval, story.verdict
    found: Json = {"schema": SCHEMA, "rows": [row_entry(story.row)]}
    found["steps"] = [_step(step) for step in story.steps]
    if plan:
        made = timestamp(plan.made_at)
        found["plan"] = {"number": plan.id, "digest": plan.digest, "made_at": made}
    if approval:
        at = timestamp(approval.at)
        found["approval"] = {"by": approval.by, "at": at, "reason": approval.reason}
    if verdict:
        found["verdict"] = {"result": verdict.result.value, "detail": verdict.detail}
    if story.quarantines:
        found["quarantines"] = [_quarantine(one) for one in story.quarantines]
    return found


def _step(step: JournalStep) -> Json:
    found: Json = {
        "state": step.state.value,
        "at": timestamp(step.at),
        "task": step.task,
        "fault": step.fault,
        "kind": step.kind and step.kind.value,
        "detail": step.detail,
    }
    return {key: value for key, value in found.items() if value not in ("", None)}


def quarantines_text(found: Sequence[Quarantine]) -> str:
    """Return which VMs and hosts are left alone, a line each."""
    if not found:
        return "Nothing is in quarantine.\n"
    return "".join(
        visible(
            f"{one.kind.value:<4}  {one.subject}  until {one.until:%Y-%m-%d %H:%M} UTC  "
            f"(no. {one.level})  {one.reason}: {one.detail}  row {one.cause}"
        )
        + "\n"
        for one in found
    )


def quarantines_document(found: Sequence[Quarantine]) -> Json:
    """Return which VMs and hosts are left alone as JSON."""
    return {"schema": SCHEMA, "quarantines": [_quarantine(one) for one in found]}


def verdicts_document(found: Sequence[AfterAction]) -> Json:
    """Return what batches did as JSON."""
    return {"schema": SCHEMA, "verdicts": verdict_entries(found)}


def _quarantine(one: Quarantine) -> Json:
    return {
        "kind": one.kind.value,
        "subject": one.subject,
        "cluster": one.cluster,
        "vcenter": one.vcenter,
        "level": one.level,
        "since": timestamp(one.since),
        "until": timestamp(one.until),
        "reason": one.reason.value,
        "detail": one.detail,
        "row": one.cause,
    }
