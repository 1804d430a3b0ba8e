"""What the lines of a recording tell, one after another: who is there, how large, and what each VM wanted."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from balancer.adapters.recording.form import FORM
from balancer.adapters.traces.faults import refused
from balancer.adapters.traces.matrix import Floats
from balancer.adapters.traces.sizes import LEAST_MIB, Size
from balancer.adapters.traces.surroundings import (
    Entry,
    Surroundings,
    as_entries,
    as_list,
    as_mapping,
)
from balancer.model.snapshot import Snapshot

_FIGURES = ("cpu_demand_mhz", "cpu_usage_mhz", "memory_active_mib", "memory_consumed_mib")


class Look(NamedTuple):
    """What was seen at one look of the VMs in these columns: CPU wanted, active and consumed memory."""

    columns: list[int]
    cpu_mhz: Floats
    active_mib: Floats
    consumed_mib: Floats


@dataclass(slots=True)
class Tale:
    """What the lines have told so far. Columns are numbered in the order in which VMs were first heard of."""

    first: Snapshot | None = None
    surroundings: Surroundings = field(default_factory=Surroundings)
    vms: dict[str, Entry] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Entry] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, list[tuple[int, Size]]] = field(default_factory=dict)
    times: list[str] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def hear(self, path: Path, number: int, line: dict[str, object]) -> None:
        """Take one line.

        Raises:
            InputError: it is none of a recording.
        """
        try:
            if "snapshot" in line:
                self._begin(path, number, line)
            else:
                self._look(line)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as err:
            found = f"is no line of a recording: {type(err).__name__} {err}"
            raise refused(path, found, where=f"line {number}", allowed=FORM) from err

    def _begin(self, path: Path, number: int, line: dict[str, object]) -> None:
        if line.get("form") != FORM:
            raise ValueError(f"form {line.get('form')!r}")
        document = as_mapping(line["snapshot"])
        name = f"{path.name}, line {number}"
        snapshot = self.surroundings.begin(len(self.looks), document, name)
        self.first = self.first or snapshot
        entries = as_entries(document["vms"])
        self.vms = {str(entry["id"]): entry for entry in entries}
        self.surroundings.told(len(self.looks), entries, {})
        self._note(str(document["taken_at"]), list(self.vms))
        figures: Entry = {key: [vm.get(key) for vm in self.vms.values()] for key in _FIGURES}
        self._figures(figures)

    def _look(self, line: dict[str, object]) -> None:
        if self.first is None:
            raise ValueError("it stands before the first snapshot")
        for vm_id in map(str, as_list(line.get("gone", []))):
            self.vms.pop(vm_id, None)
        changed = as_entries(line.get("changed", []))
        self.vms |= {str(entry["id"]): entry for entry in changed}
        self.vms = {vm_id: self.vms[vm_id] for vm_id in sorted(self.vms)}
        self.surroundings.told(len(self.looks), changed, as_mapping(line.get("moved", {})))
        self._note(str(line["at"]), [str(entry["id"]) for entry in changed])
        figures = as_mapping(line["figures"])
        self._figures({key: figures.get(key) for key in _FIGURES})

    def _note(self, at: str, told: list[str]) -> None:
        """Take note of VMs whose entries were told with the look that is beginning."""
        look = len(self.looks)
        self.times.append(at)
        for vm_id in told:
            entry = self.vms[vm_id]
            self.columns.setdefault(vm_id, len(self.columns))
            self.facts.setdefault(vm_id, entry)
            self.hosts.setdefault(vm_id, str(entry["host"]))
            self.sizes.setdefault(vm_id, []).append((look, _size(entry)))

    def _figures(self, figures: dict[str, object]) -> None:
        columns = [self.columns[vm_id] for vm_id in self.vms]
        is_off = np.array([entry.get("power", "on") != "on" for entry in self.vms.values()])
        wanted, got, active, consumed = (_floats(figures[key], len(columns)) for key in _FIGURES)
        cpu = np.where(np.isnan(wanted), got, wanted)
        cpu[is_off] = np.nan
        self.looks.append(Look(columns, cpu, active, consumed))


def _floats(value: object, count: int) -> Floats:
    """Return figures of so many VMs; NaN for null and the impossible, all NaN where there is no list of them."""
    if value is None:
        return np.full(count, np.nan)
    figures = np.array(as_list(value), dtype=np.float64)
    if figures.shape != (count,):
        raise ValueError(f"{len(figures)} figures of {count} VMs")
    figures[~np.isfinite(figures) | (figures < 0.0)] = np.nan
    return figures


def _size(entry: Entry) -> Size:
    """Return the size that an entry tells; its slot is the caller's to know."""
    return Size(
        slot=0,
        vcpus=max(int(str(entry["vcpus"])), 1),
        memory_mib=max(float(str(entry["memory_mib"])), LEAST_MIB),
        is_off=entry.get("power", "on") != "on",
    )
