"""Strategies for documents that are wrong anywhere: any JSON, and right documents with pieces replaced."""

import copy
from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

_WORDS = ("id", "name", "host", "hosts", "vms", "vm", "from", "to", "rules", "after", "moves")
_IDS = ("", "vm-101", "vm-999", "host-11", "host-99", "m1", "m9", "\ud800", "x" * 200)
LEAVES = st.one_of(
    st.sampled_from([None, True, -1, 0, 2.5, 1e308, 10**30, *_IDS]), st.integers(), st.text()
)
ANY_JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(_WORDS), st.text()), inner, max_size=4),
    ),
    max_leaves=12,
)


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every piece of a document but the whole."""
    inside = value.items() if isinstance(value, dict) else ()
    for part, item in enumerate(value) if isinstance(value, list) else inside:
        yield (*path, part)
        yield from paths_of(item, (*path, part))


@st.composite
def damaged(draw: st.DrawFn, document: object, *, values: st.SearchStrategy[object]) -> object:
    """Draw the document with one to four of its pieces replaced."""
    broken = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 4))):
        paths: Sequence[tuple[str | int, ...]] = list(paths_of(broken))
        if paths:
            _replace(broken, draw(st.sampled_from(paths)), draw(values))
    return broken


def _replace(document: object, path: tuple[str | int, ...], value: object) -> None:
    here = document
    for part in path[:-1]:
        here = here[part]  # type: ignore[index]  # the path was read from this document
    here[path[-1]] = value  # type: ignore[index]
