"""Which VMs or hosts a policy speaks of: by name, place, tag, attribute, group, size, and combinations.

Values only. What a selector matches in a snapshot is `policy.selection`.
"""

from dataclasses import dataclass

from balancer.model.units import Mib


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Bounds of a VM's configured size, both ends included; None for no bound."""

    vcpus_at_least: int | None = None
    vcpus_at_most: int | None = None
    memory_mib_at_least: Mib | None = None
    memory_mib_at_most: Mib | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Every part that is given must hold; of the alternatives of one part, one is enough.

    `names` are exact, `globs` use `*`, `?` and `[...]`, `regexes` must match the whole name. `folders` and
    `pools` include what lies below. `tags` (`category:name`) and `guest_os` are globs, `attributes` are
    pairs of a custom attribute's name and a glob of its value. `every`, `some` and `none_of` are `all`,
    `any` and `not` of the document. A selector without any part does not exist: see the document.
    """

    names: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    regexes: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    guest_os: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    size: Size | None = None
    every: tuple["Selector", ...] = ()
    some: tuple["Selector", ...] = ()
    none_of: "Selector | None" = None
