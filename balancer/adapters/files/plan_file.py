"""Reads plan files, version 1 of the format, and lists everything that is wrong with one.

It owns the shape of the file and the checks that a shape cannot say: moves that wait for unknown
moves, a VM that leaves a host it is not on. Whether a plan still fits its cluster is not decided here;
writing a plan is the part of `expose`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, Required

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from balancer.adapters.files.json_file import keys_given_twice, problems_of_json, read_bytes
from balancer.model.errors import InputError, Problem
from balancer.model.plan import PlanStatus, Priority
from balancer.policy.problems import limited, shown

Id = Annotated[str, Field(min_length=1)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
MoveWord = Literal[
    "evacuate",
    "rule",
    "contention",
    "balance",
    "make_room",
    "parking",
    "consolidate",
    "requested",
]
"""Why a VM moves, in the file's words: `MoveReason.word`."""

_strict = with_config(ConfigDict(strict=True, allow_inf_nan=False))


@_strict
class ClusterEntry(TypedDict):
    """Key `cluster`."""

    id: Id
    name: str


@_strict
class SpreadEntry(TypedDict):
    """Keys `cpu` and `memory` of a state."""

    mean: NotNegative
    max: NotNegative
    min: NotNegative
    stddev: NotNegative


@_strict
class ViolationEntry(TypedDict, total=False):
    """Key `violations` of a state."""

    rule: Required[str]
    mandatory: bool
    vms: list[str]


@_strict
class HostLoadEntry(TypedDict):
    """Key `hosts` of a state."""

    id: Id
    cpu_ratio: NotNegative
    memory_ratio: NotNegative
    vms: Count


@_strict
class StateEntry(TypedDict, total=False):
    """Keys `before` and `after`."""

    cost: Required[float]
    cpu: Required[SpreadEntry]
    memory: Required[SpreadEntry]
    unmet_cpu_mhz: NotNegative
    violations: Required[list[ViolationEntry]]
    hosts: list[HostLoadEntry]


@_strict
class BoundEntry(TypedDict, total=False):
    """Key `bound`."""

    cost: float
    gap: float


MoveEntry = TypedDict(
    "MoveEntry",
    {
        "id": Required[Id],
        "vm": Required[Id],
        "vm_name": Required[str],
        "from": Required[Id],
        "to": Required[Id],
        "reason": Required[MoveWord],
        "why": str,
        "priority": Required[Priority],
        "wave": Required[Annotated[int, Field(ge=1)]],
        "after": Required[list[str]],
        "start_seconds": NotNegative,
        "expected_seconds": Required[NotNegative],
        "memory_mib": NotNegative,
        "this_run": bool,
        "gain": float,
    },
    total=False,
)
_strict(MoveEntry)


@_strict
class ConflictEntry(TypedDict, total=False):
    """Key `conflicts`."""

    kind: Required[str]
    message: Required[str]
    rules: list[str]
    vms: list[str]
    hosts: list[str]
    relax: str


@_strict
class RefusalEntry(TypedDict, total=False):
    """Key `refusals`."""

    vm: str
    host: str
    reason: Required[str]
    detail: str
    count: Count


@_strict
class PlanEntry(TypedDict, total=False):
    """The whole file."""

    schema: Required[Literal["balancer/plan/v1"]]
    id: Required[Id]
    created_at: Required[AwareDatetime]
    snapshot_taken_at: AwareDatetime
    cluster: Required[ClusterEntry]
    status: Required[PlanStatus]
    reason: str
    before: Required[StateEntry]
    after: Required[StateEntry]
    bound: BoundEntry
    moves: Required[list[MoveEntry]]
    makespan_seconds: NotNegative
    conflicts: list[ConflictEntry]
    refusals: Required[list[RefusalEntry]]
    elapsed_seconds: Required[dict[str, NotNegative]]


PLAN_READER: TypeAdapter[PlanEntry] = TypeAdapter(PlanEntry)


def read_plan(path: Path) -> PlanEntry:
    """Read one plan file.

    Raises:
        InputError: the file cannot be read, is no JSON, or is no plan; every problem is listed.
    """
    return parse_plan(read_bytes(path), name=str(path))


def parse_plan(content: bytes, *, name: str) -> PlanEntry:
    """Parse the bytes of a plan; `name` is what messages call them. Raises as `read_plan`."""
    try:
        entry = PLAN_READER.validate_json(content)
    except ValidationError as err:
        raise InputError(name, problems_of_json(err)) from err
    problems = [*keys_given_twice(content), *_plan_problems(entry)]
    if problems:
        raise InputError(name, limited(problems))
    return entry


def _plan_problems(plan: PlanEntry) -> Iterator[Problem]:
    moves = plan["moves"]
    if "total" not in plan["elapsed_seconds"]:
        yield Problem(
            where="elapsed_seconds", found="'total' is missing", allowed="it must be given"
        )
    if moves and plan["status"] in (PlanStatus.BALANCED, PlanStatus.REFUSED):
        found = f"{len(moves)} moves in a plan whose status is '{plan['status']}'"
        yield Problem(where="moves", found=found, allowed="no moves")
    yield from _order_problems(moves)
    yield from _route_problems(moves)
    yield from _host_problems(plan)


def _order_problems(moves: Sequence[MoveEntry]) -> Iterator[Problem]:
    wave_of: dict[str, int] = {}
    ids = {move["id"] for move in moves}
    for index, move in enumerate(moves):
        if move["id"] in wave_of:
            found = f"{shown(move['id'])} is given twice"
            yield Problem(where=f"moves[{index}].id", found=found, allowed="each id once")
        for before in move["after"]:
            problem = _wait_problem(move, before, ids, wave_of)
            if problem:
                yield Problem(where=f"moves[{index}].after", found=problem, allowed="earlier moves")
        wave_of[move["id"]] = move["wave"]


def _wait_problem(move: MoveEntry, before: str, ids: set[str], wave_of: dict[str, int]) -> str:
    if before not in ids:
        return f"there is no move {shown(before)} in the plan"
    if before not in wave_of:
        return f"{shown(before)} comes later in the plan"
    if wave_of[before] > move["wave"]:
        return f"{shown(before)} is in wave {wave_of[before]}, after wave {move['wave']}"
    return ""


def _route_problems(moves: Sequence[MoveEntry]) -> Iterator[Problem]:
    place: dict[str, str] = {}
    for index, move in enumerate(moves):
        if move["from"] == move["to"]:
            found = f"{shown(move['vm'])} would move to the host that it is on"
            yield Problem(where=f"moves[{index}].to", found=found, allowed="another host")
        stands = place.get(move["vm"], move["from"])
        if stands != move["from"]:
            found = f"{shown(move['vm'])} was moved to {shown(stands)} before"
            yield Problem(where=f"moves[{index}].from", found=found, allowed=shown(stands))
        place[move["vm"]] = move["to"]


def _host_problems(plan: PlanEntry) -> Iterator[Problem]:
    for state in ("before", "after"):
        seen: dict[str, int] = defaultdict(int)
        for index, host in enumerate(plan[state].get("hosts", [])):
            seen[host["id"]] += 1
            if seen[host["id"]] == 2:
                found = f"{shown(host['id'])} is given twice"
                yield Problem(
                    where=f"{state}.hosts[{index}].id", found=found, allowed="each id once"
                )
