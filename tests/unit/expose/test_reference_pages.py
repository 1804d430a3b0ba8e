"""The generated pages of reference are up to date, and every reason has its words."""

from pathlib import Path

import pytest

from balancer.expose.faults_page import MEANINGS, faults_page
from balancer.expose.policy_page import policy_page
from balancer.expose.reason_texts import REASON_TEXTS, reason_text
from balancer.expose.reference_pages import GENERATED, metrics_page, reasons_page, write_pages
from balancer.model.outcome import FailureKind
from balancer.model.reasons import Reason

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
MEND = "run: python -m balancer.expose.reference_pages docs/reference"


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert (REFERENCE / "metrics.md").read_text("utf-8") == metrics_page(), MEND


def test_the_page_of_reasons_is_up_to_date() -> None:
    assert (REFERENCE / "reasons.md").read_text("utf-8") == reasons_page(), MEND


def test_the_page_of_policies_is_up_to_date() -> None:
    assert (REFERENCE / "policy.md").read_text("utf-8") == policy_page(GENERATED), MEND


def test_the_page_of_faults_is_up_to_date() -> None:
    assert (REFERENCE / "faults.md").read_text("utf-8") == faults_page(GENERATED), MEND


def test_every_kind_of_failure_is_explained_on_the_page_of_faults() -> None:
    assert set(MEANINGS) == set(FailureKind)


def test_every_setting_on_the_page_of_policies_says_what_it_means() -> None:
    rows = [line for line in policy_page("").splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_pages_are_written_where_asked(tmp_path: Path) -> None:
    write_pages(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["faults.md", "metrics.md", "policy.md", "reasons.md"]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_phrase_and_a_sentence(reason: Reason) -> None:
    assert reason in REASON_TEXTS, "add a row to balancer/expose/reason_texts.py"
    text = reason_text(reason)
    assert text.phrase
    assert not text.phrase.endswith(".")
    assert text.sentence.endswith(".")
    assert text.mend == "" or text.mend.endswith(".")
    assert "|" not in text.sentence + text.mend


def test_no_two_reasons_share_a_phrase() -> None:
    phrases = [text.phrase for text in REASON_TEXTS.values()]
    assert len(set(phrases)) == len(phrases)
