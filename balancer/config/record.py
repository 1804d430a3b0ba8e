"""The section on recording: whether snapshots are kept for the lab, where, and how much of them."""

from typing import Annotated

from pydantic import Field

from balancer.config.parts import FilePath, Part, Text


class Record(Part):
    """Snapshots on disk in the form that the lab replays. Without `folder` nothing is recorded.

    `clusters` as vcenter/cluster; none named: all. With `anonymize` names are replaced by the same pseudonyms
    for as long as the key beside the journal is kept.
    """

    folder: FilePath | None = None
    anonymize: bool = False
    clusters: tuple[Text, ...] = ()
    keep_days: Annotated[int, Field(ge=1, le=366)] = 14
    most_mib: Annotated[int, Field(ge=16, le=1_048_576)] = 1_024
