"""What was done, over HTTP: in every form, and of what is asked for."""

import pytest

from balancer.model.outcome import MoveState
from tests.support.asking import Asked, Client
from tests.support.journal import begun, entry, step


def done_once(asked: Asked) -> None:
    """Let the journal hold one batch of one move."""
    row = begun(asked.store, entry(1, cycle_id="batch-1"))
    asked.store.advance(row, step(MoveState.SUBMITTED, 1.0, task="t1"))
    asked.store.advance(row, step(MoveState.DONE, 31.0))


@pytest.mark.parametrize(
    ("shape", "media"),
    [
        ("", "application/json"),
        ("&format=text", "text/plain"),
        ("&format=markdown", "text/markdown"),
        ("&format=html", "text/html"),
    ],
)
def test_a_batch_is_reported_in_every_form(
    asked: Asked, viewer: Client, shape: str, media: str
) -> None:
    done_once(asked)
    told = viewer.get(f"/api/v1/report?batch=batch-1{shape}")
    assert told.status == 200, told.text
    assert told.headers["content-type"].startswith(media)
    assert "batch-1" in told.text


def test_what_is_not_there_is_not_found_and_nothing_done_is_an_empty_report(
    asked: Asked, viewer: Client
) -> None:
    assert viewer.get("/api/v1/report").json()["batches"] == []
    done_once(asked)
    lost = viewer.get("/api/v1/report?batch=other")
    assert lost.status == 404
    assert "batch 'other'" in lost.json()["detail"]
