"""What the functions of this package work on: the store, the clusters, and what the daemon saw last.

Put together by the daemon from what it runs with, by commands from the configuration and the journal file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from balancer.board import NOTHING_SEEN, Board, Seen
from balancer.model.errors import BalancerError, NotFound
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.problems import nearest, plain
from balancer.policy.types import Policy
from balancer.ports import Store

T = TypeVar("T")


class PolicyAt(Protocol):
    """The policy of a cluster at an instant."""

    def __call__(self, when: datetime, /) -> Policy:
        """Return it. Raises `InputError` where a policy file is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One configured cluster. `mode` is the one of the configuration."""

    vcenter: str
    name: str
    mode: Mode
    interval_s: Seconds
    policy_at: PolicyAt

    @property
    def shard(self) -> str:
        """Return what the cluster goes by in the journal."""
        return f"{self.vcenter}/{self.name}"

    def in_force(self, now: datetime) -> InForce:
        """Return what holds at an instant, by configuration, policies and their windows."""
        return mode_in_force(self.policy_at(now), self.mode, now)


def never(shard: str) -> datetime | None:
    """Return that nobody knows when the next cycle is due."""
    del shard
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where questions are answered from. `board` is None beside a daemon, whose memory nobody has there.

    `read` gives a snapshot of a cluster in which a host can be looked for; it may raise `SourceError`.
    """

    store: Store
    now: Callable[[], datetime]
    clusters: Callable[[], tuple[Watched, ...]]
    read: Callable[[Watched], Snapshot]
    stop_path: Path
    board: Board | None = None
    next_turn: Callable[[str], datetime | None] = never

    def seen(self, shard: str) -> Seen:
        """Return what the daemon saw last of a cluster; nothing where nobody knows."""
        return self.board.seen(shard) if self.board else NOTHING_SEEN

    def one(self, wanted: str | None) -> Watched:
        """Return the cluster that is meant: NAME, VCENTER/NAME, or the only one. Raises as `named_one`."""
        return named_one({cluster.shard: cluster for cluster in self.clusters()}, wanted)

    def chosen(self, wanted: str | None) -> tuple[str, tuple[Watched, ...]]:
        """Return a shard (empty: everything) and the clusters that it covers. Raises as `one`."""
        if not wanted:
            return "", self.clusters()
        found = self.one(wanted)
        return found.shard, (found,)

    def of_shard(self, shard: str) -> Watched:
        """Return the cluster of a kept plan; raises `NotFound` where it is not configured any more."""
        for cluster in self.clusters():
            if cluster.shard == shard:
                return cluster
        raise NotFound(f"The plan is of cluster {shard}, which is not configured any more.")


def named_one(every: Mapping[str, T], wanted: str | None) -> T:
    """Return the one of what is named VCENTER/NAME that a person means by that, by NAME, or as the only one.

    Raises:
        NotFound: nothing is called so.
        BalancerError: several are; the message lists all.
    """
    listed = ", ".join(sorted(every))
    if not wanted:
        if len(every) == 1:
            return next(iter(every.values()))
        raise BalancerError(f"Several clusters are configured. Name one with --cluster: {listed}.")
    fitting = [one for name, one in every.items() if wanted in (name, name.partition("/")[2])]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise BalancerError(
            f"'{plain(wanted)}' is in several vCenters. Name it in full, of: {listed}."
        )
    names = {name for full in every for name in (full, full.partition("/")[2])}
    question = f" ({nearest(wanted, names)})" if nearest(wanted, names) else ""
    raise NotFound(
        f"No cluster '{plain(wanted)}' is configured{question}. Configured: {listed or 'none'}."
    )
