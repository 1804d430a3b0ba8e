import pytest

from balancer.model.snapshot import ResourcePool
from balancer.policy.selection import parts_of, select_hosts, select_vms
from balancer.policy.selector import Selector, Size
from balancer.policy.text_index import TextIndex
from tests.support.builders import host, snapshot, vm

POOLS = (
    ResourcePool(id="resgroup-1", name="Resources"),
    ResourcePool(id="resgroup-2", name="prod", parent="resgroup-1"),
    ResourcePool(id="resgroup-3", name="gold", parent="resgroup-2"),
    ResourcePool(id="resgroup-4", name="test", parent="resgroup-1"),
)
SNAPSHOT = snapshot(
    [
        host(1, name="esx-a1", groups=frozenset({"rack-a"}), tags=frozenset({"site:north"})),
        host(2, name="esx-b1", groups=frozenset({"rack-b"}), tags=frozenset({"site:south"})),
    ],
    [
        vm(
            1,
            on=1,
            name="web-1",
            folder="prod/web",
            resource_pool="resgroup-2",
            tags=frozenset({"tier:web", "env:prod"}),
            attributes={"owner": "team a", "cost": "17"},
            guest_os="ubuntu64Guest",
            groups=frozenset({"webs"}),
        ),
        vm(
            2,
            on=1,
            name="web-2",
            folder="prod/website",
            resource_pool="resgroup-3",
            tags=frozenset({"tier:web"}),
            attributes={"owner": "team b", "cost": "17"},
            guest_os="windows2019srv_64Guest",
            vcpus=8,
            memory_mib=65_536.0,
        ),
        vm(
            3,
            on=2,
            name="Web-3",
            folder="prod",
            resource_pool="resgroup-4",
            guest_os="ubuntu64Guest",
            power="off",
        ),
        vm(4, on=2, name="db-1", folder=None, vcpus=4, memory_mib=8192.0),
    ],
    resource_pools=POOLS,
)


def numbers(selector: Selector) -> str:
    return " ".join(sorted(key.removeprefix("vm-") for key in select_vms(selector, SNAPSHOT)))


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param(Selector(names=("web-1", "db-1")), "1 4", id="names"),
        pytest.param(Selector(names=("WEB-1",)), "", id="names are case-sensitive"),
        pytest.param(Selector(names=("web-*",)), "", id="a name is no glob"),
        pytest.param(Selector(globs=("web-?",)), "1 2", id="glob"),
        pytest.param(Selector(globs=("[Ww]eb-*",)), "1 2 3", id="glob with a class"),
        pytest.param(Selector(globs=("*-1", "Web-3")), "1 3 4", id="one of several globs"),
        pytest.param(Selector(globs=("eb-",)), "", id="a glob matches the whole name"),
        pytest.param(Selector(regexes=(r"(web|db)-\d",)), "1 2 4", id="regex"),
        pytest.param(Selector(regexes=("web",)), "", id="a regex matches the whole name"),
        pytest.param(Selector(regexes=("(?i)web-.",)), "1 2 3", id="regex without case"),
        pytest.param(Selector(folders=("prod",)), "1 2 3", id="folder with all below"),
        pytest.param(Selector(folders=("prod/web",)), "1", id="no folder that begins alike"),
        pytest.param(Selector(folders=("/prod/website/",)), "2", id="folder with slashes"),
        pytest.param(Selector(pools=("prod",)), "1 2", id="pool with its children"),
        pytest.param(Selector(pools=("Resources",)), "1 2 3", id="the root pool"),
        pytest.param(Selector(pools=("pro*",)), "", id="a pool's name is no glob"),
        pytest.param(Selector(tags=("tier:web",)), "1 2", id="tag"),
        pytest.param(Selector(tags=("*:prod", "x:y")), "1", id="one of several tag globs"),
        pytest.param(Selector(attributes=(("owner", "team *"),)), "1 2", id="attribute"),
        pytest.param(
            Selector(attributes=(("owner", "team a"), ("cost", "17"))), "1", id="all attributes"
        ),
        pytest.param(Selector(attributes=(("nobody", "*"),)), "", id="attribute that nobody has"),
        pytest.param(Selector(guest_os=("windows*", "ubuntu64Guest")), "1 2 3", id="guest system"),
        pytest.param(Selector(groups=("webs",)), "1", id="group"),
        pytest.param(Selector(size=Size(vcpus_at_least=4)), "2 4", id="size at least"),
        pytest.param(
            Selector(size=Size(vcpus_at_least=4, vcpus_at_most=4)), "4", id="both ends included"
        ),
        pytest.param(Selector(size=Size(memory_mib_at_least=8193)), "2", id="memory at least"),
        pytest.param(Selector(size=Size(memory_mib_at_most=8192)), "1 3 4", id="memory at most"),
        pytest.param(Selector(globs=("*-1",), tags=("tier:*",)), "1", id="parts together"),
        pytest.param(Selector(none_of=Selector(globs=("web-*",))), "3 4", id="not alone"),
        pytest.param(
            Selector(
                every=(Selector(folders=("prod",)), Selector(none_of=Selector(names=("web-1",))))
            ),
            "2 3",
            id="all with not",
        ),
        pytest.param(
            Selector(some=(Selector(names=("db-1",)), Selector(tags=("env:*",)))), "1 4", id="any"
        ),
    ],
)
def test_a_selector_matches_what_it_says(selector: Selector, expected: str) -> None:
    assert numbers(selector) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param(Selector(names=("esx-a1",)), {"host-1"}, id="name"),
        pytest.param(Selector(globs=("esx-*",)), {"host-1", "host-2"}, id="glob"),
        pytest.param(Selector(regexes=("esx-[b-z].*",)), {"host-2"}, id="regex"),
        pytest.param(Selector(groups=("rack-a",)), {"host-1"}, id="group"),
        pytest.param(Selector(tags=("site:south",)), {"host-2"}, id="tag"),
        pytest.param(Selector(none_of=Selector(groups=("rack-a",))), {"host-2"}, id="not"),
        pytest.param(Selector(folders=("prod",)), set(), id="hosts have no folder"),
    ],
)
def test_hosts_are_selected_alike(selector: Selector, expected: set[str]) -> None:
    assert select_hosts(selector, SNAPSHOT) == expected


def test_what_a_selector_speaks_of_is_found_in_its_depth() -> None:
    deep = Selector(names=("a",), some=(Selector(none_of=Selector(tags=("x:*",))),))
    assert parts_of(deep) == {"names", "tags"}


ODD_TEXTS = ("", "a", "ab", "b", "a.b", "über", "a\nb")


@pytest.mark.parametrize("texts", [ODD_TEXTS, ODD_TEXTS[:-1], ("a",), ()], ids=len)
@pytest.mark.parametrize(
    "regex",
    [".*", "", "a|ab", "ab|a", "[^a]*", r"\Aa", r"b\z", "(?s).*", r"a\sb", "^a$", "(?m)^a$",
     "(?-s)a.b", ".+", r"\bab?\b", "a*b*", "[^x]+", "ü.er"],
)  # fmt: skip
def test_one_pass_finds_what_a_match_of_each_text_finds(texts: tuple[str, ...], regex: str) -> None:
    from balancer.policy.pattern import matches_regex

    index = TextIndex((text, f"id-{text}") for text in texts)
    assert index.regex(regex) == {f"id-{text}" for text in texts if matches_regex(regex, text)}


@pytest.mark.parametrize("texts", [ODD_TEXTS, ("ab]c", "a[c", "]x", "xx-1", "x-1-x"), ()], ids=len)
@pytest.mark.parametrize(
    "glob",
    ["*", "?", "a*", "*b", "*b*", "a?", "*.b", "[ab]", "[!a]*", "*[!]x]*", "*[]]*", "*[", "a[*",
     "*-1", "*-1*", "?-?-?", "**", "*x*x*", "*\n*", "über", "*ber"],
)  # fmt: skip
def test_a_glob_finds_what_a_match_of_each_text_finds(texts: tuple[str, ...], glob: str) -> None:
    from balancer.policy.pattern import matches_glob

    index = TextIndex((text, f"id-{text}") for text in texts)
    assert index.glob(glob) == {f"id-{text}" for text in texts if matches_glob(glob, text)}
