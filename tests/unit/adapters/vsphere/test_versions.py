"""Agreeing on an API version from the server's list."""

import pytest

from balancer.adapters.vsphere.versions import NoCommonVersion, newest_common


def listing(newest: str, *prior: str, name: str = "urn:vim25") -> bytes:
    rows = "".join(f"<version>{version}</version>" for version in prior)
    return (
        '<?xml version="1.0"?><namespaces version="1.0"><namespace>'
        f"<name>{name}</name><version>{newest}</version><priorVersions>{rows}</priorVersions>"
        "</namespace></namespaces>"
    ).encode()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (listing("8.0.3.0", "8.0.2.0", "7.0.3.0"), "vim.version.v8_0_3_0"),
        (listing("99.0.0.0", "8.0.2.0", "7.0.3.0"), "vim.version.v8_0_2_0"),
        (listing("6.7", "6.5", "6.0"), "vim.version.version12"),
        (listing("7.0.3.0"), "vim.version.v7_0_3_0"),
    ],
    ids=["known", "newer than pyVmomi", "old", "no prior versions"],
)
def test_the_newest_version_that_both_know_is_chosen(document: bytes, expected: str) -> None:
    assert newest_common(document) == expected


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (listing("99.0"), "99.0"),
        (listing("8.0.3.0", name="urn:other"), "offers none"),
        (b"<html><body>Welcome</body></html>", "not a list of versions but <html>"),
        (b"404 page not found", "not XML"),
        (b"", "not XML"),
    ],
    ids=["all unknown", "another namespace", "a web page", "plain text", "nothing"],
)
def test_what_is_no_usable_list_is_named(document: bytes, what: str) -> None:
    with pytest.raises(NoCommonVersion, match=what):
        newest_common(document)


def test_an_entity_bomb_is_not_expanded() -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "boom">{levels}]><namespaces>&e11;</namespaces>'
    with pytest.raises(NoCommonVersion, match="not XML"):
        newest_common(bomb.encode())
