"""The live page shows what it is given, within the width of the terminal."""

import io

import pytest
from rich.console import Console

from balancer.assess.state import measure
from balancer.expose.live import LiveCluster, LivePage, RunningMove, render
from balancer.model.host import HostState
from balancer.model.rule import RuleType
from tests.support.builders import host, placement, rule, snapshot, vm


def cluster(name: str) -> LiveCluster:
    hosts = [host(1), host(2, state=HostState.ENTERING_MAINTENANCE), host(3)]
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    snap = snapshot(hosts, [vm(1, 1), vm(2, 1)], [apart], cluster={"name": name})
    return LiveCluster(snapshot=snap, state=measure(placement(snap)), start_imbalance=0.213)


def page(running: int = 2) -> LivePage:
    moves = [
        RunningMove(
            vm=f"vm{number}", source="esx1", target="esx2", reason="evacuate", progress_percent=50
        )
        for number in range(running)
    ]
    return LivePage(
        title="demo",
        status="09:00 simulated",
        clusters=(cluster("production"), cluster("edge")),
        running=tuple(moves),
        decisions=("a long sentence about a plan " * 10, "the last one"),
    )


def text(shown: LivePage, columns: int, *, color: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=columns, force_terminal=color, no_color=not color)
    console.print(render(shown, columns=columns))
    return out.getvalue()


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    assert max(len(line) for line in text(page(), columns).splitlines()) <= columns


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    "word", ["production", "edge", "21.3 %", "1 rule broken", "leaving", "vm1", "the last one"]
)
def test_everything_that_matters_is_shown(columns: int, word: str) -> None:
    assert word in text(page(), columns)


def test_a_wide_page_shows_why_a_vm_migrates() -> None:
    assert "evacuate" in text(page(), 120)


def test_more_migrations_than_fit_are_counted() -> None:
    shown = text(page(running=11), 80)
    assert "Migrations running: 11" in shown
    assert "and 3 more" in shown


def test_without_colour_no_escape_sequence_is_written() -> None:
    assert "\x1b" in text(page(), 80, color=True)
    assert "\x1b" not in text(page(), 80)
