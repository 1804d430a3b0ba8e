"""Where a process is to die or to freeze: named points on its way, put in from outside the product.

Ports are wrapped (before and after each call), the database's engine and the connections below the migrator
are listened to. What happens carries a name, such as `run: store.begin, committed`; at the n-th of the chosen
name the process sends itself a signal. Sends nothing and changes nothing by itself.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from balancer.adapters.vsphere.transport import WatchedConnection

METHOD = b"RelocateVM_Task"
SCHEDULE = {
    "store.past": "plan",
    "store.take_lease": "run",
    "store.give_back": "end",
}
"""With which call a part of the cycle begins."""


class Fate:
    """Counts the points that a process passes, and strikes at one of them."""

    def __init__(self, point: str, nth: int, signal: int) -> None:
        self._point, self._nth, self._signal = point, nth, signal
        self.phase, self.call = "settle", ""
        self.passed: list[str] = []

    def begins(self, call: str) -> None:
        """Take it that a port is called."""
        self.phase, self.call = SCHEDULE.get(call, self.phase), call

    def reach(self, place: str) -> None:
        """Take it that a place is reached; the signal comes here."""
        name = f"{self.phase}: {place}"
        self.passed.append(name)
        if name == self._point and self.passed.count(name) == self._nth:
            os.kill(os.getpid(), self._signal)


class WatchedPort:
    """A port whose calls are told to a fate, before and after."""

    def __init__(self, port: object, name: str, fate: Fate) -> None:
        self._port, self._name, self._fate = port, name, fate

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method, fate = getattr(self._port, name), self._fate
        called = f"{self._name}.{name}"

        def call(*args: Any, **facts: Any) -> Any:
            place = _told_apart(called, facts)
            outer = fate.call
            fate.begins(called)
            fate.reach(f"before {place}")
            try:
                return method(*args, **facts)
            finally:
                fate.reach(f"after {place}")
                fate.call = outer

        return call


def _told_apart(called: str, facts: dict[str, Any]) -> str:
    """Name a read by what it is for: with hosts it is the look before a move, without it is one for a VM."""
    if called != "inventory.refresh":
        return called
    return f"{called} of hosts" if facts["hosts"] else f"{called} of VMs"


@dataclass(slots=True)
class Watcher:
    """Whom the database and the wire tell what happens: one fate at a time, that of the life that is lived."""

    fate: Fate
    sends: Path
    label: str


def watch_database(watcher: Watcher) -> None:
    """Tell of every transaction that writes: begun, each statement, before and after its commit."""
    written: list[str] = []

    def reach(what: str) -> None:
        watcher.fate.reach(f"{watcher.fate.call}, {what}")

    @event.listens_for(Engine, "after_cursor_execute")
    def _executed(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        words = statement.split()
        if words[0] in ("INSERT", "UPDATE"):
            written.append(words[0])
            reach(f"{words[0].lower()} {words[1 + (words[0] == 'INSERT')]}")
        elif statement == "BEGIN IMMEDIATE":
            written.clear()
            reach("transaction begun")

    @event.listens_for(Engine, "commit")
    def _commits(_connection: Any) -> None:
        if written:
            reach("before the commit")

    @event.listens_for(Pool, "checkin")
    def _committed(_connection: Any, _record: Any) -> None:
        if written:
            written.clear()
            reach("committed")


def watch_wire(watcher: Watcher) -> None:
    """Tell of the way of each vMotion request over the wire, and write down each that leaves."""
    request, send, getresponse = (
        WatchedConnection.request,
        WatchedConnection.send,
        WatchedConnection.getresponse,
    )
    under_way: set[int] = set()

    def requested(self: WatchedConnection, *args: Any, **facts: Any) -> None:
        if not _is_mutation(args, facts):
            request(self, *args, **facts)
            return
        under_way.add(id(self))
        watcher.fate.reach("the request, nothing sent")
        note_send(watcher.sends, watcher.label)
        request(self, *args, **facts)
        watcher.fate.reach("the request, all sent")

    def sent(self: WatchedConnection, data: Any) -> None:
        if id(self) not in under_way:
            send(self, data)
            return
        half = len(data) // 2
        watcher.fate.reach("the request, a part begun")
        send(self, data[:half])
        watcher.fate.reach("the request, half a part sent")
        send(self, data[half:])

    def answered(self: WatchedConnection) -> Any:
        answer = getresponse(self)
        if id(self) in under_way:
            under_way.discard(id(self))
            watcher.fate.reach("the request, answer begun")
        return answer

    WatchedConnection.request = requested  # type: ignore[assignment,method-assign]
    WatchedConnection.send = sent  # type: ignore[assignment,method-assign]
    WatchedConnection.getresponse = answered  # type: ignore[method-assign]


def _is_mutation(args: tuple[Any, ...], facts: dict[str, Any]) -> bool:
    body = facts.get("body") or (args[2] if len(args) > 2 else b"")
    return METHOD in (body if isinstance(body, bytes) else str(body).encode())


def note_send(sends: Path, label: str) -> None:
    """Append to the file of what left the process: who, and when by the wall clock."""
    line = json.dumps({"who": label, "at": time.time()}) + "\n"
    with sends.open("a", encoding="utf-8") as file:
        file.write(line)
