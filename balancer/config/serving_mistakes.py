"""What is wrong between the settings of the section http: names and digests given twice, tokens in clear."""

from collections.abc import Iterator

from balancer.config.serving import is_loopback
from balancer.policy.problems import Mistake, shown
from balancer.policy.unchecked import entries, mapping, text

_HOW = "set http.tls, or allow_plain_http: true where a proxy before it encrypts"


def serving_mistakes(data: object) -> Iterator[Mistake]:
    """Yield what is wrong, from the plain values of the whole configuration."""
    http = mapping(mapping(data).get("http"))
    for key in ("name", "sha256"):
        seen: set[str] = set()
        for index, token in entries(http, "tokens"):
            value = (
                text(token, key).replace(":", "").lower() if key == "sha256" else text(token, key)
            )
            if value and value in seen:
                yield _twice(index, key, value)
            seen.add(value)
    if http.get("metrics_need_token") is True and not http.get("tokens"):
        found = "true, and there are no tokens"
        yield Mistake(path=("http", "metrics_need_token"), found=found, allowed="with http.tokens")
    if http.get("tokens") and _is_in_clear(http):
        found = (
            f"tokens, and {shown(text(http, 'listen'))} is reached from other machines without TLS"
        )
        yield Mistake(path=("http", "tokens"), found=found, allowed=_HOW)


def _twice(index: int, key: str, value: str) -> Mistake:
    found = f"{shown(value)} is given twice" if key == "name" else "the same token is given twice"
    return Mistake(path=("http", "tokens", index, key), found=found, allowed=f"each {key} once")


def _is_in_clear(http: object) -> bool:
    given = mapping(http)
    listen = text(given, "listen")
    is_guarded = given.get("tls") is not None or given.get("allow_plain_http") is True
    return bool(listen) and not is_loopback(listen) and not is_guarded
