"""The text report: what it says, how wide it is, and that no name can break it."""

import re
from dataclasses import replace

import pytest

from balancer.expose.escape import cells
from balancer.expose.report_text import MOST_MOVES, render_text, shows_blocks
from balancer.expose.report_view import natural
from balancer.expose.text_layout import Paper, fit
from balancer.model.host import HostState
from balancer.model.plan import PlanStatus
from balancer.model.reasons import Reason, Refusal
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm
from tests.unit.expose.plans import (
    HOSTILE_NAMES,
    big_plan,
    big_snapshot,
    hostile,
    move,
    plan,
    small_plan,
    small_snapshot,
)


def everyday(**options: object) -> str:
    return render_text(small_plan(), small_snapshot(), **options)  # type: ignore[arg-type]


def section(text: str, title: str) -> str:
    """Return the lines of one section."""
    match = re.search(rf"^{title}\n(.*?)(\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"no section {title} in:\n{text}"
    return match[1]


def test_the_first_line_is_the_verdict() -> None:
    assert everyday(width=400).splitlines()[0] == (
        "Plan: 4 moves in 2 waves, 1 rule fix, about 2 min, 16 GiB; imbalance 28.7 % -> 5.4 %, "
        "CPU spread 33 -> 6.1 pp, memory 16 -> 3.2 pp; 0 must-rules left broken. "
        "Degraded: 1 thing cannot be met, see Conflicts."
    )


def test_one_of_each_is_in_the_singular() -> None:
    snap = snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=1)])
    text = render_text(plan(snap, [move(1, 1, 1, 2)]), snap)
    assert text.startswith("Plan: 1 move in 1 wave, 0 rule fixes, about 14 s, 4.0 GiB;")
    assert "This run's budget admits the move." in text


def test_moves_stand_under_their_wave_with_names_reason_seconds_size_and_why() -> None:
    lines = section(everyday(width=120), "Moves").splitlines()
    assert lines[0] == "  Wave 1, 3 moves"
    assert re.fullmatch(
        r"    > vm9 +esx4 -> esx3 +evacuate +14 s +4\.0 GiB +esx4 is entering maintenance", lines[1]
    )
    assert lines[4] == "  Wave 2, 1 move, after about 80 s"


def test_a_narrow_report_puts_the_sentence_below_its_move() -> None:
    lines = section(everyday(width=80), "Moves").splitlines()
    assert lines[2] == "        esx4 is entering maintenance"


def test_moves_beyond_the_budget_are_marked_and_counted() -> None:
    text = everyday()
    assert "This run's budget admits 3 of 4 moves; 1 waits for a later run." in text
    assert [
        line.strip()[0] for line in section(text, "Moves").splitlines() if "esx1 ->" in line
    ] == [
        ">",
        ">",
        ".",
    ]


def test_rules_are_fixed_or_still_broken_by_name() -> None:
    rules = section(everyday(), "Rules")
    assert "+ fixed         web apart (must, keep apart): vm1, vm2" in rules
    assert "! still broken  db near (should, keep together): vm7, vm8" in rules


def test_a_conflict_is_told_with_its_mend() -> None:
    assert section(everyday(), "Conflicts").splitlines() == [
        "  ! licence-dongle cannot leave esx4: a USB device of the host is connected",
        "    to mend it: disconnect the USB device or power the VM off",
    ]


def test_what_is_left_out_is_told_in_words_with_the_stable_word() -> None:
    left = section(everyday(), "Left out")
    assert "1 VM  connected USB device: licence-dongle [usb_device]" in left
    assert "waits: budget of this run is used: vm4 [run_budget]" in left


@pytest.mark.parametrize(
    ("refusal", "row"),
    [
        pytest.param(Refusal.of(Reason.EVC, vm="vm-1"), "1 VM  ", id="one VM"),
        pytest.param(
            Refusal.of(Reason.TARGET_FAILED_RECENTLY, host="host-1"), "1 host  ", id="host"
        ),
        pytest.param(Refusal.of(Reason.OBSERVE_MODE), "cluster  ", id="the cluster"),
        pytest.param(Refusal(reason=Reason.EVC), "once  ", id="one pair, not named"),
        pytest.param(Refusal(reason=Reason.EVC, count=1234), "1,234 times  ", id="many pairs"),
    ],
)
def test_it_is_told_how_much_is_left_out(refusal: Refusal, row: str) -> None:
    snap = small_snapshot()
    left = section(render_text(plan(snap, refusals=(refusal,)), snap), "Left out")
    assert left.strip().startswith(row)


def test_a_host_in_a_special_state_is_marked() -> None:
    hosts = section(everyday(), "Hosts")
    assert re.search(r"^ \*esx4", hosts, re.MULTILINE)
    assert "* esx4 (entering maintenance)" in hosts


def test_an_empty_plan_shows_its_gates_beside_the_thresholds() -> None:
    snap = small_snapshot()
    text = render_text(plan(snap), snap, policy=Policy())
    assert text.startswith("No moves: nothing to do.\n")
    assert section(text, "Why nothing is moved").splitlines() == [
        "  imbalance 28.7 %, sought above 5.0 % and then down to 2.5 %",
        "  highest CPU demand 75 % on esx1, relieved above 85 %",
        "  highest memory demand 36 % on esx1, relieved above 92 %",
        "  1 must-rule broken",
    ]
    assert "->" not in section(text, "Hosts")


def test_gates_leave_out_thresholds_that_are_not_known() -> None:
    snap = small_snapshot()
    gates = section(render_text(plan(snap), snap), "Why nothing is moved")
    assert "  imbalance 28.7 %\n" in gates
    assert "relieved" not in gates


def test_loads_without_the_figures_of_vms_are_told_not_to_be_whole() -> None:
    known, unknown = vm(1, 1), vm(2, 1, cpu_demand_mhz=None)
    snap = snapshot([host(1), host(2)], [known, unknown])
    told = " ".join(render_text(plan(snap), snap).split())
    assert "no CPU figure of 1 of 2 running VMs: what they want is missing in every load" in told
    whole = snapshot([host(1), host(2)], [known])
    assert "no CPU figure" not in render_text(plan(whole), whole)


def test_a_cluster_without_serving_hosts_can_be_reported() -> None:
    snap = snapshot([host(1, state=HostState.DISCONNECTED)], [vm(1, on=1)])
    assert "* esx1 (disconnected)" in render_text(plan(snap), snap)


def test_a_cluster_without_anything_can_be_reported() -> None:
    snap = snapshot([], [])
    assert render_text(plan(snap), snap).startswith("No moves: ")


def test_a_refused_plan_says_so_first() -> None:
    snap = small_snapshot()
    refused = plan(snap, status=PlanStatus.REFUSED, reason="the snapshot is 9 minutes old")
    assert render_text(refused, snap).startswith("Refused: the snapshot is 9 minutes old.\n")


def test_without_colour_there_is_no_escape_sequence_and_with_it_there_are_some() -> None:
    assert "\x1b" not in everyday()
    coloured = everyday(color=True)
    assert "\x1b[1m" in coloured
    assert re.sub(r"\x1b\[\d*m", "", coloured) == everyday()


def test_no_line_ends_in_blanks_and_the_text_ends_with_one_line_break() -> None:
    text = everyday()
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
    assert text.endswith(".\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_lines_keep_to_the_width_asked_for(width: int) -> None:
    snap = big_snapshot()
    wide = [
        line
        for text in (everyday(width=width), render_text(big_plan(snap), snap, width=width))
        for line in text.splitlines()
        if cells(line) > max(width, 80)
    ]
    assert wide == []


def test_a_unit_stays_with_its_figure() -> None:
    for width in range(60, 130):
        assert not re.search(r"^(%|pp|GiB|min)", everyday(width=width), re.MULTILINE)


def test_a_big_plan_is_capped_and_says_how_to_see_the_rest() -> None:
    snap = big_snapshot()
    text = render_text(big_plan(snap), snap)
    moves = section(text, "Moves")
    assert sum(1 for line in moves.splitlines() if line.startswith("    >")) == MOST_MOVES
    assert f"  and {100 - MOST_MOVES} more; use --format json" in moves
    assert "  and 20 more, less loaded; use --format json" in section(text, "Hosts")


def test_the_domain_that_all_hosts_share_is_told_once() -> None:
    snap = big_snapshot()
    text = render_text(big_plan(snap), snap, width=120)
    assert "host names without .dc1.example.com" in " ".join(text.split())
    assert "esx01 -> esx31" in text


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("10.0.0.5", "11.0.0.5"), id="addresses are no domain"),
        pytest.param(("esx1.a.test", "esx2.b.test"), id="two domains"),
        pytest.param(("esx1", "esx2.b.test"), id="one without"),
    ],
)
def test_names_that_share_no_domain_stay_whole(names: tuple[str, str]) -> None:
    snap = snapshot([host(n, name=name) for n, name in enumerate(names)], [vm(1, on=0)])
    hosts = section(render_text(plan(snap), snap), "Hosts")
    assert all(name in hosts for name in names)


def test_the_same_plan_gives_the_same_text_whatever_the_order_of_its_refusals() -> None:
    whole = small_plan()
    mixed = replace(whole, refusals=tuple(reversed(whole.refusals)))
    assert render_text(mixed, small_snapshot()) == everyday()


def test_hosts_are_sorted_as_people_count() -> None:
    assert sorted(["esx10", "esx2", "esx1"], key=natural) == ["esx1", "esx2", "esx10"]


def test_hostile_names_move_no_cursor_and_start_no_line() -> None:
    text = render_text(*hostile(), width=100)
    for line in text.splitlines():
        assert line.isprintable(), ascii(line)
    assert text.encode("utf-8")
    assert sum(1 for line in text.splitlines() if line.startswith("Plan:")) == 1


def test_hostile_names_stay_ascii_where_only_ascii_can_be_shown() -> None:
    assert render_text(*hostile(), ascii_only=True).isascii()
    assert "####" in everyday(ascii_only=True, width=120)


@pytest.mark.parametrize(
    ("encoding", "can"),
    [
        ("utf-8", True),
        ("UTF-8", True),
        ("ascii", False),
        ("latin-1", False),
        (None, False),
        ("klingon", False),
    ],
)
def test_blocks_are_shown_only_where_the_encoding_has_them(encoding: str | None, can: bool) -> None:
    assert shows_blocks(encoding) is can


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "漢字漢字漢字", "e\u0301" * 9], ids=ascii)
@pytest.mark.parametrize("width", [4, 7, 16])
def test_a_cell_is_exactly_as_wide_as_its_column(name: str, width: int) -> None:
    assert cells(fit(Paper().safe(name), width)) == width


@pytest.mark.parametrize(
    ("ratio", "bar"),
    [(-1.0, "    "), (0.0, "    "), (0.5, "██  "), (0.53, "██▏ "), (1.0, "████"), (9.0, "████")],
)
def test_a_bar_is_full_at_one_and_never_leaves_its_column(ratio: float, bar: str) -> None:
    assert Paper().bar(ratio, 4) == bar
