"""A test of policies as it is written down, `kind: PolicyTest`: a cluster, policies, a time, what must come of it.

It owns the form of the document and its JSON Schema. Whom its names mean in a cluster is
`policy.expectation_names`; whether an expectation is met is `assess.expectations`. Unknown keys are refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Discriminator, Field, Tag

from balancer.model.plan import PlanStatus
from balancer.policy.cluster_document import ClusterDocument, GenerateDocument, cluster_mistakes
from balancer.policy.mode import Mode
from balancer.policy.problems import NAMES_TAG, SELECTOR_TAG, Loc, Mistake
from balancer.policy.selector_document import DocumentPart, SelectorDocument, Word, Words
from balancer.policy.strict_yaml import YamlFile, read_yaml
from balancer.policy.typed_document import typed
from balancer.policy.unchecked import entries, mapping

API_VERSION = "balancer/v1"
KIND = "PolicyTest"

SOURCES = ("snapshot", "cluster", "generate")
"""Ways to say which cluster is meant; a test has one of them."""


def _form(value: object) -> str:
    return SELECTOR_TAG if isinstance(value, dict | SelectorDocument) else NAMES_TAG


Chosen = Annotated[
    Annotated[Words, Tag(NAMES_TAG)] | Annotated[SelectorDocument, Tag(SELECTOR_TAG)],
    Discriminator(_form),
]
"""VMs or hosts: names or ids, all of which must be there, or a selector that must select some."""

Count = Annotated[int, Field(ge=0)]


class RunsOnDocument(DocumentPart):
    """VMs, and the hosts of which each of them runs on one in the end."""

    vms: Chosen = Field(description="The VMs, by name or id, or a selector.")
    hosts: Chosen = Field(description="The hosts, by name or id, or a selector.")


class ExpectationDocument(DocumentPart):
    """One expectation: exactly one of these keys.

    Moves are those that happen without a person: a mode in force that holds some back holds them back here.
    """

    no_moves: Literal[True] | None = Field(default=None, description="Nothing moves.")
    moves_at_most: Count | None = Field(default=None, description="So many moves or fewer.")
    moves_at_least: Count | None = Field(default=None, description="So many moves or more.")
    never_share_host: Chosen | None = Field(
        default=None,
        description="These VMs share no host in the end, and no two that were apart meet on the way.",
    )
    share_host: Chosen | None = Field(
        default=None, description="These VMs all run on one host in the end."
    )
    empty: Chosen | None = Field(default=None, description="These hosts run no VM in the end.")
    runs_on: RunsOnDocument | None = Field(
        default=None, description="Each of the VMs runs on one of the hosts in the end."
    )
    stay: Chosen | None = Field(default=None, description="These VMs do not move at all.")
    status: PlanStatus | None = Field(default=None, description="The plan's status.")
    rule_holds: Word | None = Field(
        default=None, description="This rule, by name, holds in the end."
    )
    mode: Mode | None = Field(default=None, description="This mode is in force at that time.")


class PolicyTestDocument(DocumentPart):
    """What must come of policies on a cluster at a time."""

    model_config = ConfigDict(title="Test of policies, version 1")

    api_version: Literal["balancer/v1"] = Field(alias="apiVersion")
    kind: Literal["PolicyTest"]
    name: Word = Field(description="Shown in results.")
    description: str = Field(default="", description="For people.")
    snapshot: Word | None = Field(
        default=None, description="A snapshot file; its path is relative to this file."
    )
    cluster: ClusterDocument | None = Field(
        default=None, description="A cluster, written out in short."
    )
    generate: GenerateDocument | None = Field(
        default=None, description="A generated cluster, as that of the demo."
    )
    policies: tuple[Word, ...] = Field(
        default=("balanced",),
        min_length=1,
        description="Policies by name or path, merged in order; paths are relative to this file.",
    )
    vcenter: Word | None = Field(
        default=None, description="Name of the vCenter, for policies that apply to some only."
    )
    mode: Mode = Field(
        default=Mode.AUTOMATIC, description="The cluster's mode in the configuration."
    )
    at: Annotated[AwareDatetime, Field(strict=False)] | None = Field(
        default=None,
        description="The time for windows, such as 2026-12-24T22:00:00+01:00. "
        "Not given: that of the snapshot.",
    )
    expect: tuple[ExpectationDocument, ...] = Field(
        min_length=1, description="What must come of it; each has one key."
    )


def policy_test_mistakes(data: object) -> Iterator[Mistake]:
    """Yield what is wrong across the keys of a test, from the plain values of a document."""
    given = [key for key in SOURCES if key in mapping(data)]
    if len(given) != 1:
        found = " and ".join(given) if given else "no cluster"
        yield Mistake(path=(), found=found, allowed=f"one of {', '.join(SOURCES)}")
    for index, entry in entries(data, "expect"):
        yield from _entry_mistakes(entry.keys(), entry, ("expect", index))


def _entry_mistakes(keys: object, entry: object, path: Loc) -> Iterator[Mistake]:
    known = [key for key in mapping(entry) if key in ExpectationDocument.model_fields]
    unknown = len(mapping(entry)) - len(known)
    if len(known) > 1 or not (known or unknown):
        found = f"{' and '.join(known)} in one entry" if known else "an empty entry"
        allowed = "one key in each entry" if known else ", ".join(ExpectationDocument.model_fields)
        yield Mistake(path=path, found=found, allowed=allowed)
    for key in known:
        if mapping(entry)[key] is None:
            yield Mistake(
                path=(*path, key), found="null", allowed="a value, or leave the entry out"
            )


def read_policy_test(path: Path) -> tuple[YamlFile, PolicyTestDocument]:
    """Read a test, as it is written and as a document; its snapshot and policies are not looked at.

    Raises:
        InputError: every problem of the file, with line and column.
    """
    file = read_yaml(path)
    also = (*policy_test_mistakes(file.data), *cluster_mistakes(file.data))
    return file, typed(file, PolicyTestDocument, also=also)


def policy_test_schema() -> dict[str, object]:
    """Return the JSON Schema of the document, as published in `balancer/schemas`."""
    schema = PolicyTestDocument.model_json_schema(by_alias=True)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "balancer/policy-test.v1.schema.json",
    }
    return head | schema
