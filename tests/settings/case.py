"""One setting of a policy, two values of it, and what is to differ between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from balancer.model.outcome import JournalRow
from balancer.model.past import Past
from balancer.model.plan import Move
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Limits, Policy

WIDE = Policy(limits=Limits(moves_per_run_ratio=1.0, moves_per_hour_ratio=1.0))
"""The defaults, but for budgets that let every move through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`look` is asked with the policy that has either value; its answers must differ.

    `setting` is a dotted path as in a policy file; `also` are settings that both policies have besides.
    """

    setting: str
    values: tuple[Any, Any]
    look: Callable[[Policy], object]
    also: Mapping[str, Any] | None = None

    def answers(self) -> tuple[object, object]:
        """Return what comes of the one value and of the other."""
        base = WIDE
        for path, value in (self.also or {}).items():
            base = with_setting(base, path, value)
        one, other = (with_setting(base, self.setting, value) for value in self.values)
        return self.look(one), self.look(other)


def with_setting(policy: Policy, path: str, value: Any) -> Policy:
    """Return a policy with one setting changed; the path must name one that exists."""
    section, _, name = path.partition(".")
    if not name:
        return replace(policy, **{section: value})
    part = getattr(policy, section)
    if isinstance(part, Mapping):
        changed = {**part, next(key for key in part if key.value == name): value}
    else:
        changed = replace(part, **{name: value})
    return replace(policy, **{section: changed})


def moves(snap: Snapshot, rows: Sequence[JournalRow] = ()) -> Callable[[Policy], object]:
    """Ask for the moves of a plan and which of them are admitted, with reason and priority."""

    def look(policy: Policy) -> object:
        plan = plan_snapshot(snap, policy, settings=PlanSettings(), past=Past(rows=tuple(rows)))
        return [_told(move) for move in plan.moves]

    return look


def _told(move: Move) -> tuple[object, ...]:
    return move.vm, move.target, move.reason, move.wave, move.priority, move.this_run
