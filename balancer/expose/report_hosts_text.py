"""The table of hosts of the text report: load before and after as bars. A part of `report_text`."""

from collections.abc import Sequence
from dataclasses import dataclass

from balancer.expose.figures import listed, percent
from balancer.expose.host_words import ready_words, room_words
from balancer.expose.report_rows import HostRow, ReportView
from balancer.expose.text_layout import Paper, Tone, fit, fit_right, widest
from balancer.model.units import Ratio

MOST_HOSTS = 40
"""Hosts shown; of more, the most loaded ones are."""

_PERCENT = 5
_ARROW = " -> "
_LEAST_BAR, _MOST_BAR = 3, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Widths of the table: a plan without moves shows each figure once instead of twice."""

    names: int
    bar: int
    times: int

    @property
    def load(self) -> int:
        """Return the width of one resource's column."""
        return self.times * (self.bar + 1 + _PERCENT) + (self.times - 1) * len(_ARROW)

    @property
    def vms(self) -> int:
        """Return the width of the column of VM counts."""
        return 5 * self.times + 2


def host_lines(view: ReportView, paper: Paper) -> list[str]:
    """Return the table, the hosts with a special state, and the cluster's figures before and after."""
    rows = _most_loaded(view.hosts)
    if not rows:
        return []
    columns = _columns([paper.safe(row.name) for row in rows], paper.width, view.times)
    lines = [paper.paint(_heading(columns), Tone.FAINT)]
    lines += [_host_row(row, columns, paper=paper, view=view) for row in rows]
    if len(rows) < len(view.hosts):
        rest = len(view.hosts) - len(rows)
        lines.append(f"  and {rest:,} more, less loaded; use --format json")
    return [*lines, *_notes(view, paper), *_change_lines(view), *_outlook_lines(view, paper)]


def _outlook_lines(view: ReportView, paper: Paper) -> list[str]:
    """Return the most loaded host, what is left on the fullest, ready times, and what comes if nothing is done."""
    told = [f"worst host: {_ARROW.join(view.worst)}"] if view.worst else []
    told += [words for words in (room_words(view), ready_words(view), view.idle) if words]
    return [line for text in told for line in paper.wrap(text, "    ", "  ")]


def _columns(names: Sequence[str], width: int, times: int) -> _Columns:
    bare = _Columns(names=0, bar=0, times=times)
    free = width - (2 + 2 + 2 + 2 + 2 * bare.load + bare.vms)
    room = max(free - 2 * times * _LEAST_BAR, 8)
    name = widest(names, least=4, most=room)
    bar = min(max((free - name) // (2 * times), _LEAST_BAR), _MOST_BAR)
    return _Columns(names=name, bar=bar, times=times)


def _most_loaded(hosts: Sequence[HostRow]) -> list[HostRow]:
    ranked = sorted(hosts, key=lambda row: (-_load(row), row.before.id))
    kept = {row.before.id for row in ranked[:MOST_HOSTS]}
    return [row for row in hosts if row.before.id in kept]


def _load(row: HostRow) -> Ratio:
    return max(row.before.cpu_ratio, row.before.memory_ratio, row.after.cpu_ratio)


def _heading(columns: _Columns) -> str:
    def load(name: str) -> str:
        if columns.times == 1:
            return f"{name:<{columns.load}}"
        after = columns.bar + 1 + _PERCENT
        return f"{name + ' before':<{columns.load - after}}{'after':<{after}}"

    return f"  {'':<{columns.names}}  {load('CPU')}  {load('mem')}  {'VMs':>{columns.vms}}"


def _host_row(row: HostRow, columns: _Columns, *, paper: Paper, view: ReportView) -> str:
    def load(ratio: Ratio, limit: Ratio) -> str:
        tone = Tone.BAD if ratio > limit else Tone.GOOD
        bar = paper.paint(paper.bar(ratio, columns.bar), tone)
        return f"{bar} {percent(ratio):>{_PERCENT}}"

    states = (row.before, row.after)[: columns.times]
    cpu = _ARROW.join(load(state.cpu_ratio, view.cpu_limit) for state in states)
    memory = _ARROW.join(load(state.memory_ratio, view.memory_limit) for state in states)
    mark = "*" if row.state else " "
    vms = fit_right(_ARROW.join(str(state.vms) for state in states), columns.vms)
    return f" {mark}{fit(paper.safe(row.name), columns.names)}  {cpu}  {memory}  {vms}"


def _notes(view: ReportView, paper: Paper) -> list[str]:
    special = [f"{row.name} ({row.state})" for row in view.hosts if row.state]
    lines = paper.wrap(f"* {listed(special, 12)}", "    ", "  ") if special else []
    if view.idle_hosts:
        lines += paper.wrap(f"not shown: {listed(list(view.idle_hosts), 12)}", "    ", "  ")
    return lines


def _change_lines(view: ReportView) -> list[str]:
    labels = widest([change.label for change in view.changes], least=0, most=30)
    lines = [""]
    for change in view.changes:
        after = f"{_ARROW}{change.after}" if view.times == 2 else ""
        lines.append(f"  {change.label:<{labels}}  {change.before:>9}{after}")
    return lines
