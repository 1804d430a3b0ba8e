"""Facts as the wire gives them: what is no number, no reference or no list is not taken for one."""

import math

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.facts import Link
from tests.unit.adapters.vsphere.build import facts, ref


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0.0),
        (2**63 - 1, float(2**63 - 1)),
        (-1, None),
        (True, None),
        ("7", None),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (10**400, None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_number_is_finite_and_not_negative(value: object, expected: float | None) -> None:
    entry = facts("vm-1", size=value)
    assert entry.number("size") == expected
    assert entry.count("size") == (None if expected is None else int(expected))


@pytest.mark.parametrize(
    "host", [Link("HostSystem", "host-1"), ref(vim.HostSystem, "host-1")], ids=["ours", "pyVmomi"]
)
def test_a_reference_is_the_same_whoever_parsed_it(host: object) -> None:
    entry = facts("vm-1", runtime__host=host, hosts=[host])
    assert (entry.ref("runtime.host"), entry.ref_kind("runtime.host")) == ("host-1", "HostSystem")
    assert entry.refs("hosts") == {"host-1"}
