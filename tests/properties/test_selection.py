"""Selectors match what a slow reading of their words matches, VM by VM; resolving twice is resolving once."""

import fnmatch
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from balancer.model.goal import Goal
from balancer.model.rule import RuleType
from balancer.model.snapshot import ResourcePool, Snapshot, Source, TagsState
from balancer.model.vm import Vm
from balancer.policy.pattern import matches_regex
from balancer.policy.resolve import resolve
from balancer.policy.rule_types import DrsHandling, Enforce, PolicyRule, RuleKind, SoftenedRule
from balancer.policy.selection import select_vms
from balancer.policy.selector import Selector, Size
from balancer.policy.types import Policy
from tests.support.builders import host, rule, snapshot, vm

NAMES = ("web-1", "web-12", "db-1", "Web-1", "w", "")
FOLDERS = (None, "prod", "prod/web", "prod/website", "test")
TAGS = ("tier:web", "tier:db", "balancer:exclude", "balancer:affinity:x", "balancer:oops")
POOLS = (
    ResourcePool(id="p1", name="root"),
    ResourcePool(id="p2", name="prod", parent="p1"),
    ResourcePool(id="p3", name="gold", parent="p2"),
)
GUESTS = (None, "rhel9_64Guest", "windows9Guest")
_sets = st.frozensets(st.sampled_from(TAGS), max_size=3)


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    """Draw a few VMs with all that selectors speak of."""
    machines = [
        vm(
            number,
            on=draw(st.integers(1, 2)),
            name=draw(st.sampled_from(NAMES)),
            folder=draw(st.sampled_from(FOLDERS)),
            resource_pool=draw(st.sampled_from(("p1", "p2", "p3", None))),
            guest_os=draw(st.sampled_from(GUESTS)),
            tags=draw(_sets),
            vcpus=draw(st.integers(1, 4)),
            attributes=draw(st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"))),
            groups=draw(st.frozensets(st.sampled_from("gh"))),
        )
        for number in range(1, draw(st.integers(0, 6)) + 1)
    ]
    rules = [rule("r", RuleType.AFFINITY, [1, 2])] if len(machines) > 1 else []
    state = draw(st.sampled_from(TagsState))
    hosts = [host(1, groups=frozenset({"left"})), host(2)]
    return snapshot(hosts, machines, rules, resource_pools=POOLS, source=Source(tags=state))


def _some(*values: str) -> Any:
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


_plain = st.builds(
    Selector,
    names=_some("web-1", "nobody", ""),
    globs=_some("*", "web-?", "*-1*", "[Ww]eb-1", "", "*e*"),
    regexes=_some("web-.*", "(?i)web-1", ".*1", "w|web-1", ""),
    folders=_some("prod", "/prod/web", "test/"),
    pools=_some("root", "prod", "gold"),
    tags=_some("tier:*", "*:web", "tier:db"),
    attributes=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("x*")), max_size=2).map(
        tuple
    ),
    guest_os=_some("rhel*", "*9*"),
    groups=_some("g", "h"),
    size=st.none() | st.builds(Size, vcpus_at_least=st.none() | st.integers(1, 4)),
)
_one_part = st.builds(
    lambda full, part: Selector(**{part: getattr(full, part)}),
    _plain,
    st.sampled_from(sorted(set(Selector.__slots__) - {"every", "some", "none_of"})),
)
_selectors = st.recursive(
    _one_part | _plain,
    lambda inner: st.builds(
        Selector,
        globs=_some("*", "web-*"),
        every=st.lists(inner, max_size=2).map(tuple),
        some=st.lists(inner, max_size=2).map(tuple),
        none_of=st.none() | inner,
    ),
    max_leaves=4,
)
_PARENTS = {"p1": ["root"], "p2": ["root", "prod"], "p3": ["root", "prod", "gold"]}


def reads(selector: Selector, one: Vm) -> bool:
    """Say for one VM whether a selector means it, word by word."""
    size = selector.size
    below = [part.strip("/") for part in selector.folders]
    parts = [
        (selector.names, one.name in selector.names),
        (selector.globs, any(fnmatch.fnmatchcase(one.name, g) for g in selector.globs)),
        (selector.regexes, any(matches_regex(r, one.name) for r in selector.regexes)),
        (selector.folders, any(f"{one.folder}/".startswith(f"{path}/") for path in below)),
        (selector.pools, bool({*selector.pools} & {*_PARENTS.get(one.resource_pool or "", ())})),
        (selector.tags, any(fnmatch.fnmatchcase(t, g) for t in one.tags for g in selector.tags)),
        (
            selector.attributes,
            all(
                name in one.attributes and fnmatch.fnmatchcase(one.attributes[name], glob)
                for name, glob in selector.attributes
            ),
        ),
        (
            selector.guest_os,
            any(fnmatch.fnmatchcase(one.guest_os, g) for g in selector.guest_os)
            if one.guest_os
            else False,
        ),
        (selector.groups, bool(one.groups & {*selector.groups})),
        (size, size is None or (size.vcpus_at_least or 0) <= one.vcpus),
        (selector.some, any(reads(inner, one) for inner in selector.some)),
    ]
    return (
        all(holds for given_part, holds in parts if given_part)
        and all(reads(inner, one) for inner in selector.every)
        and not (selector.none_of and reads(selector.none_of, one))
    )


@given(clusters(), _selectors)
def test_a_selector_matches_what_its_words_say(snap: Snapshot, selector: Selector) -> None:
    assert select_vms(selector, snap) == {one.id for one in snap.vms if reads(selector, one)}


_rules = st.lists(
    st.builds(
        PolicyRule,
        name=st.sampled_from(("r", "s", "balancer:affinity:x")),
        kind=st.sampled_from(RuleKind),
        vms=_selectors,
        hosts=st.sampled_from((Selector(groups=("left",)), Selector(names=("nobody",)))),
        keeps_off=st.booleans(),
        enforce=st.sampled_from(Enforce),
        most=st.integers(1, 2),
        exclude_from=st.frozensets(st.sampled_from(Goal), min_size=1),
    ),
    max_size=4,
).map(tuple)
_drs = st.builds(
    DrsHandling,
    rules=st.booleans(),
    overrides=st.booleans(),
    ignore_rules=_some("r", "x*"),
    soften_rules=st.sampled_from(((), (SoftenedRule(name="*", weight=2.0),))),
)


@given(clusters(), _rules, _drs)
def test_resolving_is_idempotent_names_are_unique_and_members_exist(
    snap: Snapshot, rules: tuple[PolicyRule, ...], drs: DrsHandling
) -> None:
    policy = Policy(rules=rules, drs=drs)
    once = resolve(snap, policy)
    assert resolve(once.snapshot, policy) == once
    names = [made.name for made in once.snapshot.rules if made.enabled]
    assert len(set(names)) == len(names)
    for made in once.snapshot.rules:
        assert snap.vm_by_id.keys() >= set(made.vms)
        assert snap.host_by_id.keys() >= made.hosts
