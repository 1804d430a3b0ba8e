"""What the daemon works on: vCenters with their two sides, and the clusters that are watched there.

Owns these values and nothing that runs. Put together by the daemon's composition root, by tests from fakes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from balancer.model.changes import Change
from balancer.model.reasons import Refusal
from balancer.model.units import ClusterId, Seconds
from balancer.plan import PlanSettings
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.ports import ClusterRef, Inventory, Migrator, PastDemand


class Changes(Protocol):
    """Where hints of changes between cycles come from."""

    def follow(self, cluster: ClusterId, tell: Callable[[tuple[Change, ...]], None]) -> None:
        """Tell of changes of a cluster from now on, from a thread of its own; may be called again."""


def _nothing() -> None:
    """Do nothing."""


def may_act(cluster: ClusterRef) -> Refusal | None:
    """Return that the account may act."""
    del cluster
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One vCenter: its reading and its writing side, and how to log out. Connects when first asked.

    `give_up` ends reads under way; `changes` is None where hints are switched off, `past` where the vCenter is not
    asked what it remembers. `barred` asks why the
    account must not act on a cluster, and may raise `SourceError`.
    """

    name: str
    inventory: Inventory
    migrator: Migrator
    close: Callable[[], None]
    keep_alive: Callable[[], None] = _nothing
    give_up: Callable[[], None] = _nothing
    barred: Callable[[ClusterRef], Refusal | None] = may_act
    changes: Changes | None = None
    past: PastDemand | None = None


class Policies(Protocol):
    """The policy of a cluster at each instant. Equal ones give equal policies."""

    def at(self, when: datetime) -> Policy:
        """Return the policy in force, with the settings of the windows that are open then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One cluster that the daemon works on, and everything its cycles are given.

    `mode` is the configured one.
    """

    name: str
    link: Link
    mode: Mode
    policies: Policies
    interval_s: Seconds
    shortest_interval_s: Seconds = 60.0
    settings: PlanSettings = field(default_factory=PlanSettings)

    @property
    def key(self) -> str:
        """Return what names the cluster among those of all vCenters."""
        return f"{self.link.name}/{self.name}"
