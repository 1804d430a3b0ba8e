"""The two stores are twins: whatever is done to both, in whatever order, both answer the same.

Every method of the port is a rule. The full run (`BALANCER_TWIN_STEPS=100000`) makes that many random steps.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from balancer.adapters.store.memory import MemoryStore
from balancer.adapters.store.sqlite import SqliteStore
from balancer.model.audit import AuditHead, AuditNote
from balancer.model.errors import StoreError
from balancer.model.lease import Lease, Permit
from balancer.model.outcome import FailureKind, JournalStep, MoveState, RowQuery
from balancer.model.past import Breaker, VerdictResult
from balancer.model.plan import MoveReason
from balancer.model.units import ClusterId, HostId
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import ANY_NUMBER, entry
from tests.support.records import (
    approval,
    disturbance,
    evacuation,
    foreign_move,
    pause,
    quarantine,
    stored_plan,
    verdict,
)

STEPS = int(os.environ.get("BALANCER_TWIN_STEPS", "600"))
STEPS_AT_ONCE = 60
pytestmark = pytest.mark.timeout(120 + STEPS)
RAM_DISK = Path(
    "/dev/shm"
)  # what is compared is answers: forcing them to a disk would only take longer

SHARDS = st.sampled_from(["vc1/a", "vc1/b"])
SCOPES = st.sampled_from(["", "vc1", "vc1/a", "vc1/b"])
VCENTERS = st.sampled_from(["vc1", "vc2"])
CLUSTERS = st.sampled_from([ClusterId("domain-c1"), ClusterId("domain-c2")])
PEOPLE = st.sampled_from(["ann", "bob"])
FEW = st.integers(0, 6)
SOME = st.integers(1, 4)
HOSTS = st.sampled_from([HostId(f"host-{number}") for number in range(1, 5)])
TEXTS = st.text(max_size=6)


class TwinStores(RuleBasedStateMachine):
    """Does everything twice. Time goes on by itself, sometimes by more than a day."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(dir=RAM_DISK if RAM_DISK.is_dir() else None)
        self.path = Path(self.folder.name) / "journal.sqlite"
        self.disk, self.memory = SqliteStore(self.path), MemoryStore()
        self.now = NOON
        self.leases: list[Lease] = []

    def _both(self, deed: Callable[[Store], Any]) -> Any:
        results: list[Any] = []
        for twin in (self.disk, self.memory):
            try:
                results.append(deed(twin))
            except StoreError as err:
                results.append((type(err), str(err)))
        assert results[0] == results[1]
        return results[0]

    @rule(seconds=st.sampled_from([1.0, 20.0, 600.0, 5000.0, 90_000.0]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(shard=SHARDS, holder=PEOPLE, lasts_s=st.sampled_from([0.0, 30.0, 1e6]))
    def take_lease(self, shard: str, holder: str, lasts_s: float) -> None:
        lease = self._both(
            lambda twin: twin.take_lease(shard, holder, at=self.now, lasts_s=lasts_s)
        )
        if lease is not None:
            self.leases.append(lease)

    @rule(which=FEW, gives_back=st.booleans())
    def renew_or_give_back(self, which: int, gives_back: bool) -> None:
        lease = self._lease(which)
        if gives_back:
            self._both(lambda twin: twin.give_back(lease))
        else:
            self._both(lambda twin: twin.renew_lease(lease, at=self.now, lasts_s=30.0))

    def _lease(self, which: int) -> Lease:
        """Return one of the last leases, or one that nobody was given."""
        known = self.leases[-5:]
        if which < len(known):
            return known[-1 - which]
        return Lease(shard="vc1/a", holder="nobody", token=99, expires_at=self.now)

    @rule(
        vm=st.integers(1, 5),
        which=st.integers(0, 1),
        counts=st.fixed_dictionaries(
            {},
            optional={
                "open_in_vcenter": FEW,
                "open_in_cluster": FEW,
                "open_on_source": FEW,
                "open_on_target": FEW,
                "in_cycle": FEW,
                "in_hour": FEW,
                "of_vm_in_day": FEW,
            },
        ),
        facts=st.fixed_dictionaries(
            {
                "source": HOSTS,
                "target": HOSTS,
                "cycle_id": st.sampled_from(["c1", "c2"]),
                "vm_name": TEXTS,
                "pace": st.floats(0, 1e6),
                "expected_seconds": st.floats(0, 1e6),
                "reason": st.sampled_from(list(MoveReason)),
                "vcenter": VCENTERS,
                "cluster": CLUSTERS,
            }
        ),
    )
    def begin(self, vm: int, which: int, counts: dict[str, int], facts: dict[str, Any]) -> None:
        permit = Permit(lease=self._lease(which), allowance=replace(ANY_NUMBER, **counts))
        new = entry(vm, **facts, intended_at=self.now)
        self._both(lambda twin: twin.begin(new, permit))

    @rule(
        row=st.integers(0, 12),
        state=st.sampled_from(list(MoveState)),
        task=st.sampled_from(["", "task-1", "task-2"]),
        kind=st.none() | st.sampled_from(list(FailureKind)),
        text=TEXTS,
    )
    def advance(
        self, row: int, state: MoveState, task: str, kind: FailureKind | None, text: str
    ) -> None:
        new = JournalStep(
            state=state, at=self.now, task=task, kind=kind, fault=text[:2], detail=text
        )
        self._both(lambda twin: twin.advance(row, new))

    @rule(
        query=st.builds(
            RowQuery,
            vcenter=st.sampled_from(["", "vc1"]),
            cluster=st.none() | CLUSTERS,
            vm=st.sampled_from(["", "vm-1"]) | TEXTS,
            states=st.frozensets(st.sampled_from(list(MoveState)), max_size=3),
            plan=st.sampled_from(["", "p1", "p2"]),
            last=st.none() | FEW,
        ),
        ago=st.none() | st.integers(0, 100_000),
    )
    def find_rows(self, query: RowQuery, ago: int | None) -> None:
        since = None if ago is None else self.now - timedelta(seconds=ago)
        for asked in (query, replace(query, since=since), replace(query, until=since)):
            self._both(lambda twin, asked=asked: twin.find_rows(asked))

    @rule(scope=SCOPES, by=PEOPLE, reason=TEXTS)
    def pause(self, scope: str, by: str, reason: str) -> None:
        self._both(lambda twin: twin.pause(pause(scope, by=by, reason=reason, at=self.now)))

    @rule(scope=SCOPES, by=PEOPLE)
    def resume(self, scope: str, by: str) -> None:
        self._both(lambda twin: twin.resume(scope, by=by, at=self.now))

    @rule(number=SOME, shard=SHARDS)
    def ask_evacuation(self, number: int, shard: str) -> None:
        asked = evacuation(number, shard=shard, at=self.now)
        self._both(lambda twin: twin.ask_evacuation(asked))

    @rule(request=FEW, shard=SCOPES)
    def end_evacuation(self, request: int, shard: str) -> None:
        self._both(lambda twin: twin.end_evacuation(request, by="bob", at=self.now))
        self._both(lambda twin: twin.evacuations(shard))

    @rule(shard=SHARDS, digest=st.sampled_from(["abc", "abd", "b%"]), document=TEXTS)
    def keep_plan(self, shard: str, digest: str, document: str) -> None:
        made = stored_plan(digest, shard=shard, document=document, made_at=self.now)
        self._both(lambda twin: twin.keep_plan(made))

    @rule(key=st.sampled_from(["", "1", "3", "ab", "abd", "p-", "b%", "%", "_"]) | TEXTS)
    def find_plan(self, key: str) -> None:
        self._both(lambda twin: twin.find_plan(key))

    @rule(plan=FEW, shard=SHARDS, rejected=st.booleans())
    def approve(self, plan: int, shard: str, rejected: bool) -> None:
        facts = {"shard": shard, "rejected": rejected, "at": self.now}
        given = approval(plan, **facts, expires_at=self.now + timedelta(hours=1))
        self._both(lambda twin: twin.approve(given))

    @rule(shard=SHARDS, last=FEW, scope=SCOPES)
    def take_approval(self, shard: str, last: int, scope: str) -> None:
        self._both(lambda twin: twin.take_approval(shard, at=self.now))
        self._both(lambda twin: twin.approvals(scope, last=last))
        self._both(lambda twin: twin.plans(scope, last=last))

    @rule(vcenter=VCENTERS, cluster=CLUSTERS, cause=SOME, text=TEXTS)
    def learn(self, vcenter: str, cluster: ClusterId, cause: int, text: str) -> None:
        where = {"vcenter": vcenter, "cluster": cluster}
        until = self.now + timedelta(hours=cause)
        held = quarantine(cause, **where, since=self.now, until=until, detail=text)
        self._both(lambda twin: twin.put_quarantine(held))
        seen = foreign_move(cause, **where, vm_name=text, seen_at=self.now)
        self._both(lambda twin: twin.note_foreign_move(seen))
        noise = disturbance(**where, detail=text, at=self.now)
        self._both(lambda twin: twin.note_disturbance(noise))

    @rule(vcenter=VCENTERS, cluster=CLUSTERS, level=FEW, is_open=st.booleans(), cause=TEXTS)
    def put_breaker(
        self, vcenter: str, cluster: ClusterId, level: int, is_open: bool, cause: str
    ) -> None:
        since = self.now if level else None
        state = Breaker(level=level, since=since, until=since, cause=cause, is_open=is_open)
        self._both(lambda twin: twin.put_breaker(vcenter, cluster, state, at=self.now))

    @rule(
        cluster=CLUSTERS,
        cycle=SOME,
        result=st.sampled_from(list(VerdictResult)),
        gains=st.tuples(st.floats(-1, 1), st.none() | st.floats(-1, 1)),
    )
    def put_verdict(
        self,
        cluster: ClusterId,
        cycle: int,
        result: VerdictResult,
        gains: tuple[float, float | None],
    ) -> None:
        facts = {"predicted_gain": gains[0], "measured_gain": gains[1], "ended_at": self.now}
        judged = verdict(f"c{cycle}", cluster=cluster, result=result, **facts)
        self._both(lambda twin: twin.put_verdict(judged))

    @rule(vcenter=VCENTERS, cluster=CLUSTERS, by=PEOPLE)
    def acknowledge(self, vcenter: str, cluster: ClusterId, by: str) -> None:
        self._both(lambda twin: twin.acknowledge_verdicts(vcenter, cluster, by=by, at=self.now))

    @rule(
        text=TEXTS,
        facts=st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | TEXTS, max_size=2),
    )
    def note(self, text: str, facts: dict[str, object]) -> None:
        told = AuditNote(at=self.now, action=text, reason=text, facts=facts)
        self._both(lambda twin: twin.note(told))

    @rule(days=st.floats(-1, 3))
    def forget(self, days: float) -> None:
        self._both(lambda twin: twin.forget(self.now - timedelta(days=days)))

    @rule()
    def reopen(self) -> None:
        self.disk.close()
        self.disk = SqliteStore(self.path)

    @rule(number=FEW, digest=st.sampled_from(["0" * 64]))
    def verify(self, number: int, digest: str) -> None:
        assert self._both(lambda twin: twin.verify_audit()).is_whole
        head = AuditHead(number=number, digest=digest)
        self._both(lambda twin: twin.verify_audit(heads=[head]))

    @rule(ago=st.integers(0, 100_000))
    def look_back(self, ago: int) -> None:
        since = self.now - timedelta(seconds=ago)
        for vcenter in ("vc1", "vc2"):
            for cluster in (ClusterId("domain-c1"), ClusterId("domain-c2")):
                where = (vcenter, cluster, since)
                self._both(lambda twin, where=where: twin.past(*where))
                self._both(lambda twin, where=where: twin.rows_since(*where))

    @invariant()
    def both_show_the_same(self) -> None:
        assert self.disk.pauses() == self.memory.pauses()
        assert self.disk.open_rows("vc1") == self.memory.open_rows("vc1")

    def teardown(self) -> None:
        try:
            rows = self._both(lambda twin: twin.find_rows(RowQuery()))
            for row in rows:
                self._both(lambda twin, row=row: twin.steps_of(row.id))
            self._both(lambda twin: twin.audit_entries(last=10_000))
            self.look_back(10**7)
        finally:
            self.disk.close()
            self.folder.cleanup()


TwinStores.TestCase.settings = settings(
    max_examples=max(STEPS // STEPS_AT_ONCE, 1),
    stateful_step_count=STEPS_AT_ONCE,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestTwinStores = TwinStores.TestCase
