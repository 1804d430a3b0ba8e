"""Reads plan files, version 1 of the format, and lists everything that is wrong with one.

It owns the shape of the file and the checks that a shape cannot say, made over the plain document so
that they are told beside mistakes of shape: moves that wait for unknown moves, a VM that leaves a host
it is not on. Whether a plan still fits its cluster is not decided here; writing a plan is the part of
`expose`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, NotRequired, Required

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from balancer.adapters.files.json_file import read_as, read_bytes
from balancer.model.brief import Consent, Risk
from balancer.model.plan import IncidentKind, PlanStatus, Priority
from balancer.model.rule import RuleType
from balancer.policy.mode import Mode
from balancer.policy.problems import Mistake, shown
from balancer.policy.unchecked import entries, known, mapping, part, text, texts

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

Told = dict[str, object]
"""What is only told to people and programs that look on; nothing that carries a plan out reads it."""

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
    type: RuleType
    mandatory: bool
    vms: list[str]


@_strict
class HostLoadEntry(TypedDict):
    """Key `hosts` of a state."""

    id: Id
    cpu_ratio: NotNegative
    memory_ratio: NotNegative
    vms: Count
    state: NotRequired[str]
    headroom_cpu_mhz: NotRequired[float]
    headroom_memory_mib: NotRequired[float]
    ready_percent: NotRequired[NotNegative]


@_strict
class StateEntry(TypedDict, total=False):
    """Keys `before` and `after`."""

    cost: Required[float]
    cpu: Required[SpreadEntry]
    memory: Required[SpreadEntry]
    unmet_cpu_mhz: NotNegative
    violations: Required[list[ViolationEntry]]
    imbalance: NotNegative
    hosts: list[HostLoadEntry]


@_strict
class BoundEntry(TypedDict, total=False):
    """Key `bound`."""

    cost: NotNegative
    gap: float
    balance: NotNegative
    level: NotNegative
    calm: bool
    move_price: NotNegative
    plan_price: NotNegative
    move_price_ratio: NotNegative
    move_seconds: NotNegative
    plan_seconds: NotNegative
    move_seconds_ratio: NotNegative
    makespan_seconds: NotNegative
    makespan_ideal_seconds: NotNegative
    fastest: bool
    notes: list[str]


MoveEntry = TypedDict(
    "MoveEntry",
    {
        "id": Required[Id],
        "vm": Required[Id],
        "vm_name": Required[str],
        "vm_uuid": str,
        "from": Required[Id],
        "to": Required[Id],
        "reason": Required[MoveWord],
        "mandatory": bool,
        "why": str,
        "priority": Required[Priority],
        "wave": Required[Annotated[int, Field(ge=1)]],
        "after": Required[list[str]],
        "start_seconds": NotNegative,
        "expected_seconds": Required[NotNegative],
        "memory_mib": NotNegative,
        "this_run": bool,
        "gain": float,
        "benefit_share": float,
        "low_seconds": NotNegative,
        "high_seconds": NotNegative,
        "copy_mib": NotNegative,
        "stun_seconds": NotNegative,
        "risk": Risk,
        "risk_because": list[str],
        "approval": Consent,
        "blocks": list[str],
        "rules": list[str],
        "pace": Annotated[float, Field(gt=0)],
    },
    total=False,
)
_strict(MoveEntry)


@_strict
class RuleEntry(TypedDict, total=False):
    """Key `rules`."""

    name: Required[str]
    mandatory: bool
    mark: Required[str]
    vms: list[str]


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
class IncidentEntry(TypedDict, total=False):
    """Key `incidents`."""

    stage: Required[str]
    kind: Required[IncidentKind]
    detail: str


@_strict
class ModeEntry(TypedDict, total=False):
    """Key `mode`."""

    in_force: Required[Mode]
    reason: str
    detail: str


@_strict
class PlanEntry(TypedDict, total=False):
    """The whole file."""

    schema: Required[Literal["balancer/plan/v1"]]
    format_version: Annotated[str, Field(pattern=r"^1\.[0-9]{1,6}$")]
    version: str
    id: Required[Id]
    created_at: Required[AwareDatetime]
    snapshot_taken_at: AwareDatetime
    cluster: Required[ClusterEntry]
    status: Required[PlanStatus]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reason: str
    mode: ModeEntry
    before: Required[StateEntry]
    after: Required[StateEntry]
    bound: BoundEntry
    moves: Required[list[MoveEntry]]
    rules: list[RuleEntry]
    makespan_seconds: NotNegative
    conflicts: list[ConflictEntry]
    refusals: Required[list[RefusalEntry]]
    incidents: list[IncidentEntry]
    notes: list[str]
    verdicts: list[str]
    elapsed_seconds: Required[dict[str, NotNegative]]
    expires_at: AwareDatetime
    decision: Told
    made_by: Told
    policy: Told
    durations: Told
    forecast: Told
    failover: Told
    quality: Told
    limits: Told
    windows: list[Told]
    report: Told


_LAST_WAVE = 2**53
_NO_MOVES = (PlanStatus.BALANCED, PlanStatus.REFUSED)

PLAN_READER: TypeAdapter[PlanEntry] = TypeAdapter(PlanEntry)


def read_plan(path: Path) -> PlanEntry:
    """Read one plan file.

    Raises:
        InputError: the file cannot be read, is no JSON, or is no plan; every problem is listed.
    """
    return parse_plan(read_bytes(path), name=str(path))


def parse_plan(content: bytes, *, name: str) -> PlanEntry:
    """Parse the bytes of a plan; `name` is what messages call them. Raises as `read_plan`."""
    return read_as(PLAN_READER, content, name=name, check=plan_mistakes)


def plan_mistakes(document: object) -> Iterator[Mistake]:
    """Yield what contradicts itself in a plan. What has not its shape is passed over."""
    plan = mapping(document)
    elapsed, moves = plan.get("elapsed_seconds"), plan.get("moves")
    if isinstance(elapsed, dict) and "total" not in elapsed:
        yield Mistake(
            path=("elapsed_seconds",), found="'total' is missing", allowed="it must be given"
        )
    if isinstance(moves, list) and moves and text(plan, "status") in _NO_MOVES:
        found = f"{len(moves)} moves in a plan whose status is '{text(plan, 'status')}'"
        yield Mistake(path=("moves",), found=found, allowed="no moves")
    yield from _order_mistakes(document)
    yield from _route_mistakes(document)
    for state in ("before", "after"):
        yield from _host_mistakes(part(document, state), state)


def _order_mistakes(plan: object) -> Iterator[Mistake]:
    wave_of: dict[str, int] = {}
    ids = known(plan, "moves")
    for index, move in entries(plan, "moves"):
        name = text(move, "id")
        if name in wave_of:
            found = f"{shown(name)} is given twice"
            yield Mistake(path=("moves", index, "id"), found=found, allowed="each id once")
        for before in texts(move, "after"):
            found = _wait_mistake(before, _wave(move), ids, wave_of)
            if found:
                yield Mistake(path=("moves", index, "after"), found=found, allowed="earlier moves")
        if name:
            wave_of[name] = _wave(move)


def _wave(move: Mapping[str, object]) -> int:
    """Return a move's wave, 0 where it has none that can be."""
    wave = move.get("wave")
    if not isinstance(wave, int | float) or isinstance(wave, bool):
        return 0
    return int(wave) if 1 <= wave <= _LAST_WAVE else 0


def _wait_mistake(
    before: str, wave: int, ids: frozenset[str] | None, wave_of: Mapping[str, int]
) -> str:
    if ids is None:
        return ""
    if before not in ids:
        return f"there is no move {shown(before)} in the plan"
    if before not in wave_of:
        return f"{shown(before)} comes later in the plan"
    if wave and wave_of[before] > wave:
        return f"{shown(before)} is in wave {wave_of[before]}, after wave {wave}"
    return ""


def _route_mistakes(plan: object) -> Iterator[Mistake]:
    place: dict[str, str] = {}
    for index, move in entries(plan, "moves"):
        vm, source, target = text(move, "vm"), text(move, "from"), text(move, "to")
        if source and source == target:
            found = f"{shown(vm)} would move to the host that it is on"
            yield Mistake(path=("moves", index, "to"), found=found, allowed="another host")
        stands = place.get(vm, "")
        if stands and source and stands != source:
            found = f"{shown(vm)} was moved to {shown(stands)} before"
            yield Mistake(path=("moves", index, "from"), found=found, allowed=shown(stands))
        if vm:
            place[vm] = target


def _host_mistakes(state: Mapping[str, object], name: str) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, host in entries(state, "hosts"):
        host_id = text(host, "id")
        if host_id in seen:
            found = f"{shown(host_id)} is given twice"
            yield Mistake(path=(name, "hosts", index, "id"), found=found, allowed="each id once")
        if host_id:
            seen.add(host_id)
