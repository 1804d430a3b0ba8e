"""Rules that people write as vSphere tags on their VMs: `balancer:anti-affinity:web`, `balancer:exclude`.

In vCenter the prefix is the tag's category and the rest its name: category `balancer`, tag
`anti-affinity:web`. Owns the words; what the rules do is `policy.resolve`. Prefix and words are read in
upper and lower case alike, the names that follow are not. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from balancer.model.goal import Goal
from balancer.model.units import VmId
from balancer.policy.mode import Mode
from balancer.policy.problems import closest
from balancer.policy.rule_types import RuleKind

_NAMED = {"affinity": RuleKind.AFFINITY, "anti-affinity": RuleKind.ANTI_AFFINITY}
_OF_HOSTS = {
    "run-on": RuleKind.VM_HOST,
    "keep-off": RuleKind.VM_HOST,
    "prefer": RuleKind.PREFER,
}
_GOALS = {goal.value.replace("_", "-"): goal for goal in Goal}
_MODES = {mode.value: mode for mode in Mode if mode is not Mode.AUTOMATIC}
FORMS = (
    *(f"{word}:NAME" for word in _NAMED),
    *(f"{word}:HOST-GROUP" for word in _OF_HOSTS),
    "exclude",
    "exclude:GOAL",
    "mode:MODE",
)
"""Every form of a tag's name, without the prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRule:
    """What one tag says of the VMs that have it. What its kind does not use is empty.

    `kind` of None: the tag sets the freest `mode`. `host_group` is the group to run on, or to keep off.
    """

    tag: str
    vms: frozenset[VmId]
    kind: RuleKind | None
    host_group: str = ""
    keeps_off: bool = False
    goals: frozenset[Goal] = frozenset()
    mode: Mode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTagRule:
    """A tag with the prefix that is no rule, what would be one, and the nearest spelling if one is near."""

    tag: str
    vms: frozenset[VmId]
    allowed: str
    nearest: str = ""


def read_tags(
    prefix: str, by_tag: Iterable[tuple[str, frozenset[VmId]]]
) -> list[TagRule | NoTagRule]:
    """Return what the tags with the prefix say, by tag."""
    start = f"{prefix}:".casefold()
    return [
        read_tag(tag, tag[len(start) :], vms)
        for tag, vms in sorted(by_tag)
        if tag.casefold().startswith(start)
    ]


def read_tag(tag: str, name: str, vms: frozenset[VmId]) -> TagRule | NoTagRule:
    """Return what one tag says; `name` is what follows the prefix."""
    head, _, rest = (part.strip() for part in name.partition(":"))
    word = head.casefold()
    if word in _NAMED and rest:
        return TagRule(tag=tag, vms=vms, kind=_NAMED[word])
    if word in _OF_HOSTS and rest:
        keeps_off = word == "keep-off"
        return TagRule(tag=tag, vms=vms, kind=_OF_HOSTS[word], host_group=rest, keeps_off=keeps_off)
    if word == "exclude":
        goal = _GOALS.get(rest.casefold().replace("_", "-"))
        if goal or not rest:
            goals = frozenset({goal} if goal else Goal)
            return TagRule(tag=tag, vms=vms, kind=RuleKind.EXCLUDE, goals=goals)
    if word == "mode" and rest.casefold() in _MODES:
        return TagRule(tag=tag, vms=vms, kind=None, mode=_MODES[rest.casefold()])
    return _no_rule(tag, name, vms, word=word, rest=rest)


def _no_rule(tag: str, name: str, vms: frozenset[VmId], *, word: str, rest: str) -> NoTagRule:
    prefix = tag[: len(tag) - len(name)]
    answers: dict[str, tuple[str, ...]] = {"exclude": tuple(_GOALS), "mode": tuple(_MODES)}
    if word in answers:
        near = closest(rest.casefold(), answers[word])
        allowed = ", ".join(answers[word])
        return NoTagRule(
            tag=tag, vms=vms, allowed=allowed, nearest=f"{prefix}{word}:{near}" if near else ""
        )
    near = closest(word, (*_NAMED, *_OF_HOSTS, *answers))
    is_bare = near and not rest and near != "exclude"
    return NoTagRule(
        tag=tag,
        vms=vms,
        allowed=", ".join(FORMS),
        nearest="" if not near or is_bare else f"{prefix}{near}" + (f":{rest}" if rest else ""),
    )
