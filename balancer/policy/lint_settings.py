"""Finds what settings and windows of a policy do not do, from the files alone.

A setting counts as given where a file gives it itself; what a migration threshold stands for is not given.
Pure: decides from the composed policies and the time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from balancer.policy.compose import PolicySet
from balancer.policy.lint_types import Level, LintFinding, LintKind
from balancer.policy.mode import Mode
from balancer.policy.problems import plain
from balancer.policy.rule_types import Enforce, PolicyRule, RuleKind
from balancer.policy.types import MemoryMetric, Policy
from balancer.policy.window_types import Effect
from balancer.policy.windows import is_open, opens_at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Idle:
    """Settings that do nothing under a condition, which is said in words."""

    paths: tuple[str, ...]
    applies: Callable[[Policy], bool]
    because: str
    mend: str


_IDLE = (
    _Idle(
        paths=("thresholds.vm_count_trigger", "thresholds.vm_count_target"),
        applies=lambda policy: not policy.goals.vm_count,
        because="goals.vm_count is off",
        mend="set goals.vm_count to true, or remove it",
    ),
    _Idle(
        paths=(
            "thresholds.balance_trigger",
            "thresholds.balance_target",
            "thresholds.minimum_benefit",
            "thresholds.balance_floor",
        ),
        applies=lambda policy: not (policy.goals.balance or policy.goals.consolidation),
        because="goals.balance is off",
        mend="set goals.balance to true, or remove it",
    ),
    _Idle(
        paths=("trigger.contention_sustained_s", "trigger.grave", "trigger.foreseen"),
        applies=lambda policy: not policy.goals.contention,
        because="goals.contention is off",
        mend="set goals.contention to true, or remove it",
    ),
    _Idle(
        paths=("trigger.balance_sustained_s",),
        applies=lambda policy: not policy.goals.balance,
        because="goals.balance is off",
        mend="set goals.balance to true, or remove it",
    ),
    _Idle(
        paths=("trigger.grave", "trigger.foreseen"),
        applies=lambda policy: (
            policy.goals.contention and policy.trigger.contention_sustained_s == 0
        ),
        because="trigger.contention_sustained_s is 0, so that every contention counts at once",
        mend="set trigger.contention_sustained_s above 0, or remove it",
    ),
    _Idle(
        paths=("trigger.sustained_share",),
        applies=lambda policy: (
            not policy.trigger.contention_sustained_s and not policy.trigger.balance_sustained_s
        ),
        because="neither contention nor imbalance has to last",
        mend="set trigger.contention_sustained_s or trigger.balance_sustained_s above 0, or remove it",
    ),
    _Idle(
        paths=("trigger.contention_sustained_s",),
        applies=lambda policy: _all_is_grave(policy) and policy.goals.contention,
        because="trigger.grave is no higher than the contention thresholds, so that no host has to wait",
        mend="set trigger.grave above thresholds.cpu_contention and thresholds.memory_contention",
    ),
    _Idle(
        paths=("idle_memory_share",),
        applies=lambda policy: policy.memory_metric is not MemoryMetric.ACTIVE,
        because="memory_metric is not active",
        mend="set memory_metric to active, or remove it",
    ),
    _Idle(
        paths=("drs.ignore_rules", "drs.soften_rules"),
        applies=lambda policy: not policy.drs.rules,
        because="drs.rules is false: no rule of the cluster counts",
        mend="set drs.rules to true, or remove it",
    ),
    _Idle(
        paths=("tag_rules.prefix",),
        applies=lambda policy: not policy.tag_rules.enabled,
        because="tag_rules.enabled is false",
        mend="set tag_rules.enabled to true, or remove it",
    ),
    _Idle(
        paths=("outside_windows",),
        applies=lambda policy: not any(w.effect is Effect.ALLOW for w in policy.windows),
        because="there is no window with effect: allow",
        mend="add such a window, or set mode",
    ),
    _Idle(
        paths=("prices.soft_rule",),
        applies=lambda policy: policy.prices.soft_rule == 0 and any(map(_is_wish, policy.rules)),
        because="at 0 no rule with enforce: should has a price, whatever its weight",
        mend="set it above 0, or remove these rules",
    ),
)


def _all_is_grave(policy: Policy) -> bool:
    limits = policy.thresholds
    return policy.trigger.grave <= min(limits.cpu_contention, limits.memory_contention)


def _is_wish(rule: PolicyRule) -> bool:
    return rule.enforce is Enforce.SHOULD and rule.kind is not RuleKind.EXCLUDE


def lint_settings(policies: PolicySet, now: datetime) -> Iterator[LintFinding]:
    """Yield what can be told without a cluster; `now` (with a time zone) is when windows are looked at."""
    policy, origins = policies.without_windows, policies.origins
    yield from _idle_settings(policy, origins)
    yield from _idle_windows(policy, origins, now)
    yield from _idle_modes(policy, origins)
    yield from _twins(policy)
    for conflict in policies.conflicts:
        yield LintFinding(
            level=Level.INFO,
            kind=LintKind.OVERRULED,
            why=str(conflict),
            mend="remove the value that does not count",
            where=conflict.lost.place.partition(": ")[0],
        )
    for one in policies.left_out:
        yield LintFinding(
            level=Level.INFO, kind=LintKind.OVERRULED, why=str(one), mend="mend its applies_to, or leave it out",
            where=one.file,
        )  # fmt: skip


def _idle_settings(policy: Policy, origins: Mapping[str, str]) -> Iterator[LintFinding]:
    for idle in _IDLE:
        for path in idle.paths:
            place, _, setting = origins.get(path, "").partition(": ")
            if setting == path and idle.applies(policy) and not _is_default(policy, path):
                yield _no_effect(f"{path} has no effect: {idle.because}", idle.mend, place)


def _is_default(policy: Policy, path: str) -> bool:
    """Whether a setting is as it would be if nobody gave it: a file may write out the defaults."""
    ours: object = policy
    default: object = Policy()
    for part in path.split("."):
        ours, default = getattr(ours, part), getattr(default, part)
    return ours == default


def _no_effect(why: str, mend: str, where: str) -> LintFinding:
    return LintFinding(
        level=Level.WARNING, kind=LintKind.NO_EFFECT, why=why, mend=mend, where=where
    )


def _idle_windows(
    policy: Policy, origins: Mapping[str, str], now: datetime
) -> Iterator[LintFinding]:
    own = policy.mode or Mode.AUTOMATIC
    for window in policy.windows:
        where, name = origins.get(f"windows.{window.name}", ""), plain(window.name)
        if not is_open(window, now) and opens_at(window, now) is None:
            yield LintFinding(
                level=Level.WARNING,
                kind=LintKind.WINDOW_NEVER_OPENS,
                why=f"window '{name}' never opens again after {now:%Y-%m-%d %H:%M} UTC",
                mend="mend its time, or remove it",
                where=where,
            )
        elif window.effect is Effect.DENY and window.mode.freedom >= own.freedom:
            why = (
                f"window '{name}' denies nothing: its mode {window.mode} is no stricter than {own}"
            )
            yield _no_effect(why, "set its mode to a stricter one, or remove it", where)
        elif window.effect is Effect.ALLOW and policy.outside_windows.freedom >= own.freedom:
            why = (
                f"window '{name}' allows nothing more: outside_windows is {policy.outside_windows}"
            )
            yield _no_effect(why, "set outside_windows to a stricter mode", where)


def _idle_modes(policy: Policy, origins: Mapping[str, str]) -> Iterator[LintFinding]:
    own = policy.mode or Mode.AUTOMATIC
    for number, entry in enumerate(policy.vm_modes):
        if entry.mode.freedom >= own.freedom:
            why = f"vm_modes[{number}] binds no VM: its mode {entry.mode} is no stricter than {own}"
            where = origins.get(f"vm_modes[{number}]", "")
            yield _no_effect(why, "set a stricter mode, or remove it", where)
    if policy.rules and not policy.goals.rules:
        why = "goals.rules is off: rules forbid moves that break them, and broken ones are not repaired"
        place = origins.get("goals.rules", "").partition(": ")[0]
        yield LintFinding(
            level=Level.INFO, kind=LintKind.NO_EFFECT, why=why, mend="set goals.rules to true", where=place
        )  # fmt: skip


def _twins(policy: Policy) -> Iterator[LintFinding]:
    """Yield rules that say the same as an earlier one under another name."""
    seen: dict[object, PolicyRule] = {}
    for rule in policy.rules:
        twin = seen.setdefault(_content(rule), rule)
        if twin is not rule:
            yield LintFinding(
                level=Level.WARNING,
                kind=LintKind.REDUNDANT,
                rule=rule.name,
                where=rule.origin,
                why=f"it says the same as rule '{plain(twin.name)}' ({twin.origin})",
                mend="remove one of the two",
            )


def _content(rule: PolicyRule) -> object:
    return replace(rule, name="", weight=1.0, origin="")
