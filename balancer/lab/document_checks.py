"""What the shape of a file of results cannot say: unknown names, lines of unequal length, runs given twice."""

from collections.abc import Iterator, Mapping

from balancer.policy.problems import Mistake, shown
from balancer.policy.unchecked import entries, mapping, text, texts

_ENDS = ("source", "target")
_LINES = ("mean_load_percent", "peak_load_percent")


def mistakes_in(document: object) -> Iterator[Mistake]:
    """Yield what is wrong with a document as it is written, whatever else is."""
    whole = mapping(document)
    hosts = texts(whole, "hosts")
    seen: set[tuple[object, ...]] = set()
    for place, run in entries(whole, "runs"):
        key = (run.get("contender"), run.get("start"), run.get("seed"))
        if key in seen:
            yield Mistake(
                path=("runs", place),
                found="another run has the same contender, start and seed",
                allowed="each once",
            )
        seen.add(key)
        yield from _hosts(place, run, frozenset(hosts))
        yield from _curves(place, mapping(run.get("curves")), len(hosts))
    yield from _walls(whole)


def _hosts(place: int, run: Mapping[str, object], hosts: frozenset[str]) -> Iterator[Mistake]:
    for part in ("moves", "downs"):
        for index, mark in entries(run, part):
            keys = ("source",) if part == "downs" and mark.get("target") is None else _ENDS
            for key in keys:
                if text(mark, key) not in hosts:
                    yield Mistake(
                        path=("runs", place, part, index, key),
                        found=f"{shown(text(mark, key))} is not among hosts",
                        allowed="a name of the list hosts",
                    )


def _curves(place: int, curves: Mapping[str, object], hosts: int) -> Iterator[Mistake]:
    steps = _length(curves.get("unmet_ghz_h"))
    lengths: dict[tuple[int | str, ...], tuple[int | None, int | None, str]] = {
        ("spread_ratio",): (_length(curves.get("spread_ratio")), steps, "values")
    }
    for key in _LINES:
        rows = curves.get(key)
        lengths[(key,)] = (_length(rows), hosts, "rows, one for each host")
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            lengths[key, index] = (_length(row), steps, "values")
    for path, (found, wanted, what) in lengths.items():
        if None not in (found, wanted) and found != wanted:
            yield Mistake(
                path=("runs", place, "curves", *path),
                found=f"{found} {what}",
                allowed=f"{wanted}, as many as the lines beside it need",
            )


def _walls(whole: Mapping[str, object]) -> Iterator[Mistake]:
    walls, runs = (
        _length(mapping(whole.get("clock")).get("wall_seconds")),
        _length(whole.get("runs")),
    )
    if None not in (walls, runs) and walls != runs:
        yield Mistake(
            path=("clock", "wall_seconds"),
            found=f"{walls} values",
            allowed=f"{runs}, one for each run",
        )


def _length(value: object) -> int | None:
    """Return the length of a list, None for what is none: its shape is told of elsewhere."""
    return len(value) if isinstance(value, list) else None
