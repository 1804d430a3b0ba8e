"""A query of many entities is written from one that pyVmomi serialised, and is what pyVmomi would write."""

from pyVmomi import vim
from pyVmomi.SoapAdapter import SoapStubAdapter

from balancer.adapters.vsphere.perf import _ANY, _QUERY_PERF, _for_each

STUB = SoapStubAdapter(host="vcenter.example.com", version="vim.version.v8_0_3_0")
MANAGER = vim.PerformanceManager("PerfMgr", STUB)
IDS = [vim.PerformanceManager.MetricId(counterId=key, instance="") for key in (5, 98)]


def spec(key: str) -> vim.PerformanceManager.QuerySpec:
    ref = vim.VirtualMachine(key, STUB)
    return vim.PerformanceManager.QuerySpec(
        entity=ref, maxSample=15, metricId=IDS, intervalId=20, format="csv"
    )


def request(*keys: str) -> str:
    written: bytes = STUB.SerializeRequest(MANAGER, _QUERY_PERF, ([spec(key) for key in keys],))
    return written.decode()


def test_the_request_is_the_one_that_pyvmomi_writes() -> None:
    keys = ("vm-1", "vm-22", "vm-333")
    assert _for_each(keys, request(_ANY)) == request(*keys)


def test_a_request_about_one_entity_is_about_that_one() -> None:
    assert _for_each(["vm-1"], request(_ANY)) == request("vm-1")


def test_an_id_with_markup_stays_an_id() -> None:
    """pyVmomi writes ids as they are."""
    assert ">vm-&lt;/entity&gt;</entity>" in _for_each(["vm-</entity>"], request(_ANY))
