"""Explanations in words: what stands where, how wide it is, and that no name can break it."""

from dataclasses import replace

import pytest

from balancer.expose.escape import cells
from balancer.expose.explain_markdown import explain_markdown
from balancer.expose.explain_text import LEAST_WIDTH, explain_text
from balancer.expose.explain_view import Explanation, host_view, vm_view
from balancer.model.insight import Gate, HostFigures, HostInsight, TargetInsight, VmInsight
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from tests.support.builders import host, snapshot, vm
from tests.unit.expose.plans import HOSTILE_NAMES, move

FIGURES = HostFigures(
    cpu_ratio=0.5, memory_ratio=0.25, footprint_ratio=0.4, vms=3, cost=0.000_123_4
)


def cluster(hosts: int = 4, *, name: str = "esx{}") -> Snapshot:
    return snapshot([host(n, name=name.format(n)) for n in range(1, hosts + 1)], [vm(1, on=1)])


def target(number: int, refusal: Refusal | None = None, *, gate: str = "evc") -> TargetInsight:
    return TargetInsight(
        host=HostId(f"host-{number}"),
        gates=(Gate(name=gate, now=refusal, after=refusal),),
        gain=0.000_2,
        price=0.000_003,
        seconds=14.0,
        before=FIGURES,
        after=replace(FIGURES, cpu_ratio=0.6),
    )


def staying(*targets: TargetInsight) -> VmInsight:
    return VmInsight(
        vm=VmId("vm-1"),
        host=HostId("host-1"),
        movers=(VmId("vm-1"),),
        cpu_mhz=1000.0,
        memory_mib=2048.0,
        footprint_mib=4096.0,
        stays=Refusal.of(Reason.NOT_NEEDED, "all is well", vm="vm-1"),
        source=(FIGURES, FIGURES),
        targets=targets,
    )


OLD = Refusal.of(Reason.EVC, "esx3: too old", host="host-3")


def of_host(**facts: object) -> HostInsight:
    defaults: dict[str, object] = {
        "host": HostId("host-1"),
        "before": FIGURES,
        "after": FIGURES,
        "ceilings": (1.0, 0.96),
        "thresholds": (0.85, 0.92),
        "most_vms": None,
        "leaving": (move(1, 1, 1, 2),),
        "arriving": (),
        "may_leave": 2,
        "cannot_leave": (),
        "may_come": 0,
        "cannot_come": (Refusal.of(Reason.VGPU, vm="vm-1"),),
    }
    return HostInsight(**(defaults | facts))  # type: ignore[arg-type]


def test_a_vm_that_stays_is_told_with_reason_best_target_and_change() -> None:
    lines = explain_text(vm_view(staying(target(2), target(3, OLD)), cluster())).splitlines()
    assert lines[0] == "vm1 stays on esx1: not needed"
    assert lines[1] == "  why          all is well [not_needed]"
    assert lines[3] == "  best target  esx2: gain 200.0, price 3.0, net 197.0, 14 s alone"
    assert "  esx2  50 % -> 60 %  25 % -> 25 %  40 % -> 40 %  123.4 -> 123.4" in lines
    assert "  esx2  200.0    3.0  197.0   14 s  open" in lines
    assert lines[-3].split() == ["esx3", "too", "old", "[evc]"]


def test_hosts_with_the_same_answer_share_a_row_from_four_on() -> None:
    same = Refusal.of(Reason.VGPU, "vm1: vgpu", vm="vm-1")
    barred = [target(n, same) for n in range(2, 7)]
    text = explain_text(vm_view(staying(*barred), cluster(6)), width=100)
    assert "5 hosts" in text
    assert "vm1: vgpu [vgpu]: esx2, esx3, esx4, esx5, esx6" in text
    assert text.count("vm1: vgpu") == 1


def test_one_pair_is_shown_law_by_law() -> None:
    text = explain_text(vm_view(staying(target(3, OLD)), cluster(), of_pair=True))
    assert text.startswith("vm1 does not go to esx3: esx3: too old [evc]\n")
    assert "evc no no esx3: too old [evc]" in " ".join(text.split())


def test_an_open_pair_says_that_the_plan_does_not_need_it() -> None:
    view = vm_view(staying(target(2)), cluster(), of_pair=True)
    assert view.verdict == "vm1 may go to esx2, and it would pay; the plan does not need it"


def test_a_host_is_told_with_load_limits_moves_and_what_is_barred() -> None:
    text = explain_text(host_view(of_host(), cluster()), width=100)
    lines = text.splitlines()
    assert lines[0] == "esx1: 1 VM leaves, 0 VMs come"
    assert "could leave  2 of 2 VMs that stay" in text
    assert "  CPU demand      50 %   50 %            85 %              100 %" in lines
    assert "Leaving (1)" in lines
    assert "Arriving (0)" not in text
    assert "  1    passed-through graphics: vm1 [vgpu]" in lines or "vm1 [vgpu]" in text


def test_the_domain_that_all_hosts_share_is_cut() -> None:
    view = vm_view(staying(target(2)), cluster(name="esx{}.corp.test"))
    assert view.verdict == "vm1 stays on esx1: not needed"


@pytest.mark.parametrize("width", [40, 80, 132])
def test_no_line_is_wider_than_the_paper(width: int) -> None:
    long = Refusal.of(Reason.EVC, "the processors are too old " * 9, host="host-3")
    names = cluster(name="a-very-long-host-name-in-a-rack-{}")
    views = (vm_view(staying(target(2), target(3, long)), names), host_view(of_host(), names))
    for view in views:
        lines = explain_text(view, width=width).splitlines()
        assert max(cells(line) for line in lines) <= max(width, LEAST_WIDTH)


def shown(explanation: Explanation) -> tuple[str, str]:
    return explain_text(explanation), explain_markdown(explanation)


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_no_name_can_harm_a_terminal_or_a_ticket(name: str) -> None:
    plain = cluster()
    named = replace(
        plain,
        hosts=tuple(replace(one, name=name) for one in plain.hosts),
        vms=tuple(replace(one, name=name) for one in plain.vms),
    )
    refusal = Refusal.of(Reason.EVC, f"{name}: too old", host="host-3")
    for view in (
        vm_view(staying(target(2), target(3, refusal)), named),
        host_view(of_host(), named),
    ):
        text, markdown = shown(view)
        assert all(line.isprintable() for line in text.splitlines())
        assert "<script" not in markdown
        assert "](http:" not in markdown
        assert "@everyone" not in markdown


def test_long_tables_are_folded_in_a_ticket() -> None:
    many = [target(n) for n in range(2, 20)]
    markdown = explain_markdown(vm_view(staying(*many), cluster(20)))
    assert "<summary>Every other host</summary>" in markdown
    assert markdown.startswith("**vm1 stays on esx1: not needed**\n")
