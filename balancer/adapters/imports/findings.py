"""What an import finds wrong: by rule, with its place, and what becomes of it.

Each rule either mends or refuses, always in the same way; the table of rules is what docs/operate/import.md shows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from balancer.expose.escape import visible
from balancer.model.errors import BalancerError

PLACES_SHOWN = 3
"""So many places of each rule are shown; the others are counted."""


class ImportRule(StrEnum):
    """What can be wrong, each with one way to deal with it."""

    UNREADABLE_FILE = "unreadable_file"
    TRUNCATED_FILE = "truncated_file"
    MISSING_PART = "missing_part"
    MISSING_COLUMN = "missing_column"
    WRONG_WIDTH = "wrong_width"
    HOST_CAPACITY = "host_capacity"
    VM_SIZE = "vm_size"
    UNKNOWN_POWER_STATE = "unknown_power_state"
    DUPLICATE_HOST = "duplicate_host"
    DUPLICATE_OBJECT = "duplicate_object"
    UNIT_DOES_NOT_FIT = "unit_does_not_fit"
    NO_HOST = "no_host"
    NO_VM_PLACED = "no_vm_placed"
    SHEET_LEFT_OUT = "sheet_left_out"
    DUPLICATE_COLUMN = "duplicate_column"
    DUPLICATE_ROW = "duplicate_row"
    DUPLICATE_NAME = "duplicate_name"
    DUPLICATE_UUID = "duplicate_uuid"
    VM_OFF_WITHOUT_SIZE = "vm_off_without_size"
    VM_ON_UNKNOWN_HOST = "vm_on_unknown_host"
    VMS_MISSING = "vms_missing"
    ROW_WITHOUT_VM = "row_without_vm"
    NOT_A_NUMBER = "not_a_number"
    NEGATIVE_FIGURE = "negative_figure"
    ABSURD_FIGURE = "absurd_figure"
    GROUPED_NUMBER = "grouped_number"
    UNIT_IN_CELL = "unit_in_cell"
    ENCODING = "encoding"
    UNREADABLE_OBJECT = "unreadable_object"
    EVC_DIFFERS = "evc_differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What a rule is about and what becomes of it. A refusal leaves the whole import undone."""

    about: str
    mend: str
    refuses: bool = False


def _no(about: str, mend: str) -> Treatment:
    return Treatment(about=about, mend=mend, refuses=True)


def _mended(about: str, mend: str) -> Treatment:
    return Treatment(about=about, mend=mend)


TREATMENTS: Mapping[ImportRule, Treatment] = MappingProxyType(
    {
        ImportRule.UNREADABLE_FILE: _no("a file cannot be read", "export it again"),
        ImportRule.TRUNCATED_FILE: _no("a file ends too early", "copy or export it again"),
        ImportRule.MISSING_PART: _no("a sheet, file or object is missing", "export it, too"),
        ImportRule.MISSING_COLUMN: _no(
            "a column is missing",
            "export it, too, or rename the column that holds it",
        ),
        ImportRule.WRONG_WIDTH: _no(
            "a row has fewer or more cells than the header", "export it again, without edits"
        ),
        ImportRule.HOST_CAPACITY: _no(
            "a host's processors or memory are missing, 0, negative or absurd", "correct the cell"
        ),
        ImportRule.VM_SIZE: _no(
            "the vCPUs or memory of a VM that runs are missing, 0, negative or absurd",
            "correct the cell",
        ),
        ImportRule.UNKNOWN_POWER_STATE: _no(
            "a VM's power state is none that vSphere has",
            "write poweredOn, poweredOff or suspended",
        ),
        ImportRule.DUPLICATE_HOST: _no(
            "one host is listed twice with different figures", "delete the wrong row"
        ),
        ImportRule.DUPLICATE_OBJECT: _no(
            "one object is there twice with different content", "delete the older one"
        ),
        ImportRule.UNIT_DOES_NOT_FIT: _no(
            "figures are a thousand times too small or too large for their unit",
            "give the unit in the column's name",
        ),
        ImportRule.NO_HOST: _no("a cluster has no host", "export the hosts of this cluster, too"),
        ImportRule.NO_VM_PLACED: _no(
            "no VM stands on a host that is listed",
            "give hosts one name in both sheets, or export both of one vCenter at once",
        ),
        ImportRule.SHEET_LEFT_OUT: _mended(
            "a sheet that may be missing lacks a column that it needs",
            "it is left out, as if it were not there",
        ),
        ImportRule.DUPLICATE_COLUMN: _mended(
            "a column's name occurs twice", "the one in RVTools' own place counts"
        ),
        ImportRule.DUPLICATE_ROW: _mended(
            "a row or an object is there twice and says the same", "it counts once"
        ),
        ImportRule.DUPLICATE_NAME: _mended(
            "several VMs have one name",
            "all are kept and told apart by their ids; figures that cannot be told apart stay unknown",
        ),
        ImportRule.DUPLICATE_UUID: _mended(
            "several VMs have one UUID", "all are kept, their UUID counts as not known"
        ),
        ImportRule.VM_OFF_WITHOUT_SIZE: _mended(
            "a VM that does not run has no usable size", "it is left out"
        ),
        ImportRule.VM_ON_UNKNOWN_HOST: _mended(
            "a VM stands on a host that is not listed", "it is left out and counts as not read"
        ),
        ImportRule.VMS_MISSING: _mended(
            "a host runs more VMs than are listed", "the missing ones count as not read"
        ),
        ImportRule.ROW_WITHOUT_VM: _mended("a row names no VM that is listed", "it is passed over"),
        ImportRule.NOT_A_NUMBER: _mended(
            "a measured figure is no number", "it counts as not known"
        ),
        ImportRule.NEGATIVE_FIGURE: _mended(
            "a measured figure is negative", "it counts as not known"
        ),
        ImportRule.ABSURD_FIGURE: _mended(
            "a measured figure is larger than can be", "it counts as not known"
        ),
        ImportRule.GROUPED_NUMBER: _mended(
            "digits are written in groups of three", "they are read as one number"
        ),
        ImportRule.UNIT_IN_CELL: _mended(
            "a unit stands in the cell", "it counts instead of that of the column"
        ),
        ImportRule.ENCODING: _mended("a file is not UTF-8", "it is read as Windows-1252"),
        ImportRule.UNREADABLE_OBJECT: _mended(
            "an object cannot be read whole",
            "what was read counts, it stays where it is, and counts as not read",
        ),
        ImportRule.EVC_DIFFERS: _mended(
            "the hosts of a cluster name different EVC modes", "EVC counts as off"
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: the rule, its place as a person finds it, and what stands there."""

    rule: ImportRule
    where: str
    found: str


@dataclass(slots=True)
class Findings:
    """All that one import has found, in the order in which it was met."""

    items: list[Finding] = field(default_factory=list)

    def tell(self, rule: ImportRule, where: str, found: str) -> None:
        """Note one thing; what stands in a file may harm no terminal."""
        self.items.append(Finding(rule=rule, where=visible(where), found=visible(found)))

    @property
    def refuses(self) -> bool:
        """Whether something cannot be mended."""
        return any(TREATMENTS[item.rule].refuses for item in self.items)

    def lines(self, *, refusing: bool) -> Iterator[str]:
        """Yield what was refused or what was mended, by rule: count, what it means, and the first places."""
        for rule in ImportRule:
            found = [item for item in self.items if item.rule is rule]
            treatment = TREATMENTS[rule]
            if not found or treatment.refuses is not refusing:
                continue
            times = "once" if len(found) == 1 else f"{len(found):,} times"
            yield f"{rule}, {times}: {treatment.about}; {treatment.mend}"
            yield from (f"  {item.where}: {item.found}" for item in found[:PLACES_SHOWN])
            if len(found) > PLACES_SHOWN:
                yield f"  and {len(found) - PLACES_SHOWN:,} more"


class ImportRefused(BalancerError):
    """A file cannot become a snapshot. The message has everything that was found, also what was mended."""

    def __init__(self, subject: str, findings: Findings) -> None:
        self.findings = findings
        refused = "\n".join(f"  {line}" for line in findings.lines(refusing=True))
        mended = "\n".join(f"  {line}" for line in findings.lines(refusing=False))
        rest = f"\nThe following would have been mended:\n{mended}" if mended else ""
        super().__init__(f"{subject} cannot be imported:\n{refused}{rest}")
