"""The section on history: where its file lies, and what is wrong with it."""

from pathlib import Path

import pytest

from balancer.config import load_config
from balancer.model.errors import InputError


def write(folder: Path, history: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        "vcenters: [{name: main, host: vc.example.com, username: u, password_file: pw}]\n"
        "clusters: [{vcenter: main, name: prod}]\n"
        "journal: {path: state/journal.sqlite}\n"
        f"history: {history}\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(
    ("history", "path"),
    [("{}", "state/history.sqlite"), ("{path: fast/h.sqlite}", "fast/h.sqlite")],
)
def test_the_file_lies_beside_the_journal_unless_it_is_named(
    tmp_path: Path, history: str, path: str
) -> None:
    assert load_config(write(tmp_path, history)).history_path == tmp_path / path


@pytest.mark.parametrize(
    ("history", "days"),
    [
        ("{}", 14),
        ("{five_minute_days: 30}", 14),
        ("{five_minute_days: 30, memory_days: 30}", 30),
        ("{memory_days: 3}", 3),
        ("{five_minute_days: 7}", 7),
    ],
)
def test_memory_holds_two_weeks_unless_other_days_are_given_or_the_file_has_fewer(
    tmp_path: Path, history: str, days: int
) -> None:
    assert load_config(write(tmp_path, history)).history.remembered_days == days


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ("{path: state/journal.sqlite}", "is the journal's file"),
        ("{path: state/../state/journal.sqlite}", "is the journal's file"),
        ("{five_minute_days: 0}", "five_minute_days"),
        ("{memory_days: 61, five_minute_days: 60}", "memory_days"),
        ("{memory_days: 15}", "15 days in memory, but five_minute_days keeps 14 on disk"),
        ("{memory_days: 8, five_minute_days: 7}", "at most 7; for more, raise five_minute_days"),
        ("{hourly_days: 0.5}", "hourly_days"),
        ("{most_mib: -1}", "most_mib"),
        ("{days: 3}", "days"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, history: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_config(write(tmp_path, history))
