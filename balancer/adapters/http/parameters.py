"""The parameters that questions are asked with, each once: what it is called, how long it may be, what it means."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query

from balancer.adapters.http.forms import LEAST_WIDTH, MOST_WIDTH
from balancer.api import journal
from balancer.model.outcome import MoveState

LONGEST = 300
LAST_ROW = 2**63 - 1

Name = Annotated[str, Path(max_length=LONGEST)]
Cluster = Annotated[
    str | None,
    Query(max_length=LONGEST, description="This one alone: NAME, or VCENTER/NAME. Default: all."),
]
Last = Annotated[int, Query(ge=1, le=10_000, description="How many, the newest.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What form of an answer is asked for by name, and how wide."""

    form: str | None
    width: int | None


async def shape_of(
    form: Annotated[
        str | None,
        Query(
            alias="format",
            max_length=LONGEST,
            description="Form of the answer; counts more than the Accept header.",
        ),
    ] = None,
    width: Annotated[
        int | None,
        Query(ge=LEAST_WIDTH, le=MOST_WIDTH, description="Columns of the form text."),
    ] = None,
) -> Shape:
    """Return the shape that the parameters ask for."""
    return Shape(form=form, width=width)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is to be explained."""

    vm: str | None
    host: str | None


async def about_of(
    vm: Annotated[str | None, Query(max_length=LONGEST, description="Name or id of a VM.")] = None,
    host: Annotated[
        str | None,
        Query(
            max_length=LONGEST,
            description="Name or id of a host; with vm: why that VM may or may not go there.",
        ),
    ] = None,
) -> About:
    """Return what the parameters ask about."""
    return About(vm=vm, host=host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is to be reported of: a batch, a plan or a span, of one cluster or all."""

    cluster: str | None
    batch: str
    plan: str
    since: str


async def past_of(
    cluster: Cluster = None,
    batch: Annotated[
        str, Query(max_length=LONGEST, description="One batch, by its id or the beginning of it.")
    ] = "",
    plan: Annotated[
        str, Query(max_length=LONGEST, description="One plan, by number, digest or id.")
    ] = "",
    since: Annotated[
        str,
        Query(
            max_length=LONGEST,
            description="Since: 90m, 24h, 7d, or 2026-05-01. Default without batch and plan: 24h.",
        ),
    ] = "",
) -> Past:
    """Return what the parameters ask to be reported of."""
    return Past(cluster=cluster, batch=batch, plan=plan, since=since)


async def wanted_of(
    cluster: Cluster = None,
    vm: Annotated[str, Query(max_length=LONGEST, description="Of one VM, by name or id.")] = "",
    state: Annotated[
        list[MoveState] | None, Query(description="In this state; may be repeated.")
    ] = None,
    since: Annotated[
        str, Query(max_length=LONGEST, description="Begun since: 90m, 24h, 7d, or 2026-05-01.")
    ] = "",
    plan: Annotated[
        str, Query(max_length=LONGEST, description="Of one plan, by number, digest or id.")
    ] = "",
    last: Last = 50,
) -> journal.Wanted:
    """Return which moves the parameters ask for."""
    return journal.Wanted(
        cluster=cluster, vm=vm, state=tuple(state or ()), since=since, plan=plan, last=last
    )


Shaped = Annotated[Shape, Depends(shape_of)]
