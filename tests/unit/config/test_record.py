"""The section on recording: off by default, its clusters and its folder checked."""

from pathlib import Path

import pytest

from balancer.config import load_config
from balancer.model.errors import InputError

HEAD = """apiVersion: balancer/v1
kind: Config
vcenters:
  - {name: main, host: vc, username: me, password_file: pw}
clusters:
  - {vcenter: main, name: prod}
journal: {path: state/journal.sqlite}
"""


def write(folder: Path, record: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(f"{HEAD}record: {record}\n")
    return path


def test_nothing_is_recorded_without_a_folder(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "{}")).record.folder is None


def test_a_folder_stands_beside_the_file_and_the_key_beside_the_journal(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "{folder: recordings, clusters: [main/prod]}"))

    assert config.record.folder == tmp_path / "recordings"
    assert config.record_key_path == tmp_path / "state" / "recording.key"


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("{folder: r, clusters: [main/prd]}", "there is no cluster 'main/prd'"),
        ("{folder: state}", "holds the journal's folder"),
        ("{folder: ./state/../.}", "holds the journal's folder"),
        ("{folder: r, keep_days: 0}", "keep_days"),
        ("{folder: r, most_mib: 1}", "most_mib"),
    ],
    ids=["a cluster that is none", "the key's folder", "above it", "no days", "no room"],
)
def test_what_is_wrong_is_said(tmp_path: Path, record: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_config(write(tmp_path, record))
