"""The form of a file of results, `balancer/lab-result/v1`, and its JSON Schema. Only shapes, no values."""

from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

SCHEMA = "balancer/lab-result/v1"
FORMAT_VERSION = "1.0"

_strict = with_config(ConfigDict(strict=True, allow_inf_nan=False))

Count = Annotated[int, Field(ge=0)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]
PercentRow = list[Count]


@_strict
class PolicyEntry(TypedDict):
    """Entry of `recipe.policies`."""

    name: Annotated[Name, Field(description="As on the command line.")]
    digest: Annotated[str, Field(description="SHA-256 of the text.")]
    text: Annotated[str, Field(description="What the policy says, in full.")]


@_strict
class RecipeEntry(TypedDict):
    """Key `recipe`: what repeats the result."""

    program: Annotated[Name, Field(description="Version of the program.")]
    options: Annotated[
        dict[str, list[str]],
        Field(
            description="Options of the command that change what comes of it, each with its values."
        ),
    ]
    digests: Annotated[
        dict[str, str],
        Field(description="SHA-256 of the hosts and of each placement, as they were read."),
    ]
    policies: list[PolicyEntry]


@_strict
class MendEntry(TypedDict):
    """Entry of `trace.mends`: a rule by which the trace was mended."""

    rule: Name
    count: Count
    places: Annotated[list[str], Field(description="The first ones.")]


@_strict
class TraceEntry(TypedDict):
    """Key `trace`."""

    name: str
    digest: Annotated[Name, Field(description="Of the figures that were replayed.")]
    slots: Count
    step_seconds: Annotated[Positive, Field(description="Length of a slot.")]
    vms: Count
    mends: list[MendEntry]


@_strict
class ScoreEntry(TypedDict):
    """Keys `bound` and `runs[].score`."""

    demand_ghz_h: Annotated[NotNegative, Field(description="CPU that was wanted.")]
    unmet_ghz_h: Annotated[
        NotNegative, Field(description="CPU that was wanted beyond what hosts can give.")
    ]
    host_slots: Annotated[Count, Field(description="Pairs of a host and a slot of the trace.")]
    slots_over_80: Annotated[Count, Field(description="Those with a CPU load above 80 %.")]
    slots_over_100: Annotated[Count, Field(description="Those with a CPU load above 100 %.")]
    memory_slots_full: Annotated[
        Count, Field(description="Those with more consumed memory than the policy's ceiling.")
    ]
    memory_over_gib_h: Annotated[NotNegative, Field(description="Memory above that ceiling.")]
    moves: Count
    failed_moves: Count
    moved_gib: NotNegative
    copy_hours: Annotated[NotNegative, Field(description="Duration of all moves together.")]
    repeats: Annotated[Count, Field(description="Moves of a VM within an hour after its last one.")]
    undone: Annotated[
        Count, Field(description="Moves back to a host that the VM had left within a day.")
    ]
    spread_ratio: Annotated[
        NotNegative, Field(description="Mean over time of the standard deviation of host CPU load.")
    ]
    restarts: Annotated[
        NotRequired[Count],
        Field(description="VMs that were started again after a host failed; 0 where not given."),
    ]
    down_ghz_h: Annotated[
        NotRequired[NotNegative],
        Field(
            description="The part of `unmet_ghz_h` that VMs wanted while they were down with a host that failed; "
            "0 where not given."
        ),
    ]


@_strict
class MoveEntry(TypedDict):
    """Entry of `runs[].moves`; times are seconds since the beginning of the replay."""

    vm: str
    source: Annotated[str, Field(description="One of `hosts`.")]
    target: Annotated[str, Field(description="One of `hosts`.")]
    begun_seconds: NotNegative
    ended_seconds: NotNegative
    memory_mib: NotNegative
    reason: str
    fault: Annotated[str, Field(description="Empty where the VM arrived.")]


@_strict
class DownEntry(TypedDict):
    """Entry of `runs[].downs`: a VM that went down with its host; times are as those of moves."""

    vm: str
    source: Annotated[str, Field(description="The host that failed, one of `hosts`.")]
    since_seconds: NotNegative
    target: Annotated[
        str | None,
        Field(description="Where it was started again, one of `hosts`; null: down to the end."),
    ]
    until_seconds: Annotated[NotNegative | None, Field(description="Null where `target` is.")]
    was_started: Annotated[
        bool,
        Field(
            description="False where it is down to the end, or was to be off and is there again."
        ),
    ]


@_strict
class CurvesEntry(TypedDict):
    """Key `runs[].curves`: one value for each stretch of `step_seconds`."""

    step_seconds: Positive
    mean_load_percent: Annotated[
        list[PercentRow], Field(description="For each of `hosts` its mean CPU load, over time.")
    ]
    peak_load_percent: Annotated[
        list[PercentRow],
        Field(description="The same of the highest load of any slot in the stretch."),
    ]
    unmet_ghz_h: Annotated[
        list[NotNegative],
        Field(description="Unmet demand from the beginning to the stretch's end."),
    ]
    spread_ratio: Annotated[list[NotNegative], Field(description="Mean spread of the stretch.")]


@_strict
class RunEntry(TypedDict):
    """Entry of `runs`."""

    contender: Name
    start: Annotated[Name, Field(description="Name of the placement that it began with.")]
    seed: int
    cycles: Count
    score: ScoreEntry
    quiet: Annotated[
        dict[str, Count], Field(description="Cycles that planned nothing, by the reason's word.")
    ]
    moves: list[MoveEntry]
    downs: Annotated[
        NotRequired[list[DownEntry]],
        Field(description="VMs that went down with hosts that failed; none where not given."),
    ]
    curves: CurvesEntry


@_strict
class LostEntry(TypedDict):
    """Entry of `lost`: a run that did not come to its end."""

    contender: Name
    start: Name
    seed: int
    why: str


@_strict
class ClockEntry(TypedDict):
    """Key `clock`: all that differs when the same is replayed again. Comparisons do not look at it."""

    made_at: str
    elapsed_seconds: NotNegative
    jobs: Count
    wall_seconds: Annotated[list[NotNegative], Field(description="Of each of `runs`.")]


@_strict
class LabResultEntry(TypedDict):
    """The whole document."""

    schema: Literal["balancer/lab-result/v1"]
    format_version: Annotated[str, Field(pattern=r"^1\.[0-9]+$")]
    recipe: RecipeEntry
    trace: TraceEntry
    hosts: Annotated[list[Name], Field(description="Names, in the order of the loads.")]
    interval_seconds: Annotated[Positive, Field(description="From cycle to cycle.")]
    idle_consumed_ratio: Annotated[
        float,
        Field(ge=0, le=1, description="Share of a VM's idle memory that counts as consumed."),
    ]
    bound: Annotated[ScoreEntry, Field(description="Of perfect spreading, all hosts being one.")]
    runs: list[RunEntry]
    lost: list[LostEntry]
    clock: ClockEntry


READER: TypeAdapter[LabResultEntry] = TypeAdapter(LabResultEntry)


def lab_result_schema() -> dict[str, object]:
    """Return the JSON Schema of the document, as published in `balancer/schemas`."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "balancer/lab-result.v1.schema.json",
        "title": "Result of `balancer lab replay`, version 1",
        "description": "Writers may add keys; a reader takes any minor format_version of its major.",
    }
    return READER.json_schema(by_alias=True) | head
