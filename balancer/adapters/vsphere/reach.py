"""From a name to a connected socket within a time: resolve, connect, pass through an HTTP proxy.

Owns what comes before TLS. The system's resolver cannot be bound, so it is asked on a thread that is
left behind when the time is over; of several that wait for one name only one asks. Must never wait
longer than the budget of the call (`deadline`). Used by `transport`.
"""

import errno
import os
import select
import socket
import threading
from dataclasses import dataclass, field
from typing import Any

from balancer.adapters.vsphere.deadline import Budget
from balancer.adapters.vsphere.proxy import ask_for_tunnel
from balancer.adapters.vsphere.settings import ProxySettings, VsphereSettings
from balancer.model.units import Seconds

_Address = tuple[Any, ...]
"""Family, kind, protocol, canonical name and socket address, as `getaddrinfo` gives them."""

_MILLISECONDS = 1000


def reached(settings: VsphereSettings, budget: Budget) -> socket.socket:
    """Return a connection to the vCenter's port, through its proxy where it has one.

    Raises:
        OSError: there is none within the budget; `ProxyRefused` where the proxy said no.
    """
    proxy = settings.proxy
    if proxy is None:
        return _connected(settings.host, settings.port, budget)
    return _tunnelled(proxy, settings, budget)


def _tunnelled(proxy: ProxySettings, settings: VsphereSettings, budget: Budget) -> socket.socket:
    raw = _connected(proxy.host, proxy.port, budget)
    try:
        ask_for_tunnel(raw, proxy, to=(settings.host, settings.port), budget=budget)
    except BaseException:
        raw.close()
        raise
    return raw


def _connected(host: str, port: int, budget: Budget) -> socket.socket:
    """Try each address in turn. Each gets its share of the time, so that one cannot use up all."""
    found = addresses(host, port, budget)
    failure: OSError = socket.gaierror(socket.EAI_NONAME, "the name has no address")
    for index, address in enumerate(found):
        share_s = budget.seconds_left() / (len(found) - index)
        try:
            return _opened(address, budget, share_s)
        except OSError as err:
            failure = err
    raise failure


def _opened(address: _Address, budget: Budget, share_s: Seconds) -> socket.socket:
    family, kind, protocol, _, place = address
    raw = socket.socket(family, kind, protocol)
    try:
        raw.setblocking(False)
        code = raw.connect_ex(place)
        if code == errno.EINPROGRESS:
            code = _outcome(raw, budget, share_s)
        if code:
            raise OSError(code, os.strerror(code))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        raw.close()
        raise
    return raw


def _outcome(raw: socket.socket, budget: Budget, share_s: Seconds) -> int:
    """Wait until the attempt has ended and return its error number, 0 for none."""
    waiting = select.poll()
    waiting.register(raw, select.POLLOUT)
    give_up_at = budget.seconds_left() - share_s
    while not waiting.poll(budget.slice_s() * _MILLISECONDS):
        if budget.seconds_left() <= give_up_at:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    return raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@dataclass(slots=True)
class _Lookup:
    """One question to the resolver, for all who wait for its answer."""

    done: threading.Event = field(default_factory=threading.Event)
    found: list[_Address] = field(default_factory=list)
    failure: OSError | None = None


_LOOKUPS: dict[tuple[str, int], _Lookup] = {}
_LOOKUPS_LOCK = threading.Lock()


def addresses(host: str, port: int, budget: Budget) -> list[_Address]:
    """Return the addresses of a name, in the resolver's order.

    Raises:
        OSError: it has none, or the resolver did not answer within the budget.
    """
    with _LOOKUPS_LOCK:
        lookup = _LOOKUPS.get((host, port))
        if lookup is None:
            lookup = _LOOKUPS[host, port] = _Lookup()
            asking = threading.Thread(target=_ask, args=(host, port, lookup), daemon=True)
            asking.start()
    while not lookup.done.wait(budget.slice_s()):
        pass
    if lookup.failure is not None:
        raise socket.gaierror(lookup.failure.errno, lookup.failure.strerror)
    return lookup.found


def _ask(host: str, port: int, lookup: _Lookup) -> None:
    try:
        lookup.found = list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as err:
        lookup.failure = err
    except UnicodeError as err:  # no host name at all, such as one with an empty label
        lookup.failure = socket.gaierror(socket.EAI_NONAME, str(err))
    finally:
        with _LOOKUPS_LOCK:
            _LOOKUPS.pop((host, port), None)
        lookup.done.set()
