"""The effective policy of a cluster, or of one VM, as text and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from balancer.expose.document import Json
from balancer.expose.escape import cells
from balancer.expose.figures import counted, listed, moment, timestamp
from balancer.expose.text_layout import Paper, Tone, fit
from balancer.policy.overview import PolicyView, RuleView, VmPolicy, WindowView

SCHEMA = "balancer/policy-show/v1"
MOST_NAME = 44


def show_text(view: PolicyView, paper: Paper) -> str:
    """Return the policy as text that ends with a line break."""
    lines = [*_head(view, paper)]
    if view.vm is not None:
        lines += _vm(view.vm, paper)
    else:
        lines += [*_windows(view, paper), *_settings(view, paper), *_rules(view.rules, paper)]
        lines += _listed("Worth knowing", [str(note) for note in view.notes], paper)
        lines += _listed("Overruled", view.conflicts, paper)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(view: PolicyView, paper: Paper) -> Iterator[str]:
    title = f"Policy '{view.name}' of cluster {view.cluster} at {moment(view.at)}"
    yield paper.paint(paper.safe(title), Tone.TITLE)
    because = view.in_force.because
    why = because.detail if because else "as configured; no policy and no window holds it back"
    yield from paper.wrap(f"mode in force: {view.in_force.mode} ({why})", "    ", "  ")
    yield from paper.wrap(f"from: {', '.join(view.files)}", "    ", "  ")
    for one in view.left_out:
        yield from paper.wrap(one, "    ", "  ")


def _windows(view: PolicyView, paper: Paper) -> Iterator[str]:
    rows = [(w.name, f"{w.effect}, {_state(w)}", w.where) for w in view.windows]
    yield from _table("Windows", rows, paper)


def _state(window: WindowView) -> str:
    if window.is_open:
        until = f"until {moment(window.changes_at)}" if window.changes_at else "without end"
        return f"open {until}"
    opens = f"opens {moment(window.changes_at)}" if window.changes_at else "never opens again"
    return f"closed, {opens}"


def _settings(view: PolicyView, paper: Paper) -> Iterator[str]:
    rows = [(s.path, _shown(s.value), s.origin) for s in view.settings]
    yield from _table("Settings", rows, paper)


def _rules(rules: Sequence[RuleView], paper: Paper) -> Iterator[str]:
    rows = [(rule.name, _rule_words(rule), f"from {rule.origin}") for rule in rules]
    yield from _table("Rules", rows, paper)


def _rule_words(rule: RuleView) -> str:
    enforce = "must" if rule.is_must else f"should, weight {rule.weight:g}"
    hosts = f", {counted(rule.hosts, 'host')}" if rule.hosts else ""
    state = "" if rule.counts else "; does not count"
    return f"{rule.asks} ({enforce}): {counted(rule.vms, 'VM')}{hosts}{state}"


def _vm(vm: VmPolicy, paper: Paper) -> Iterator[str]:
    own = f", its own is {vm.mode_of_vm}" if vm.mode_of_vm else ""
    yield ""
    yield paper.paint(paper.safe(f"VM {vm.name} ({vm.vm})"), Tone.TITLE)
    yield from paper.wrap(f"mode: {vm.mode}{own}", "    ", "  ")
    yield from paper.wrap(f"DRS override: {vm.automation}", "    ", "  ")
    hosts = listed(list(vm.allowed_hosts), 8) or "none"
    yield from paper.wrap(f"hosts that rules allow: {hosts}", "    ", "  ")
    for goal, why in vm.left_alone:
        yield from paper.wrap(f"left alone by {goal}: {why}", "    ", "  ")
    yield from _rules(vm.rules, paper)


def _table(title: str, rows: Sequence[tuple[str, str, str]], paper: Paper) -> Iterator[str]:
    """Yield rows of a name, words and an origin in columns; nothing where there are none."""
    if not rows:
        return
    yield ""
    yield paper.paint(title, Tone.TITLE)
    safe = [tuple(map(paper.safe, row)) for row in rows]
    first = min(max(cells(row[0]) for row in safe), MOST_NAME)
    second = min(max(cells(row[1]) for row in safe), MOST_NAME)
    for name, words, origin in safe:
        line = f"  {fit(name, first)}  {words.ljust(second)}  {paper.paint(origin, Tone.FAINT)}"
        yield line


def _listed(title: str, told: Sequence[str], paper: Paper) -> Iterator[str]:
    if told:
        yield ""
        yield paper.paint(title, Tone.TITLE)
    for one in told:
        yield from paper.wrap(one, "    ", "  ")


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return ", ".join(getattr(one, "name", str(one)) for one in value) or "none"
    return str(value)


def show_document(view: PolicyView) -> Json:
    """Return the policy as a JSON object."""
    because = view.in_force.because
    document: Json = {
        "schema": SCHEMA,
        "cluster": view.cluster,
        "policy": view.name,
        "at": timestamp(view.at),
        "files": list(view.files),
        "left_out": list(view.left_out),
        "mode": {
            "in_force": view.in_force.mode.value,
            "reason": because.reason.value if because else "",
            "detail": because.detail if because else "",
        },
        "windows": [_window_entry(window) for window in view.windows],
        "settings": {
            setting.path: {"value": _plain(setting.value), "origin": setting.origin}
            for setting in view.settings
        },
        "rules": [_rule_entry(rule) for rule in view.rules],
        "notes": [{"kind": note.kind.value, "text": str(note)} for note in view.notes],
        "conflicts": list(view.conflicts),
    }
    return document | ({"vm": _vm_entry(view.vm)} if view.vm else {})


def _window_entry(window: WindowView) -> Json:
    changes = timestamp(window.changes_at) if window.changes_at else None
    return {
        "name": window.name,
        "effect": window.effect,
        "open": window.is_open,
        "closes_at" if window.is_open else "opens_at": changes,
        "origin": window.where,
    }


def _rule_entry(rule: RuleView) -> Json:
    return {
        "name": rule.name,
        "asks": rule.asks,
        "enforce": "must" if rule.is_must else "should",
        "weight": rule.weight,
        "vms": rule.vms,
        "hosts": rule.hosts,
        "origin": rule.origin,
        "counts": rule.counts,
    }


def _vm_entry(vm: VmPolicy) -> Json:
    return {
        "id": vm.vm,
        "name": vm.name,
        "mode": vm.mode.value,
        "mode_of_vm": vm.mode_of_vm.value if vm.mode_of_vm else None,
        "drs_override": vm.automation,
        "left_alone": dict(vm.left_alone),
        "rules": [_rule_entry(rule) for rule in vm.rules],
        "allowed_hosts": list(vm.allowed_hosts),
    }


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case tuple():
            return [_plain(one) for one in value]
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else _soft(value)


def _soft(value: object) -> object:
    return {"name": getattr(value, "name", ""), "weight": getattr(value, "weight", 1.0)}
