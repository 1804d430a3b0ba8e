"""The stores over which each suite here runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.ports import Store
from tests.support.journal import sqlite_store


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give each kind of store, empty."""
    if request.param == "memory":
        yield MemoryStore()
        return
    with sqlite_store(tmp_path / "journal.sqlite") as opened:
        yield opened
