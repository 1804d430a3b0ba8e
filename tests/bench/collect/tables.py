"""The tables of the benchmark of collection."""

import math
from collections.abc import Mapping, Sequence

from tests.bench.collect.equality import Compared
from tests.bench.collect.runs import Run
from tests.bench.planner.tables import NOTHING, number, section, table

SIZES = ["100x1000", "1000x10000"]
_WHAT = {
    "leaves": "leaf values of a full read",
    "full": "full read, with devices, networks and custom attributes",
    "cycle": "what is read every cycle",
}
_CLIENTS = {"ours": "ours", "plain": "pyVmomi, RetrievePropertiesEx", "go": "Go, govmomi"}


def heading(words: Sequence[str], python: str, processors: int) -> str:
    """Return under which circumstances the run was made."""
    command = " ".join(["python -m tests.bench.collect", *words])
    return f"Run: `{command}`, Python {python}, {processors} processors, shared with the server.\n"


def comparison(size: str, runs: Mapping[str, Run]) -> str:
    """Return the clients' processor time for the same paths, and what it is of pyVmomi's full read."""
    whole = _whole(runs)
    rows = []
    for what, title in _WHAT.items():
        if f"plain {what}" not in runs:
            continue
        theirs = runs[f"plain {what}"].best_s
        for client, name in _CLIENTS.items():
            run = runs[f"{client} {what}"]
            rows.append(
                [
                    f"{title}: {name}",
                    number(run.values),
                    number(run.best_s, 2),
                    share(run.best_s / theirs),
                    share(run.best_s / whole),
                    number(run.peak_mib),
                ]
            )
    if "naive" in runs and "plain leaves" in runs:
        rows.append(_naive(runs["naive"], runs["plain leaves"], whole))
    if not rows:
        return ""
    head = [
        "client",
        "values",
        "CPU s",
        "of pyVmomi, same paths",
        "of pyVmomi, full read",
        "peak MiB",
    ]
    note = (
        "All hosts and VMs in pages of 500; processor time of the client alone, least of the rounds, login"
        " left out. What is read attribute by attribute is measured on a few VMs and scaled."
    )
    return section(f"{size}: clients", note, table(head, rows))


def cycles(size: str, runs: Mapping[str, Run]) -> str:
    """Return what collection takes through the caches: the first round and the later ones."""
    whole = _whole(runs)
    rows = []
    for part, name in (
        ("tiers", "hosts and VMs through the caches"),
        ("statistics", "real-time statistics, of {values} of {objects} hosts and VMs"),
        ("snapshots", "whole snapshot with statistics, as the daemon takes it"),
    ):
        if part not in runs:
            continue
        run = runs[part]
        first, later = run.cpu_s[0], min(run.cpu_s[1:])
        rows.append(
            [
                name.format(values=run.values, objects=run.objects),
                number(first, 2),
                share(first / whole),
                number(later, 2),
                share(later / whole),
                number(run.peak_mib),
            ]
        )
    head = ["", "first CPU s", "of pyVmomi, full read", "later CPU s", "of it", "peak MiB"]
    note = "The first round reads everything, a later one what changes any time. Least of the later rounds."
    return section(f"{size}: cycles", note, table(head, rows))


def equality(found: Compared) -> str:
    """Return whether both ways gave the same values."""
    text = f"{found.values} values read both ways, {found.differing} differ."
    return " ".join([text, *found.examples]) + "\n"


def share(ratio: float) -> str:
    """Return a ratio as a percentage with one digit; a dash where there is nothing to compare with."""
    if math.isnan(ratio):
        return NOTHING
    return f"{100 * ratio:.1f} %"


def _whole(runs: Mapping[str, Run]) -> float:
    return runs["plain full"].best_s if "plain full" in runs else math.nan


def _naive(run: Run, plain: Run, whole: float) -> list[str]:
    vms = run.objects
    scaled = run.best_s * plain.objects / max(vms, 1)
    return [
        f"attribute by attribute ({vms} VMs, scaled)",
        number(run.values * plain.objects / max(vms, 1)),
        number(scaled, 1),
        share(scaled / plain.best_s),
        share(scaled / whole),
        number(run.peak_mib),
    ]
