"""What forbids no vMotion is told before it: slow links, networks that do not meet, dirty rates."""

from typing import Any

import pytest

from balancer.model.host import VmotionLink
from balancer.model.reasons import Reason
from balancer.model.units import HostId, VmId
from balancer.model.vm import SwapPlacement
from balancer.rules.cautions import cautions
from tests.support.builders import host, snapshot, vm

HERE, THERE = frozenset({"10.0.1.0/24"}), frozenset({"10.0.2.0/24"})


def told(source: VmotionLink, target: VmotionLink, **facts: Any) -> dict[Reason, str]:
    hosts = [host(1, vmotion=source), host(2, vmotion=target)]
    found = cautions(snapshot(hosts, [vm(1, on=1, **facts)]), VmId("vm-1"), HostId("host-2"))
    return {caution.reason: caution.detail for caution in found}


@pytest.mark.parametrize(
    ("source", "target", "facts", "expected"),
    [
        (VmotionLink(), VmotionLink(), {}, {}),
        (
            VmotionLink(link_mbps=25_000),
            VmotionLink(link_mbps=1_000),
            {},
            {Reason.VMOTION_LINK_SLOW: "esx2 has 1,000 Mb/s for vMotion"},
        ),
        (
            VmotionLink(link_mbps=100),
            VmotionLink(link_mbps=1_000),
            {},
            {Reason.VMOTION_LINK_SLOW: "esx1 has 100 Mb/s for vMotion"},
        ),
        (VmotionLink(link_mbps=1_001), VmotionLink(), {}, {}),
        (
            VmotionLink(networks=HERE),
            VmotionLink(networks=THERE),
            {},
            {Reason.VMOTION_NETWORK: "esx1 has 10.0.1.0/24, esx2 has 10.0.2.0/24"},
        ),
        (VmotionLink(networks=HERE | THERE), VmotionLink(networks=THERE), {}, {}),
        (VmotionLink(networks=HERE), VmotionLink(), {}, {}),
        (
            VmotionLink(),
            VmotionLink(link_mbps=4_000),
            {"dirty_rate_mbps": 2_500.0},
            {Reason.HIGH_DIRTY_RATE: "vm1 dirties 2,500 Mb/s, vMotion carries 3,000 Mb/s"},
        ),
        (VmotionLink(), VmotionLink(link_mbps=4_000), {"dirty_rate_mbps": 2_400.0}, {}),
        (VmotionLink(), VmotionLink(), {"dirty_rate_mbps": None}, {}),
    ],
    ids=[
        "nothing to say",
        "the target's link is slow",
        "the slower of two slow links is named",
        "just fast enough",
        "networks that do not meet",
        "one network of several meets",
        "a network that is not known",
        "a dirty rate near the bandwidth",
        "a dirty rate that the copy outruns",
        "a dirty rate that nobody measured",
    ],
)
def test_cautions(
    source: VmotionLink, target: VmotionLink, facts: dict[str, Any], expected: dict[Reason, str]
) -> None:
    assert told(source, target, **facts) == expected


LOCAL = {"swap_placement": SwapPlacement.HOST_LOCAL, "memory_mib": 8_192.0}


@pytest.mark.parametrize(
    ("stores", "facts", "expected"),
    [
        ((None, None), LOCAL, None),
        (("ds-9", "ds-9"), LOCAL, None),
        (("ds-1", "ds-2"), {"swap_placement": SwapPlacement.VM_DIRECTORY}, None),
        (("ds-1", "ds-2"), {}, None),
        (
            ("ds-1", "ds-2"),
            LOCAL | {"memory_reservation_mib": 2_048.0, "memory_swapped_mib": 512.0},
            "esx1 keeps the swap file of vm1 (6.0 GiB at most) apart from esx2's; 512 MiB in it are copied",
        ),
        (
            (None, "ds-2"),
            LOCAL,
            "esx2 keeps the swap file of vm1 (8.0 GiB at most) apart from esx1's; 0 MiB in it are copied",
        ),
    ],
    ids=[
        "both with the VM",
        "one datastore for both",
        "placed with the VM",
        "not known where",
        "each on its own",
        "only the target keeps it apart",
    ],
)
def test_a_swap_file_that_does_not_move_along_is_told(
    stores: tuple[str | None, str | None], facts: dict[str, Any], expected: str | None
) -> None:
    hosts = [host(number, swap_datastore=store) for number, store in enumerate(stores, start=1)]
    found = cautions(snapshot(hosts, [vm(1, on=1, **facts)]), VmId("vm-1"), HostId("host-2"))
    assert {caution.reason: caution.detail for caution in found} == (
        {Reason.SWAP_FILE: expected} if expected else {}
    )


def test_a_host_that_cannot_move_without_a_shared_swap_file_is_named() -> None:
    hosts = [host(1, swap_datastore="ds-1", unshared_swap_supported=False), host(2)]
    found = cautions(snapshot(hosts, [vm(1, on=1, **LOCAL)]), VmId("vm-1"), HostId("host-2"))
    assert [c.detail.partition("; esx1 ")[2] for c in found] == [
        "cannot do that, so vCenter will refuse it"
    ]
