"""One life of the balancer's process: cycles of the real composition, up to a point where it dies or freezes.

vSphere adapter over TLS, journal on a file, `run_cycle` with settling, planning and executing. Only times are
shortened (lease, hold, poll), and the points of `fate` are listened to.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from balancer.adapters.clock import SystemClock
from balancer.adapters.store import file
from balancer.adapters.store.sqlite import SqliteStore
from balancer.adapters.vsphere import VsphereConnection, VsphereSettings, connect, statistics
from balancer.assess.demand import demand_of
from balancer.cycle import run_cycle
from balancer.execute import Tools
from balancer.model.errors import StoreError
from balancer.model.events import Event
from balancer.model.units import ClusterId
from balancer.plan import PlanSettings
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits, Policy
from balancer.ports import Clock, ClusterRef
from balancer.site import Site
from tests.proof.fate import Fate, WatchedPort, Watcher, watch_database, watch_wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")
LIMITS = Limits(
    moves_per_run_at_least=2,
    moves_per_run_at_most=2,
    moves_per_hour_ratio=100.0,
    moves_per_vm_per_day=1000,
    moves_on_trial=1000,
    migrations_per_host=2,
    residence_s=0.0,
    failed_vm_hold_s=0.0,
    worse_verdicts=1000,
    verdict_after_s=0.0,
    returns_at_most=1000,
    breaker_failures_in_row=1000,
    breaker_failed_ratio=1.0,
)
"""The shipped limits of what runs at once; a test's hour and day have seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one process is to do. `cycles` is the most; it ends sooner once nothing is open, if `until_settled`.

    The file `said` gets what it found, one JSON object. `signal` 0: it lives on.
    """

    host: str
    port: int
    username: str
    password: str
    ca_file: str
    journal: str
    sends: str
    said: str
    label: str
    cycles: int = 1
    until_settled: bool = False
    point: str = ""
    nth: int = 1
    signal: int = 0
    lease_s: float = 0.1
    hold_s: float = 0.1


class _Unheard:
    def tell(self, event: Event) -> None:
        """Hear nothing."""


class Stock:
    """What a process that has imported everything and read the cluster once has ready for all its forks.

    The catalogue of the server's counters, the facts that seldom change, and compiled statements. Sessions are
    not among it: each life logs in by itself and opens the journal by itself.
    """

    def __init__(self) -> None:
        nobody = Fate("", 0, 0)
        self.watcher = Watcher(nobody, Path("/dev/null"), "nobody")
        self._vcenter: VsphereConnection | None = None
        watch_database(self.watcher)
        watch_wire(self.watcher)
        _know_the_counters()
        _keep_what_was_compiled()

    def live(self, case: Case) -> None:
        """Run cycles, and say what was found."""
        fate = Fate(case.point, case.nth, case.signal)
        try:
            store = SqliteStore(Path(case.journal))
        except StoreError as err:  # somebody frozen holds the lock: the daemon would end and say so
            Path(case.said).write_text(json.dumps({"cycles": 0, "held": [str(err)]}), "utf-8")
            return
        self.watcher.fate, self.watcher.sends = fate, Path(case.sends)
        self.watcher.label = case.label
        with self._connection(case) as vcenter:
            said = _cycles(case, vcenter, store, fate)
        store.close()
        said["passed"] = fate.passed
        Path(case.said).write_text(json.dumps(said), encoding="utf-8")

    def _connection(self, case: Case) -> VsphereConnection:
        """Return the connection to the server, logged out: its caches are kept."""
        self._vcenter = self._vcenter or connect(settings_of(case))
        return self._vcenter


def _know_the_counters() -> None:
    """Ask a server for the catalogue of its counters once: it takes longer than a life."""
    offers: list[object] = []
    ask = statistics.offer_of

    def known(*args: Any) -> Any:
        if not offers:
            offers.append(ask(*args))
        return offers[0]

    statistics.offer_of = known


def _keep_what_was_compiled() -> None:
    """Let all engines share one cache of compiled statements."""
    caches: list[Any] = []
    create = file.create_engine

    def created(*args: Any, **facts: Any) -> Any:
        engine = create(*args, **facts)
        if not caches:
            caches.append(engine._compiled_cache)
        engine._compiled_cache = caches[0]
        return engine

    file.create_engine = created


def _cycles(
    case: Case, vcenter: VsphereConnection, store: SqliteStore, fate: Fate
) -> dict[str, object]:
    site, used, held = site_of(case, vcenter, store, fate), 0, []
    while used < case.cycles:
        used += 1
        fate.phase = "settle"
        try:
            report = run_cycle(site, cycle_id=f"{case.label}-{used}")
        except StoreError:  # as `ClusterJob` does: the next cycle may find the journal again
            held.append("journal")
            continue
        held += [str(o.refusal.reason) for o in report.outcomes if o.refusal]
        held += [str(report.held.reason)] if report.held else []
        held += [] if report.outcomes else map(str, report.plan.refusals)
        if case.until_settled and not store.open_rows("vc1"):
            break
    return {
        "cycles": used,
        "open": len(store.open_rows("vc1")),
        "held": held,
        "cpu": time.process_time(),
    }


def site_of(
    case: Case,
    vcenter: VsphereConnection,
    store: SqliteStore,
    fate: Fate,
    clock: Clock | None = None,
) -> Site:
    """Return the cluster as a cycle works on it, with ports that a fate hears of."""
    tools = Tools(
        vcenter="vc1",
        cluster_name=CLUSTER.name,
        holder=case.label,
        inventory=WatchedPort(vcenter.inventory, "inventory", fate),  # type: ignore[arg-type]
        migrator=WatchedPort(vcenter.migrator(), "migrator", fate),  # type: ignore[arg-type]
        store=WatchedPort(store, "store", fate),  # type: ignore[arg-type]
        clock=clock or SystemClock(),
        events=_Unheard(),
        may_submit=lambda: None,
        demand_of=demand_of,
        poll_s=0.01,
        hold_s=case.hold_s,
        lease_s=case.lease_s,
    )
    return Site(
        cluster=CLUSTER,
        policy=Policy(limits=LIMITS),
        in_force=lambda _: InForce(mode=Mode.AUTOMATIC),
        settings=PlanSettings(polish_windows=0, refine_rounds=0, time_limit_s=1.0),
        tools=tools,
    )


def settings_of(case: Case) -> VsphereSettings:
    """Return how the server is reached."""
    return VsphereSettings(
        name="vc1",
        host=case.host,
        port=case.port,
        username=case.username,
        password=case.password,
        ca_file=Path(case.ca_file),
        read_tags=False,
        concurrency=1,
    )
