"""The EVC report as text and as JSON."""

import json
from pathlib import Path

import jsonschema

from balancer.assess.evc_report import report_evc
from balancer.expose.document import document_text
from balancer.expose.escape import cells
from balancer.expose.evc_document import evc_document
from balancer.expose.evc_view import evc_view
from balancer.expose.explain_text import explain_text
from balancer.model.snapshot import Snapshot
from tests.support import builders

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "balancer/schemas/evc.v1.schema.json").read_text("utf-8")
)


def small(name: str = "db", count: int = 9) -> Snapshot:
    """Return two hosts and VMs of which the first needs more than the second host has."""
    hosts = [
        builders.host(1, cpu_vendor="intel", max_evc_mode="intel-icelake"),
        builders.host(2, cpu_vendor="intel", max_evc_mode="intel-skylake"),
        builders.host(3),
    ]
    vms = [
        builders.vm(1, 1, name=name, min_evc_mode="intel-icelake", hardware_version=9),
        builders.vm(2, 1, min_evc_mode="intel-haswell", evc_mode="intel-haswell"),
        *(builders.vm(n, 1, min_evc_mode="intel-icelake") for n in range(3, count)),
    ]
    return builders.snapshot(hosts, vms)


def text_of(snapshot: Snapshot, width: int = 80) -> str:
    return explain_text(evc_view(report_evc(snapshot), snapshot), width=width)


def test_modes_hosts_and_vms_have_their_tables() -> None:
    lines = [" ".join(line.split()) for line in text_of(small(), 160).splitlines()]
    assert lines[0] == "Cluster prod: EVC is off"
    assert (
        "intel-cascadelake blocked 1 7 hosts esx2; VMs db, vm3, vm4, vm5, vm6, vm7 and 1 more;"
        " not known of 1 host"
    ) in lines
    assert "esx1 intel-icelake intel connected" in lines
    assert "esx3 - - connected" in lines
    assert "db esx1 on vmx-09 intel-icelake -" in lines
    assert "vm2 esx1 on - intel-haswell intel-haswell" in lines
    assert (
        "own modes 1 of 8 VMs have an EVC mode of their own; 1 cannot, with hardware below vmx-14"
        in lines
    )


def test_the_report_fits_eighty_columns() -> None:
    long = "a-virtual-machine-with-the-longest-name-that-anybody-would-give-it"
    assert max(cells(line) for line in text_of(small(long, 40)).splitlines()) <= 80


def test_a_hostile_name_does_no_harm() -> None:
    text = text_of(small("db\x1b[2J\n\u202e"))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_snapshot_without_modes_says_so() -> None:
    snapshot = builders.snapshot([builders.host(1)], [], cluster={"evc_modes": ()})
    assert "record it anew" in text_of(snapshot, 160)


def test_while_evc_is_on_the_mode_is_told() -> None:
    hosts = [builders.host(1, max_evc_mode="intel-icelake")]
    snapshot = builders.snapshot(hosts, [], cluster={"evc_mode": "intel-skylake"})
    text = text_of(snapshot)
    assert text.startswith("Cluster prod: EVC is on at intel-skylake")
    assert "current" in text
    assert "While EVC is off" not in text


def test_the_document_is_as_published_and_leaves_out_what_is_unknown() -> None:
    snapshot = small()
    document = evc_document(report_evc(snapshot), snapshot)
    jsonschema.validate(document, SCHEMA)
    assert json.loads(document_text(document)) == document
    hosts, vms = document["hosts"], document["vms"]
    assert {"id": "host-3", "name": "esx3"} in hosts  # type: ignore[operator]
    assert "hardware_version" not in vms[1]  # type: ignore[index]
    assert vms[0]["hardware_version"] == 9  # type: ignore[index]
