"""What hosts have left and how long their VMs wait for CPU, in words that all renderings of a plan share."""

from balancer.expose.figures import gibibytes, percent
from balancer.expose.report_rows import HostRow, ReportView, Room

NOT_MEASURED = "not measured"


def room_words(view: ReportView) -> str:
    """Return the least headroom of a connected host, before and (where something moves) after."""
    rows = [row for row in view.hosts if not row.state]
    rooms = [[row.room_before for row in rows], [row.room_after for row in rows]][: view.times]
    told = [_least([room for room in states if room]) for states in rooms]
    return f"least headroom: {' -> '.join(told)}" if all(told) else ""


def _least(rooms: list[Room]) -> str:
    if not rooms:
        return ""
    cpu, memory = min(r.cpu_mhz for r in rooms), min(r.memory_mib for r in rooms)
    return f"CPU {cpu / 1000.0 + 0.0:,.1f} GHz, memory {gibibytes(memory)}"


def headroom(room: Room | None) -> str:
    """Return what one host has left: `12.1 GHz, 80 GiB`."""
    if room is None:
        return "not known"
    return f"{room.cpu_mhz / 1000.0 + 0.0:,.1f} GHz, {gibibytes(room.memory_mib)}"


def ready_words(view: ReportView) -> str:
    """Return where VMs wait longest for CPU."""
    shown = [row for row in view.hosts if row.ready_percent is not None]
    if not shown:
        return f"CPU ready time: {NOT_MEASURED}" if view.hosts else ""
    top = max(shown, key=lambda row: (row.ready_percent or 0.0, row.before.id))
    return f"highest CPU ready time: {ready(top)} on {top.name} (mean of its VMs)"


def ready(row: HostRow) -> str:
    """Return a host's mean ready time."""
    if row.ready_percent is None:
        return NOT_MEASURED
    return percent(row.ready_percent / 100.0, 1)
