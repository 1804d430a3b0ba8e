"""A mutating call reaches the wire at most once, whatever becomes of its answer. Counted on the wire.

Each case submits one vMotion through the fault proxy, which loses the answer in one of seven ways, drawn
with a fixed seed. A hundred cases run with the suite; `make prove-once` runs a thousand.
"""

import os
import random
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereMigrator, connect
from balancer.model.errors import SubmitError, SubmitNotSent, SubmitUnknown
from balancer.model.outcome import MigrationOrder
from balancer.model.plan import Priority
from balancer.model.units import HostId, VmId
from tests.support.fault_proxy import FaultProxy, Spoil
from tests.support.vcenter import start_vcenter
from tests.support.vsphere import HeardRequests, settings_for
from tests.support.wire import document, host_row, vm_row, write

pytestmark = [pytest.mark.wire, pytest.mark.slow]

METHOD = "RelocateVM_Task"
CASES = int(os.environ.get("BALANCER_ONCE_CASES", "100"))
VMS = 20
TIMEOUT_S = 3.0
"""On a busy machine a call that loses nothing must end in it: what was not sent would be no case."""
LOSSES: tuple[dict[str, object], ...] = (
    {"what": Spoil.DROP_REPLY},
    {"what": Spoil.DROP_REQUEST},
    {"what": Spoil.RESET},
    {"what": Spoil.TRUNCATE},
    {"what": Spoil.STATUS, "status": 503},
    {"what": Spoil.ANSWER, "status": 200, "body": b"<not><soap/></not>"},
    {"what": Spoil.DELAY, "seconds": 2 * TIMEOUT_S},
)
WEIGHTS = (20, 20, 20, 20, 10, 9, 1)
"""A delay costs the whole time-out of the call: one case in a hundred."""


@pytest.mark.timeout(900)
def test_a_lost_reply_never_sends_a_migration_twice(tmp_path: Path) -> None:
    rows = [vm_row(number, 1) for number in range(1, VMS + 1)]
    doc = document([host_row(1), host_row(2)], rows)
    chance, heard = random.Random(7), HeardRequests()
    with (
        start_vcenter(write(tmp_path, doc), migration_seconds=0.01) as server,
        FaultProxy(server) as proxy,
    ):
        settings = settings_for(
            server, port=proxy.port, ca_file=proxy.ca_file, submit_timeout_s=TIMEOUT_S
        )
        with connect(settings, observer=heard) as vcenter:
            for number in range(CASES):
                loss = chance.choices(LOSSES, WEIGHTS)[0]
                proxy.spoil(method=METHOD, **loss)  # type: ignore[arg-type]
                before = len([1 for method, _ in proxy.seen.received if method == METHOD])
                outcome = submitted(vcenter.migrator(), number)
                sent = len([1 for method, _ in proxy.seen.received if method == METHOD]) - before
                assert sent <= 1, (number, loss, proxy.seen.received[-5:])
                assert (sent, type(outcome)) == (1, SubmitUnknown), (number, loss, outcome)
        assert proxy.seen.count(METHOD) == CASES
        executed = server.control.calls().calls.get(METHOD, 0)
        assert executed == len([1 for method, _ in proxy.seen.passed if method == METHOD])
    assert sum(n for (method, _), n in heard.requests.items() if method == METHOD) == CASES


def submitted(migrator: VsphereMigrator, number: int) -> object:
    """Submit a migration; return what was raised, None where an answer came."""
    order = MigrationOrder(
        vm=VmId(f"vm-{number % VMS + 1}"),
        vm_name=f"vm{number % VMS + 1}",
        target=HostId("host-2" if number // VMS % 2 == 0 else "host-1"),
        priority=Priority.DEFAULT,
    )
    try:
        migrator.submit(order)
    except (SubmitError, SubmitUnknown) as err:
        return err
    return None


def test_what_was_not_sent_is_told_apart_from_what_is_unknown(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1)])
    with (
        start_vcenter(write(tmp_path, doc)) as server,
        FaultProxy(server) as proxy,
        connect(settings_for(server, port=proxy.port, ca_file=proxy.ca_file)) as vcenter,
    ):
        proxy.spoil(Spoil.DROP_REQUEST, "CurrentTime", times=10)
        assert isinstance(submitted(vcenter.migrator(), 0), SubmitNotSent)
        assert proxy.seen.count(METHOD) == 0
