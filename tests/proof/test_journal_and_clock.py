"""A disk that is full, a journal that is read-only, a clock that jumps by an hour: nothing sent, nothing lost.

The daemon goes on, metrics and plans stay up, and moving resumes by itself.
"""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from balancer.adapters.clock import SystemClock
from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.store.sqlite import SqliteStore
from balancer.adapters.vsphere import connect
from balancer.cycle import CycleReport, run_cycle
from balancer.model.errors import StoreError
from balancer.model.outcome import MoveState
from balancer.site import Site
from tests.proof.fate import Fate
from tests.proof.life import settings_of, site_of
from tests.proof.theatre import Theatre, theatre
from tests.support.stage import DaemonRun, running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]

METHOD = "RelocateVM_Task"


def sent(server: VCenterProcess) -> int:
    return server.control.calls().calls.get(METHOD, 0)


# the disk is full


def let_files_grow_to(process: "subprocess.Popen[str]", most_bytes: int) -> None:
    """Let a running process write files only up to a size; pipes and sockets are not files."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most_bytes, hard))


def cycles_after(daemon: DaemonRun, count: int) -> None:
    """Wait for so many more cycles, whether they end well or not."""
    before = daemon.metric("balancer_cycles_total")
    wait_until(
        f"{count} more cycles",
        lambda: daemon.metric("balancer_cycles_total") >= before + count,
        within_s=120,
    )


def load_the_fullest(server: VCenterProcess) -> None:
    """Let the VMs of the host with the most of them want much, and those of the others little."""
    hosts = server.control.state().hosts.values()
    fullest = max(hosts, key=lambda host: len(host.vms))
    for host in hosts:
        for vm in host.vms:
            share = 0.9 * host.cpu_capacity_mhz / len(fullest.vms)
            server.control.set_demand(vm, cpu_mhz=share if host is fullest else 50.0)


def test_a_full_disk_keeps_every_move_on_paper_until_there_is_room_again(tmp_path: Path) -> None:
    cluster = generate(InventorySpec(hosts=4, vms=40, name="prod-a"), 3)
    with (
        start_vcenter(write_inventory(tmp_path, cluster), migration_seconds=0.1) as server,
        running_daemon(tmp_path, write_stage(tmp_path, server, "prod-a"), piped=True) as daemon,
    ):
        wait_until("the first move", lambda: sent(server) > 0, within_s=120)
        cycles_after(daemon, 1)
        let_files_grow_to(daemon.process, 0)
        cycles_after(daemon, 1)
        before = sent(server)
        load_the_fullest(server)
        cycles_after(daemon, 2)

        assert sent(server) == before
        assert daemon.get("/healthz").status_code == 200
        assert daemon.metric("balancer_plan_moves") > 0
        assert "disk" in daemon.log_file.read_text(encoding="utf-8")

        let_files_grow_to(daemon.process, resource.RLIM_INFINITY)
        wait_until("moves again", lambda: sent(server) > before, within_s=120)


# one process, cycle by cycle


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Theatre]:
    with theatre(tmp_path) as opened:
        opened.curtain()
        opened.upset()
        yield opened


class JumpingClock(SystemClock):
    """Our wall clock, wrong by `offset_s`; the monotonic one is right."""

    offset_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.offset_s)


@contextmanager
def process(stage: Theatre, clock: SystemClock) -> Iterator[tuple[Site, SqliteStore]]:
    """Be a process of the balancer beside the test vCenter."""
    case = stage.case("here", lease_s=30.0, hold_s=0.1)
    with closing(SqliteStore(stage.journal)) as store, connect(settings_of(case)) as vcenter:
        yield site_of(case, vcenter, store, Fate("", 0, 0), clock), store


def cycle(site: Site, number: int) -> CycleReport:
    return run_cycle(site, cycle_id=f"here-{number}")


def test_a_read_only_journal_lets_nothing_be_sent_and_is_used_again_when_it_can_be_written(
    stage: Theatre,
) -> None:
    is_read_only = True

    def begun(connection: object) -> None:
        word = "ON" if is_read_only else "OFF"
        connection.exec_driver_sql(f"PRAGMA query_only={word}")  # type: ignore[attr-defined]

    with process(stage, SystemClock()) as (site, _):
        event.listen(Engine, "begin", begun)
        try:
            with pytest.raises(StoreError, match="writable"):
                raise refused(site)
            assert sent(stage.server) == 0
            is_read_only = False
            assert [o.state for o in cycle(site, 2).outcomes if o.was_sent]
        finally:
            event.remove(Engine, "begin", begun)
    assert sent(stage.server) > 0
    assert stage.books().faults == ()


def refused(site: Site) -> StoreError:
    """Run a cycle, and return why the journal let nothing be sent: raised, or told of each move."""
    try:
        report = cycle(site, 1)
    except StoreError as err:
        return err
    return StoreError("; ".join(str(o.refusal) for o in report.outcomes))


@pytest.mark.parametrize("hour", [-3600.0, 3600.0])
def test_after_a_clock_jump_of_an_hour_nothing_is_sent_until_the_clocks_agree_again(
    stage: Theatre, hour: float
) -> None:
    clock = JumpingClock()
    with process(stage, clock) as (site, store):
        clock.offset_s = hour
        report = cycle(site, 1)
        assert sent(stage.server) == 0
        assert [refusal.reason.value for refusal in report.seen.unfit]

        clock.offset_s = 0.0
        assert [o for o in cycle(site, 2).outcomes if o.was_sent]
        assert store.open_rows("vc1") == ()
    assert stage.books().faults == ()


@pytest.mark.parametrize("hour", [-3600.0, 3600.0])
def test_a_clock_that_jumps_by_an_hour_while_a_vm_migrates_changes_no_end(
    stage: Theatre, hour: float
) -> None:
    clock = JumpingClock()
    with process(stage, clock) as (site, store):
        submit = site.tools.migrator.submit

        def jumps(order: object) -> str:
            task = submit(order)  # type: ignore[arg-type]
            clock.offset_s = hour
            return task

        site.tools.migrator.submit = jumps  # type: ignore[method-assign]
        outcomes = [o for o in cycle(site, 1).outcomes if o.was_sent]
        assert [o.state for o in outcomes] == [MoveState.DONE] * len(outcomes)
        assert len(outcomes) >= 1
        assert store.open_rows("vc1") == ()
    books = stage.books()
    assert (books.lost, books.duplicates, books.leaked) == ((), (), ())
