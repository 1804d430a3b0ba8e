"""How each cluster stands, for a terminal: a paragraph for each, from the document that programs are given."""

from collections.abc import Iterator, Mapping, Sequence

from balancer.expose.escape import visible
from balancer.expose.figures import duration, percent

Json = Mapping[str, object]

_LABEL_WIDTH = 11


def status_text(document: Json, *, width: int | None) -> str:
    """Return one block for each cluster; lines are not cut, since they say what must not be overlooked."""
    del width
    blocks = [_block(_mapping(one)) for one in _list(document, "clusters")]
    if document.get("stop_file"):
        blocks.insert(0, "Nothing is sent anywhere: the stop file is there.\n")
    if document.get("from_daemon") is False:
        blocks.append(
            "Read from the journal alone: what the daemon saw last it tells over HTTP (--url).\n"
        )
    return "\n".join(blocks) or "No cluster is configured.\n"


def _block(cluster: Json) -> str:
    lines = [visible(str(cluster.get("cluster", "")))]
    for label, text in _facts(cluster):
        lines.append(f"  {label:<{_LABEL_WIDTH}} {visible(text)}")
    return "\n".join(lines) + "\n"


def _facts(cluster: Json) -> Iterator[tuple[str, str]]:
    yield "mode", _mode(_mapping(cluster.get("mode")))
    failure, last = _mapping(cluster.get("failure")), _mapping(cluster.get("last_cycle"))
    if last:
        yield "last cycle", _last(last)
    if failure:
        yield "failed", f"{_when(failure, 'at')}: {failure.get('why')}"
    if "next_cycle_at" in cluster:
        yield "next cycle", _when(cluster, "next_cycle_at")
    imbalance = cluster.get("imbalance")
    if isinstance(imbalance, float | int):
        yield "imbalance", percent(imbalance, 1)
    for sentence in _told(_mapping(cluster.get("decision"))):
        yield "why", sentence
    if "newest_plan" in cluster:
        yield "newest plan", _plan(_mapping(cluster["newest_plan"]))
    yield from _lines(cluster)


def _told(decision: Json) -> Iterator[str]:
    told = decision.get("told")
    yield from (str(one) for one in told) if isinstance(told, list) else ()


def _lines(cluster: Json) -> Iterator[tuple[str, str]]:
    for key, label, words in (
        ("waiting", "waits", _waiting),
        ("running", "running", _running),
        ("paused", "paused", _paused),
        ("evacuations", "to empty", _emptied),
        ("closed", "held", _refusal),
    ):
        for one in _list(cluster, key):
            yield label, words(_mapping(one))
    breaker = _mapping(cluster.get("breaker"))
    if breaker.get("is_open"):
        until = f" until {_when(breaker, 'until')}" if "until" in breaker else ""
        yield "breaker", f"open{until}: {breaker.get('cause')}"
    elif breaker:
        yield "breaker", "closed"


def _mode(mode: Json) -> str:
    """Return the mode and what holds it there; where the last cycle was held further back, that too."""
    in_force, last = str(mode.get("in_force")), mode.get("last_cycle")
    detail = str(mode.get("detail", ""))
    because = detail.removeprefix(f"mode {in_force}, ")
    joined = ", " if because != detail else ": "
    told = (
        f"{last} in the last cycle, else {in_force}" if last not in (None, in_force) else in_force
    )
    return f"{told}{joined}{because}" if because else told


def _last(last: Json) -> str:
    planned, sent = last.get("moves_planned"), last.get("moves_sent")
    held = _mapping(last.get("held"))
    why = f"; held: {_refusal(held)}" if held else ""
    return f"{_when(last, 'ended_at')}: {last.get('status')}, {planned} moves planned, {sent} sent{why}"


def _plan(plan: Json) -> str:
    digest = str(plan.get("digest", ""))[:12]
    return (
        f"{plan.get('number')} ({digest}) of {_when(plan, 'made_at')}: {plan.get('moves')} moves, "
        f"{plan.get('state')}"
    )


def _waiting(plan: Json) -> str:
    return (
        f"plan {plan.get('number')}, {plan.get('moves')} moves, for approval until "
        f"{_when(plan, 'expires_at')}: balancer approve {plan.get('number')}"
    )


def _running(row: Json) -> str:
    percent_done = f", {row['progress_percent']} %" if "progress_percent" in row else ""
    expected = row.get("expected_seconds")
    length = f", {duration(expected)} expected" if isinstance(expected, float | int) else ""
    return (
        f"{row.get('vm_name')} {row.get('from')} -> {row.get('to')}, {row.get('state')} since "
        f"{_when(row, 'since')}{length}{percent_done}"
    )


def _paused(pause: Json) -> str:
    what = f"cluster {pause['cluster']}" if pause.get("cluster") else "everything"
    because = f": {pause['reason']}" if pause.get("reason") else ""
    return f"{what}, by {pause.get('by')} at {_when(pause, 'at')}{because}"


def _emptied(asked: Json) -> str:
    because = f": {asked['reason']}" if asked.get("reason") else ""
    return f"{asked.get('host_name')}, asked by {asked.get('by')} at {_when(asked, 'at')}{because}"


def _refusal(refusal: Json) -> str:
    return f"{refusal.get('reason')}, {refusal.get('detail')}".rstrip(", ")


def _when(found: Json, key: str) -> str:
    """Return an instant to the second; documents have it in UTC."""
    date, _, time = str(found.get(key, "")).partition("T")
    return f"{date} {time[:8]} UTC"


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(document: Json, key: str) -> Sequence[object]:
    value = document.get(key)
    return value if isinstance(value, list) else []
