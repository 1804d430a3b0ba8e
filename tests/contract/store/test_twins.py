"""The two stores are twins: whatever is done to both, both answer the same."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from balancer.adapters.store.memory import MemoryStore
from balancer.adapters.store.sqlite import SqliteStore
from balancer.model.errors import StoreError
from balancer.model.outcome import FailureKind, MoveState
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import CLUSTER, begun, entry, step


class TwinStores(RuleBasedStateMachine):
    """Whatever is done to both stores, both show the same rows or refuse alike."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.sqlite"
        self.disk, self.memory = SqliteStore(self.path), MemoryStore()

    def _both(self, deed: Callable[[Store], int | None]) -> None:
        results: list[object] = []
        for twin in (self.disk, self.memory):
            try:
                results.append(deed(twin))
            except StoreError as err:
                results.append((type(err), str(err)))
        assert results[0] == results[1]

    @rule(
        vm=st.integers(1, 3),
        vcenter=st.sampled_from(["vc1", "vc2"]),
        name=st.text(max_size=8),
        at=st.integers(-5, 5),
        seconds=st.floats(0, 1e6),
    )
    def begin(self, vm: int, vcenter: str, name: str, at: int, seconds: float) -> None:
        when = NOON + timedelta(seconds=at)
        new = entry(vm, vcenter=vcenter, vm_name=name, intended_at=when, expected_seconds=seconds)
        self._both(lambda twin: begun(twin, new))

    @rule(
        row=st.integers(0, 8),
        state=st.sampled_from(list(MoveState)),
        task=st.sampled_from(["", "task-1", "task-2"]),
        kind=st.none() | st.sampled_from(list(FailureKind)),
        detail=st.text(max_size=5),
    )
    def advance(
        self, row: int, state: MoveState, task: str, kind: FailureKind | None, detail: str
    ) -> None:
        new = replace(step(state), task=task, kind=kind, detail=detail)
        self._both(lambda twin: twin.advance(row, new))

    @rule()
    def reopen(self) -> None:
        self.disk.close()
        self.disk = SqliteStore(self.path)

    @invariant()
    def both_show_the_same(self) -> None:
        for vcenter in ("vc1", "vc2"):
            assert self.disk.open_rows(vcenter) == self.memory.open_rows(vcenter)
            since = NOON.astimezone(UTC)
            shown = self.disk.rows_since(vcenter, CLUSTER, since)
            assert shown == self.memory.rows_since(vcenter, CLUSTER, since)

    def teardown(self) -> None:
        self.disk.close()
        self.folder.cleanup()


TwinStores.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, derandomize=True
)
TestTwinStores = TwinStores.TestCase
