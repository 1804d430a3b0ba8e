"""The past is asked for within the server's limit, in a bounded time and with a bounded number of failures."""

import logging
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from balancer.adapters.vsphere import past_demand
from balancer.adapters.vsphere.archive import Archive, Period
from balancer.adapters.vsphere.counters import Counter, Meter
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.past_demand import MOST_FAILURES, READ_WITHIN_S, PastDemandReader
from balancer.adapters.vsphere.perf import Cause, Refused
from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.adapters.vsphere.samples import Samples
from tests.support import builders
from tests.support.builders import NOON
from tests.unit.adapters.vsphere.test_settings_and_guard import settings

if TYPE_CHECKING:
    from balancer.adapters.vsphere.session import Session

USAGE = Meter(key=6, counter=Counter.CPU_USAGE, factor=1.0, level=1)
DAY = Period(step_s=300, length_s=86_400, meters=(USAGE,))


class Server:
    """Knows one step of each VM but `barred`; refuses larger queries. Each query takes `takes_s`."""

    def __init__(self, *, largest: int = 64, takes_s: float = 0.0, barred: str = "") -> None:
        self.largest, self.takes_s, self.barred = largest, takes_s, barred
        self.asked: list[int] = []
        self.now_s = 0.0

    def __call__(self, opened: Any, refs: Any, meters: Any, **_: Any) -> Any:
        keys = [ref._GetMoId() for ref in refs]
        self.asked.append(len(keys))
        self.now_s += self.takes_s
        if len(keys) > self.largest:
            return Refused(cause=Cause.REFUSED, detail="too many")
        if self.barred in keys:
            return Refused(cause=Cause.NO_PERMISSION, detail="no", entity=self.barred)
        series = {Counter.CPU_USAGE: (100.0,)}
        return tuple(
            Samples(id=key, times=(NOON,), intervals_s=(300.0,), series=series) for key in keys
        )


Read = Callable[..., int]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read the past of so many VMs; return of how many something came."""

    def started(opened: Any, refs: Any, wanted: Any, *, page_size: int) -> Retrieved:
        values = {"runtime.bootTime": NOON - timedelta(days=30)}
        keys = [ref._GetMoId() for ref in refs]
        return Retrieved(objects=tuple(Facts(id=k, kind="vm", values=values) for k in keys))

    def made(server: Server, count: int, *, pool_size: int = 8) -> int:
        archive = Archive(periods=(DAY,), most_metrics=64)
        monkeypatch.setattr(past_demand, "query", server)
        monkeypatch.setattr(past_demand, "archive_of", lambda opened: archive)
        monkeypatch.setattr(past_demand, "retrieve_these", started)
        opened = SimpleNamespace(stub=None)
        place = settings(pool_size=pool_size)
        session = cast("Session", SimpleNamespace(settings=place, opened=lambda: opened))
        reader = PastDemandReader(session, monotonic=lambda: server.now_s)
        vms = [builders.vm(n, 1) for n in range(1, count + 1)]
        return sum(len(block.members) for block in reader.read(vms, NOON))

    return made


def told(caplog: pytest.LogCaptureFixture) -> str:
    """Return the cause in the one line that was written."""
    (record,) = caplog.records
    return str(vars(record).get("cause", "none"))


@pytest.mark.parametrize(
    ("server", "found", "cause"),
    [
        (Server(), 200, "none"),
        (Server(largest=20), 200, "refused"),
        (Server(barred="vm-7"), 199, "no_permission"),
        (Server(largest=0), 0, "refused"),
        (Server(takes_s=READ_WITHIN_S / 2), 50 + 57, "out_of_time"),
    ],
    ids=["whole", "halved", "but one", "nothing", "some"],
)
def test_what_can_be_read_is_read_and_the_rest_is_told_once(
    server: Server, found: int, cause: str, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert read(server, 200) == found
    assert told(caplog) == cause
    assert max(server.asked) <= 64
    assert sum(size > server.largest for size in server.asked) <= MOST_FAILURES


def test_the_only_connection_is_left_to_the_cycles(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server()
    assert read(server, 5, pool_size=1) == 0
    (record,) = caplog.records
    assert (server.asked, record.message) == ([], "past demand not read")
    assert "pool_size" in vars(record)["error"]
