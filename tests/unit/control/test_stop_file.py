"""The stop file: there, not there, or not to be told, which counts as there."""

import os
from pathlib import Path

import pytest

from balancer.adapters.stop_file import StopFile
from balancer.config import Config, Journal
from balancer.model.reasons import Reason


def test_without_the_file_nothing_is_stopped(tmp_path: Path) -> None:
    assert StopFile(tmp_path / "stop")() is None


@pytest.mark.parametrize("content", ["", "fire in room 3\nsecond line\n", "\x00\xff"])
def test_the_file_stops_whatever_it_holds(tmp_path: Path, content: str) -> None:
    path = tmp_path / "stop"
    path.write_text(content, encoding="latin-1")
    refusal = StopFile(path)()
    assert refusal is not None
    assert refusal.reason is Reason.STOP_FILE
    assert "second line" not in refusal.detail
    assert ("fire in room 3" in refusal.detail) == ("fire" in content)


def test_a_folder_a_dangling_link_and_a_pipe_of_that_name_stop_too(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert all(StopFile(tmp_path / name)() for name in ("folder", "link", "pipe"))


@pytest.mark.parametrize("path", ["no-such-folder/stop", "file/stop"])
def test_where_it_cannot_be_looked_for_that_counts_as_a_stop(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    refusal = StopFile(tmp_path / path)()
    assert refusal is not None
    assert "counts as a stop" in refusal.detail


def test_by_default_it_lies_beside_the_journal() -> None:
    shipped = Config.model_fields["journal"].default_factory
    assert shipped is not None
    config = Config.model_construct(journal=Journal(), stop_file=None)
    assert config.stop_path == Path("/var/lib/balancer/stop")
    assert Config.model_construct(journal=Journal(), stop_file=Path("/run/x")).stop_path == Path(
        "/run/x"
    )
