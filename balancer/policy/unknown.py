"""What a snapshot does not know of the things that selectors speak of: tags, and guest systems.

Owns the difference between "has none" and "not known", so that a rule that cannot be read is never taken
for one that selects nothing. Pure.
"""

from dataclasses import dataclass

from balancer.model.snapshot import Snapshot, TagsState
from balancer.policy.resolved import NoteKind
from balancer.policy.selection import parts_of
from balancer.policy.selector import Selector

_WHY = {
    TagsState.INCOMPLETE: "the account may not see all of them",
    TagsState.OFF: "vcenters.read_tags is false",
    TagsState.REFUSED: "the login or the right to read them was refused",
    TagsState.UNREACHABLE: "the server that shows them does not answer",
    TagsState.UNSUPPORTED: "the server does not show them",
    TagsState.UNREADABLE: "the server's answer could not be read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One kind of fact that is not known, and why."""

    kind: NoteKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What is not known in a snapshot. `tags` and `guest_os` of None are known.

    `hides_tag_rules` says that there may be rules written as tags that cannot be seen.
    """

    tags: Gap | None = None
    guest_os: Gap | None = None
    hides_tag_rules: bool = False

    def behind(self, *selectors: Selector) -> Gap | None:
        """Return what selectors speak of and nobody knows, or None where they can be answered."""
        parts = frozenset().union(*map(parts_of, selectors))
        if "tags" in parts and self.tags:
            return self.tags
        return self.guest_os if "guest_os" in parts else None


def unknown_facts(snapshot: Snapshot) -> Unknown:
    """Return what the snapshot does not know. Guest systems are, where one VM's at least is."""
    state = snapshot.source.tags
    tags = None
    if not state.is_known:
        tags = Gap(kind=NoteKind.TAGS_UNKNOWN, text=f"tags are not known: {_WHY[state]}")
    guest_os = None
    if snapshot.vms and not any(vm.guest_os for vm in snapshot.vms):
        text = "guest systems are not known: the snapshot names none"
        guest_os = Gap(kind=NoteKind.GUEST_OS_UNKNOWN, text=text)
    return Unknown(tags=tags, guest_os=guest_os, hides_tag_rules=state.may_hide_rules)
