"""Every rendering of every report is as it was looked at. To write them anew: python -m tests.support.golden."""

import pytest

from tests.support.golden import FOLDER, goldens

MADE = dict(goldens())


@pytest.mark.parametrize("name", MADE)
def test_a_report_is_as_it_was_looked_at(name: str) -> None:
    assert MADE[name] == (FOLDER / name).read_text("utf-8")


def test_there_is_no_golden_file_without_a_report() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(MADE)
