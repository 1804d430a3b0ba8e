"""The HTTP interface over a journal and a board that a test fills: what a daemon with one cluster would show."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from json import dumps
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
from fastapi import FastAPI

from balancer.adapters.clock import SystemClock
from balancer.adapters.http.app import Interface, build_app
from balancer.adapters.http.gate import Gate
from balancer.adapters.store.sqlite import SqliteStore
from balancer.api.explaining import last_snapshot
from balancer.api.scene import Scene, Watched
from balancer.board import Board
from balancer.config import HttpToken
from balancer.expose.health import Health
from balancer.expose.metrics import Metrics
from balancer.keeping import stored
from balancer.model.access import Role
from balancer.model.events import CycleEnded, PlanMade, SnapshotTaken
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.in_force import mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm

SHARD = "vc1/prod"
TOKENS = {role: f"{role}-token-of-the-test" for role in Role}


def tokens() -> tuple[HttpToken, ...]:
    """Return one token of each role, as the configuration has them; named as their roles."""
    return tuple(
        HttpToken(name=role.value, role=role, sha256=hashlib.sha256(token.encode()).hexdigest())
        for role, token in TOKENS.items()
    )


def bearer(role: Role) -> dict[str, str]:
    """Return the header that shows the token of a role."""
    return {"authorization": f"Bearer {TOKENS[role]}"}


def uneven(*names: str) -> Snapshot:
    """Return three hosts whose VMs, at least eight, are all on the first."""
    called = names or tuple(f"vm{number}" for number in range(1, 9))
    load = 32e3 / len(called)
    crowd = [
        vm(n, on=1, name=name, cpu_demand_mhz=load, uuid=f"uuid-{n}")
        for n, name in enumerate(called, start=1)
    ]
    return snapshot([host(1), host(2), host(3)], crowd)


@dataclass(kw_only=True)
class Asked:
    """An application, and what stands behind it."""

    store: SqliteStore
    folder: Path
    mode: Mode = Mode.MANUAL
    policy: Policy = field(default_factory=Policy)
    board: Board = field(init=False)
    scene: Scene = field(init=False)
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        """Put scene, board and gate together."""
        clock = SystemClock()
        self.board = Board(clock, [SHARD])
        self.gate = Gate(tokens(), clock.monotonic)
        self.scene = Scene(
            store=self.store,
            now=clock.now,
            clusters=lambda: (self.watched(),),
            read=lambda cluster: last_snapshot(self.scene, cluster=cluster.shard),
            stop_path=self.folder / "stop",
            board=self.board,
            next_turn=lambda shard: datetime.now(UTC) + timedelta(minutes=5),
        )

    def watched(self) -> Watched:
        """Return the one cluster."""
        return Watched(
            vcenter="vc1",
            name="prod",
            mode=self.mode,
            interval_s=300.0,
            policy_at=lambda when: self.policy,
        )

    def app(self, *, metrics_need_token: bool = False) -> FastAPI:
        """Return the application."""
        clock = SystemClock()
        health = Health(clock, vcenters={}, loops={})
        interface = Interface(
            scene=self.scene, gate=self.gate, metrics_need_token=metrics_need_token
        )
        return build_app(Metrics(clock), health, interface)

    def plan(self, facts: Snapshot | None = None, *, minutes_ago: float = 0.0) -> int:
        """Let the daemon make and keep a plan; return its number."""
        facts = facts or uneven()
        now = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        facts = replace(facts, taken_at=now)
        in_force = mode_in_force(self.policy, self.mode, now)
        made = plan_snapshot(facts, self.policy, settings=PlanSettings(), in_force=in_force)
        self.show(facts, made)
        return self.store.keep_plan(stored(made, facts, SHARD))

    def show(self, facts: Snapshot, plan: Plan) -> None:
        """Tell the board of a cycle."""
        listener = self.board.listener(SHARD)
        listener.tell(SnapshotTaken(snapshot=facts, state=plan.before, asked_at=facts.taken_at))
        listener.tell(PlanMade(plan=plan))
        listener.tell(CycleEnded(plan=plan, outcomes=(), phase_seconds={}))


@contextmanager
def asked_of(folder: Path, **facts: object) -> Iterator[Asked]:
    """Give one over a journal in a folder."""
    store = SqliteStore(folder / "journal.sqlite")
    try:
        yield Asked(store=store, folder=folder, **facts)  # type: ignore[arg-type]
    finally:
        store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an application answered."""

    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def status_code(self) -> int:
        """Return the status."""
        return self.status

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.content.decode("utf-8")

    def json(self) -> Any:
        """Return the body's document."""
        return json.loads(self.content)


class Client:
    """Asks an application without a network: thousands of requests in seconds.

    Targets are taken as they are, with all that a client would have made harmless. What fails inside becomes the
    answer that a client would see.
    """

    def __init__(self, app: FastAPI, role: Role | None = None) -> None:
        self._runner = asyncio.Runner()
        self._app = app
        self._headers = bearer(role) if role else {}

    def request(
        self, method: str, target: str, *, headers: Any = None, content: bytes = b""
    ) -> Reply:
        """Ask once."""
        return self._runner.run(self._ask(method, target, httpx.Headers(headers), content))

    async def _ask(self, method: str, target: str, headers: httpx.Headers, content: bytes) -> Reply:
        path, _, query = target.partition("?")
        given = [(name.lower(), value) for name, value in headers.raw]
        if "authorization" not in headers:
            given += [(k.encode(), v.encode()) for k, v in self._headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": given,
            "client": ("192.0.2.1", 50_000),
            "server": ("balancer.test", 80),
        }
        sent: list[Any] = []
        body = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def receive() -> Any:
            return next(body, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            sent.append(message)

        with suppress(Exception):
            await self._app(scope, receive, send)
        return Reply(
            status=sent[0]["status"],
            headers=httpx.Headers(sent[0]["headers"]),
            content=b"".join(message.get("body", b"") for message in sent[1:]),
        )

    def get(self, target: str, *, headers: Any = None) -> Reply:
        """Ask with GET."""
        return self.request("GET", target, headers=headers)

    def post(
        self, target: str, *, json: Any = None, content: bytes = b"", headers: Any = None
    ) -> Reply:
        """Ask with POST; `json` is the body, where `content` is not."""
        if json is not None:
            content = dumps(json).encode()
            headers = {"content-type": "application/json"} | dict(headers or {})
        return self.request("POST", target, headers=headers, content=content)

    def close(self) -> None:
        """End the loop that it asks on."""
        self._runner.close()
