"""Questions and changes over HTTP: the running daemon is asked, with a token from a file.

The only importer of httpx among the commands. What comes back is not trusted: text is made harmless for the
terminal, and what is no answer of a balancer is said to be none.
"""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from balancer.api.operations import OPERATIONS, PREFIX
from balancer.config.parts import secret
from balancer.config.serving import is_loopback
from balancer.expose.escape import visible
from balancer.model.errors import BalancerError, PlanRefused
from balancer.model.units import Seconds

TIMEOUT_S: Seconds = 60.0
"""Total wait for a piece of the answer: verifying a long audit log takes its time."""

CONNECT_S: Seconds = 10.0
MOST_SHOWN = 2000
PROBLEM = "application/problem+json"


class Remote:
    """A `desk.Desk` at an address."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client, self._url = client, url

    @classmethod
    @contextmanager
    def opened(cls, url: str, token_file: Path | None, ca_file: Path | None) -> Iterator["Remote"]:
        """Give one; nothing is asked yet. Raises `BalancerError`: address, token file or authorities are wrong."""
        base = _address(url)
        headers = {"authorization": f"Bearer {_token(token_file)}"}
        timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_S)
        with httpx.Client(
            base_url=f"{base}{PREFIX}",
            headers=headers,
            timeout=timeout,
            verify=_trusted(ca_file),
            trust_env=False,
        ) as client:
            yield cls(client, base)

    def text(self, name: str, *, width: int | None, **words: object) -> str:
        """Return the answer for people."""
        shape = {"format": "text"} | ({"width": str(width)} if width else {})
        answer = self._read(name, words, shape)
        if not answer.headers.get("content-type", "").startswith("text/plain"):
            raise self._no_balancer(answer)
        return _harmless(answer.text)

    def document(self, name: str, **words: object) -> dict[str, object]:
        """Return the answer for programs."""
        return self._parsed(self._read(name, words, {"format": "json"}))

    def change(self, name: str, *, reason: str, **words: object) -> str:
        """Make a change in the name of the token."""
        path, rest = _filled(OPERATIONS[name].path, words)
        body = {key: value for key, value in rest.items() if value is not None}
        told = self._parsed(self._asked("POST", path, json=body | {"reason": reason})).get("told")
        lines = told if isinstance(told, list) else []
        return "".join(f"{visible(str(line))}\n" for line in lines)

    def _read(
        self, name: str, words: Mapping[str, object], shape: Mapping[str, str]
    ) -> httpx.Response:
        path, rest = _filled(OPERATIONS[name].path, words)
        given = {key: _worded(value) for key, value in rest.items() if value not in (None, "", ())}
        return self._asked("GET", path, params=given | dict(shape))

    def _asked(self, method: str, path: str, **facts: object) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **facts)  # type: ignore[arg-type]
        except httpx.TimeoutException as error:
            raise BalancerError(
                f"Asking the daemon at {self._url}: no answer in time. What was asked may have been done: "
                "look with balancer status. To stop everything without HTTP: balancer pause --config F, or "
                "make the stop file."
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise BalancerError(
                f"Asking the daemon at {self._url}: {visible(str(error))}. Is it running, is the address "
                "right, and is its certificate of an authority that is trusted (--ca-file)? On the daemon's "
                "machine commands work without HTTP, with --config F."
            ) from error
        if answer.is_success:
            return answer
        raise self._refusal(answer)

    def _refusal(self, answer: httpx.Response) -> BalancerError:
        """Return what the daemon said no with, in a paragraph."""
        if not answer.headers.get("content-type", "").startswith(PROBLEM):
            return self._no_balancer(answer)
        problem = self._parsed(answer)
        kind = str(problem.get("type", "")).rpartition(":")[2]
        detail = visible(str(problem.get("detail", "")))[:MOST_SHOWN]
        if kind == "plan-refused":
            return PlanRefused(detail)
        if kind in ("not-found", "unclear", "not-seen-yet"):
            return BalancerError(detail)
        mend = visible(str(problem.get("mend", "")))
        title = visible(str(problem.get("title", "")))
        return BalancerError(f"The daemon at {self._url} refuses: {title}. {detail}. {mend}")

    def _parsed(self, answer: httpx.Response) -> dict[str, object]:
        try:
            found = json.loads(answer.content)
        except ValueError as error:
            raise self._no_balancer(answer) from error
        if not isinstance(found, dict):
            raise self._no_balancer(answer)
        return found

    def _no_balancer(self, answer: httpx.Response) -> BalancerError:
        return BalancerError(
            f"What answers at {self._url} is no balancer: status {answer.status_code}, "
            f"{visible(answer.headers.get('content-type', 'no content type'))[:100]}. Give the address of the "
            "daemon itself, as its log line `serving` has it, or of the proxy before it."
        )


def _address(url: str) -> str:
    """Return an address without a slash at its end. A token is sent in clear within this machine alone."""
    parts = urlsplit(url)
    is_plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if parts.scheme == "http" and not is_plain:
        raise BalancerError(
            f"{visible(url)} would send the token in clear over the network. Use https://, or a tunnel to the "
            "daemon that ends on this machine, and http://127.0.0.1:PORT."
        )
    if not (is_plain or parts.scheme == "https") or not parts.hostname or parts.username:
        raise BalancerError(
            f"'{visible(url)}' is no address of a daemon: allowed are https://HOST:PORT and "
            "http://127.0.0.1:PORT, without user, password and token."
        )
    return url.rstrip("/")


def _token(file: Path | None) -> str:
    if file is None:
        raise BalancerError(
            "The daemon is asked with a token, and none is named. Put it into a file that only you can read, and "
            "name that with --token-file or BALANCER_TOKEN_FILE; a token is made with balancer token."
        )
    token = secret(file, "--token-file", "this command").strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise BalancerError(
            f"The file {file} holds no token: letters, digits and signs without spaces."
        )
    return token


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise BalancerError(
            f"Reading the authorities of --ca-file {ca_file}: {error}. Allowed: a PEM file with certificates."
        ) from error


def _filled(path: str, words: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Return a path with the words that have a place in it, and the other words."""
    placed = {key for key in words if f"{{{key}}}" in path}
    filled = path.format(**{key: quote(str(words[key]), safe="") for key in placed})
    return filled, {key: value for key, value in words.items() if key not in placed}


def _worded(value: object) -> str | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return str(value)


def _harmless(text: str) -> str:
    return "".join(f"{visible(line)}\n" for line in text.removesuffix("\n").split("\n"))
