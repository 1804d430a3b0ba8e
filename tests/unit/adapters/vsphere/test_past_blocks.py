"""Samples of the past become steps of demand; what cannot be trusted is not known."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.archive import periods_from
from balancer.adapters.vsphere.counters import Catalogue, Counter, Meter
from balancer.adapters.vsphere.csv_answer import read_rows
from balancer.adapters.vsphere.past_blocks import ACTIVE, CPU, Known, block_of
from balancer.adapters.vsphere.samples import Samples, samples_from
from balancer.model.rollup import Block

INTERVAL: Any = vim.HistoricalInterval
EIGHT = datetime(2026, 4, 21, 8, tzinfo=UTC)
HALF_HOUR = 1800
METERS = (
    Meter(key=620, counter=Counter.CPU_DEMAND, factor=1.0, level=2),
    Meter(key=6, counter=Counter.CPU_USAGE, factor=1.0, level=1),
    Meter(key=33, counter=Counter.MEM_ACTIVE, factor=1.0 / 1024.0, level=2),
)
LONG_AGO = Known(identity="uuid-1", started_at=EIGHT - timedelta(days=30))


def answer(clock: str, *series: tuple[int, str]) -> Samples:
    """Return what is read of an answer in the form that a vCenter 9.0.1 gives for steps of the past."""
    values = "".join(
        f"<value><id><counterId>{key}</counterId><instance></instance></id><value>{text}</value></value>"
        for key, text in series
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<QueryPerfResponse xmlns="urn:vim25"><returnval xsi:type="PerfEntityMetricCSV">'
        f'<entity type="VirtualMachine">vm-1</entity><sampleInfoCSV>{clock}</sampleInfoCSV>{values}'
        "</returnval></QueryPerfResponse></soapenv:Body></soapenv:Envelope>"
    )
    (row,) = read_rows(BytesIO(text.encode()))
    return samples_from(row, {str(meter.key): meter for meter in METERS})


def block(samples: Samples, known: Known = LONG_AGO) -> Block | None:
    span = EIGHT, EIGHT + timedelta(hours=2)
    return block_of([samples], {"vm-1": known}, step_s=HALF_HOUR, span=span)


def cpu(found: Block | None) -> list[float | None]:
    assert found is not None
    return [None if np.isnan(each) else float(each) for each in found.figures[CPU][:, 0]]


CLOCK = "1800,2026-04-21T08:30:00Z,1800,2026-04-21T09:00:00Z,1800,2026-04-21T10:00:00Z"


def test_a_sample_counts_for_the_step_that_it_ends() -> None:
    found = block(answer(CLOCK, (6, "55,54,56")))
    assert cpu(found) == [55, 54, None, 56]
    assert found is not None
    assert (found.starts_at, found.step_s) == (EIGHT, HALF_HOUR)
    assert [member.identity for member in found.members] == ["uuid-1"]
    assert np.isnan(found.figures[ACTIVE]).all()


def test_demand_counts_before_usage_which_stands_in_step_by_step() -> None:
    found = block(answer(CLOCK, (6, "55,54,56"), (620, "70,-1,80"), (33, "1024,2048,")))
    assert cpu(found) == [70, 54, None, 80]
    assert found is not None
    assert found.figures[ACTIVE][:2, 0].tolist() == [1.0, 2.0]
    assert np.isnan(found.figures[ACTIVE][2:, 0]).all()


def test_nothing_counts_that_began_before_the_last_start() -> None:
    started = Known(identity="uuid-1", started_at=EIGHT + timedelta(minutes=10))
    assert cpu(block(answer(CLOCK, (6, "55,54,56")), started)) == [None, 54, None, 56]


@pytest.mark.parametrize(
    "clock",
    [
        "300,2026-04-21T08:30:00Z",
        "1800,2026-04-21T08:00:00Z",
        "1800,2026-04-21T10:30:00Z",
        "1800,the day before",
    ],
    ids=["of another length", "before", "after", "unreadable"],
)
def test_samples_of_another_length_or_time_are_left_out(clock: str) -> None:
    assert block(answer(clock, (6, "55"))) is None


def test_a_vm_that_is_not_known_has_no_past() -> None:
    span = EIGHT, EIGHT + timedelta(hours=2)
    assert block_of([answer(CLOCK, (6, "55,54,56"))], {}, step_s=HALF_HOUR, span=span) is None


def test_periods_are_those_that_are_on_and_short_with_the_counters_of_their_level() -> None:
    kept = [
        INTERVAL(samplingPeriod=step, length=length, level=level, enabled=is_on)
        for step, length, level, is_on in (
            (7200, 2_592_000, 1, True),
            (1800, 604_800, 1, True),
            (300, 86_400, 2, True),
            (600, 86_400, 4, False),
        )
    ]
    found = periods_from(kept, Catalogue({meter.counter: meter for meter in METERS}))
    assert [(each.step_s, [meter.key for meter in each.meters]) for each in found] == [
        (300, [620, 6, 33]),
        (1800, [6]),
    ]
