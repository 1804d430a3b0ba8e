"""Hardware versions and the EVC modes of single VMs, from what the wire shows of them."""

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.evc import (
    OwnModes,
    hardware_version_from,
    masks_by_mode,
    masks_of_vm,
    own_mode,
)
from balancer.adapters.vsphere.facts import Facts
from balancer.model.evc import EvcMode, EvcOrder
from tests.support import builders
from tests.unit.adapters.vsphere.build import facts, vm_facts

SSE3 = {"cpuid.sse3": "Val:1"}
HASWELL = SSE3 | {"cpuid.avx2": "Val:1", "cpuid.avx512f": "Val:0"}
SKYLAKE = SSE3 | {"cpuid.avx2": "Val:1", "cpuid.avx512f": "Val:1"}
KNOWN = {"intel-haswell": HASWELL, "intel-skylake": SKYLAKE}
ORDER = EvcOrder(builders.INTEL_MODES)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("vmx-20", 20),
        ("vmx-08", 8),
        ("vmx-7", 7),
        ("vmx-00", None),
        ("vmx-", None),
        ("vmx-20a", None),
        ("20", None),
        ("", None),
        (None, None),
    ],
)
def test_the_hardware_version_is_a_number_or_nothing(
    word: str | None, expected: int | None
) -> None:
    assert hardware_version_from(word) == expected


def mask(key: str, value: str) -> vim.host.FeatureMask:
    return vim.host.FeatureMask(key=key, featureName=key, value=value)


def test_masks_are_read_of_modes_and_vms_without_regard_to_case() -> None:
    mode = vim.EVCMode(key="intel-haswell", featureMask=[mask("cpuid.SSE3", "Val:1")])
    bare = vim.EVCMode(key="intel-merom")
    server = facts("ServiceInstance", "ServiceInstance", capability__supportedEVCMode=[mode, bare])
    assert masks_by_mode(server) == {"intel-haswell": SSE3}
    vm = vm_facts(runtime__featureMask=[mask("cpuid.sse3", "Val:1")])
    assert masks_of_vm(vm) == SSE3
    assert masks_of_vm(vm_facts()) == {}


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        ({}, None),
        (HASWELL, "intel-haswell"),
        (SKYLAKE, "intel-skylake"),
        (HASWELL | {"cpuid.nx": "Val:1"}, "intel-haswell"),
        (SSE3, None),
        (SSE3 | {"cpuid.avx2": "Val:0"}, None),
    ],
    ids=["none", "exactly", "another", "with more by hand", "part of a mode's", "of no mode"],
)
def test_the_mode_whose_masks_a_vm_carries_is_its_own(
    masks: dict[str, str], expected: str | None
) -> None:
    assert own_mode(masks, KNOWN, ORDER) == expected


def test_of_modes_with_masks_in_common_the_one_that_all_others_run_is_meant() -> None:
    known = {"intel-skylake": SSE3, "intel-haswell": SSE3}
    assert own_mode(SSE3, known, ORDER) == "intel-haswell"


def test_modes_that_cannot_be_compared_give_none() -> None:
    amd = EvcMode(key="amd-zen", vendor="amd", tier=9, track=frozenset({"amd-zen"}))
    order = EvcOrder([*builders.INTEL_MODES, amd])
    assert own_mode(SSE3, {"intel-haswell": SSE3, "amd-zen": SSE3}, order) is None


def test_the_mode_of_a_vm_comes_from_its_facts_each_by_its_own_masks() -> None:
    def showing(masks: dict[str, str]) -> Facts:
        return vm_facts(runtime__featureMask=[mask(key, value) for key, value in masks.items()])

    modes = OwnModes(KNOWN, builders.INTEL_MODES)
    asked = [showing(HASWELL), showing(SKYLAKE), showing(HASWELL), vm_facts()]
    assert list(map(modes.of, asked)) == ["intel-haswell", "intel-skylake", "intel-haswell", None]
