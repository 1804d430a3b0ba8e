"""The live page: hosts with bars, running migrations, the last decisions, as one Rich renderable.

Pure: values in, a renderable out. What is shown is gathered elsewhere; nothing here asks or waits.
"""

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balancer.expose.figures import counted, percent
from balancer.expose.text_layout import Paper
from balancer.model.host import HostState
from balancer.model.plan import HostLoad, State
from balancer.model.snapshot import Snapshot
from balancer.model.units import Ratio

_WIDE_PAGE = 110
_HOT, _WARM = 0.85, 0.70
_MOST_RUNNING = 8
_STATE_MARKS = {
    HostState.CONNECTED: "",
    HostState.ENTERING_MAINTENANCE: "leaving",
    HostState.MAINTENANCE: "emptied",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCluster:
    """One cluster now, and the imbalance that it started with."""

    snapshot: Snapshot
    state: State
    start_imbalance: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningMove:
    """A migration under way, in names for people."""

    vm: str
    source: str
    target: str
    reason: str
    progress_percent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePage:
    """Everything that the page shows. `decisions` are sentences, oldest first."""

    title: str
    status: str
    clusters: tuple[LiveCluster, ...]
    running: tuple[RunningMove, ...]
    decisions: tuple[str, ...]


def render(page: LivePage, *, columns: int) -> RenderableType:
    """Return the page: first cluster on the left, the others and the migrations on the right.

    Fits 80 columns; from 110 on bars are longer and migrations show their reason.
    """
    is_wide = columns >= _WIDE_PAGE
    body = Table.grid(padding=(0, 4 if is_wide else 2, 0, 0))
    shown = [_cluster(cluster, 10 if is_wide else 5) for cluster in page.clusters]
    body.add_row(Group(*shown[:1]), Group(*shown[1:], _running(page.running, is_wide=is_wide)))
    decisions = [Text(line, style="dim") for line in page.decisions]
    head = Text.assemble((page.title, "bold"), "  ", (page.status, "cyan"))
    lines = [head, *decisions]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(head, Text(), body, Text("Last decisions", style="bold"), *decisions)


def _cluster(cluster: LiveCluster, bar_columns: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("host", "CPU", "", "mem", "", "VMs", ""):
        table.add_column(name, justify="right" if name in ("", "VMs") else "left")
    loads = {load.id: load for load in cluster.state.hosts}
    for host in cluster.snapshot.hosts:
        load = loads[host.id]
        name = host.name.partition(".")[0]
        mark = _STATE_MARKS.get(host.state, host.state.value)
        table.add_row(name, *_bars(load, bar_columns), str(load.vms), mark)
    return Group(_summary(cluster), table, Text())


def _summary(cluster: LiveCluster) -> Text:
    broken = cluster.state.broken_must_rules
    now, start = cluster.state.imbalance, cluster.start_imbalance
    return Text.assemble(
        (cluster.snapshot.cluster.name, "bold"),
        f" {percent(start, 1)} -> ",
        (percent(now, 1), "green" if now < start else "yellow"),
        ", ",
        (f"{counted(broken, 'rule')} broken", "red" if broken else "green"),
        no_wrap=True,
    )


def _bars(load: HostLoad, columns: int) -> tuple[RenderableType, ...]:
    cells: list[RenderableType] = []
    for ratio in (load.cpu_ratio, load.memory_ratio):
        style = "red" if ratio > _HOT else "yellow" if ratio > _WARM else "green"
        cells += [Text(Paper().bar(ratio, columns), style=style), percent(ratio)]
    return tuple(cells)


def _running(moves: tuple[RunningMove, ...], *, is_wide: bool) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    for move in moves[:_MOST_RUNNING]:
        bar = Text(Paper().bar(move.progress_percent / 100.0, 5), style="cyan")
        if is_wide:
            way = f"{move.source} -> {move.target}"
            table.add_row(move.vm, way, bar, Text(move.reason, style="dim"))
        else:
            table.add_row(move.vm, f"{move.source}>{move.target}", bar)
    more = len(moves) - _MOST_RUNNING
    rest = [Text(f"and {more} more", style="dim")] if more > 0 else []
    return Group(Text(f"Migrations running: {len(moves)}", style="bold"), table, *rest)
