"""One POST to one address: the only importer of httpx, so that another client can take its place.

Certificates are verified, redirects are not followed (an answer must not send a message, or its signature, to
somewhere else), the environment's proxies are not looked at, and the answer's body is not read. Messages of
httpx carry the address, hence they go nowhere.
"""

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from balancer.model.errors import DeliveryFailed
from balancer.model.units import Seconds
from balancer.version import VERSION

CONNECT_WITHIN_S: Seconds = 5.0
ANSWER_WITHIN_S: Seconds = 10.0
"""For each piece of the answer. An answer that drips holds up its own channel alone."""

LONGEST_RETRY_AFTER_S: Seconds = 300.0

_LATER = frozenset({408, 409, 423, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent where. `ca_file`: trusted instead of the system's authorities."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    ca_file: Path | None = None
    proxy: str | None = None


def post(request: Request) -> None:
    """Send it once; return where the answer is a success.

    Raises:
        DeliveryFailed: it is not, or there was none.
    """
    import httpx  # noqa: PLC0415 - 0.2 s that a daemon without channels does not pay

    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    headers = {"User-Agent": f"vsphere-balancer/{VERSION}", **request.headers}
    try:
        with (
            httpx.Client(
                verify=_trust(request.ca_file),
                proxy=request.proxy,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(ANSWER_WITHIN_S, connect=CONNECT_WITHIN_S),
            ) as client,
            client.stream("POST", request.url, content=request.body, headers=headers) as answer,
        ):
            status, after = answer.status_code, answer.headers.get("Retry-After", "")
    except httpx.TimeoutException:
        raise DeliveryFailed("no answer in time", is_transient=True) from None
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as err:
        raise _failed(err) from None
    if not 200 <= status < 300:
        raise _refused(status, after)


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as err:
        found = f"ca_file {ca_file} cannot be used: {err.strerror or 'no PEM certificate in it'}"
        raise DeliveryFailed(found, is_transient=False) from None


def _failed(err: Exception) -> DeliveryFailed:
    """Say what went wrong by the kind of the error: its words may hold the address."""
    links = [err]
    while links[-1].__context__ is not None or links[-1].__cause__ is not None:
        under = links[-1].__cause__ or links[-1].__context__
        if not isinstance(under, Exception) or under in links:
            break
        links.append(under)
    untrusted = next((one for one in links if isinstance(one, ssl.SSLCertVerificationError)), None)
    if untrusted is not None:
        told = (
            f"its certificate is not trusted ({untrusted.verify_message}): set ca_file, or mend it"
        )
        return DeliveryFailed(told, is_transient=False)
    text = f"no connection, or no proper answer ({type(err).__name__})"
    return DeliveryFailed(text, is_transient=True)


def _refused(status: int, after: str) -> DeliveryFailed:
    if 300 <= status < 400:
        told = f"it answered {status}, a redirect, which is not followed: name the final address"
        return DeliveryFailed(told, is_transient=False)
    is_transient = status >= 500 or status in _LATER
    hint = "" if is_transient else ": is the address right, and still in use?"
    wait_s = (
        min(float(after), LONGEST_RETRY_AFTER_S) if after.isdecimal() and after.isascii() else None
    )
    return DeliveryFailed(
        f"it answered {status}{hint}", is_transient=is_transient, retry_after_s=wait_s
    )
