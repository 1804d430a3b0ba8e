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
from balancer.adapters.store.sqlite import SqliteStore
from balancer.adapters.vsphere import VsphereConnection, VsphereSettings, connect, statistics
from balancer.assess.demand import demand_of
from balancer.cycle import run_cycle
from balancer.execute import Tools
from balancer.model.events import Event
from balancer.model.units import ClusterId
from balancer.plan import PlanSettings
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Limits, Policy
from balancer.ports import ClusterRef
from balancer.site import Site
from tests.proof.fate import Fate, WatchedPort, watch_database, watch_wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")
LIMITS = Limits(
    moves_per_run_ratio=0.5,
    moves_per_run_at_most=4,
    moves_per_hour_ratio=1.0,
    moves_per_vm_per_day=4,
    migrations_per_host=2,
    residence_s=0.0,
    failed_vm_hold_s=0.0,
)
"""Shipped limits of what runs at once; a test's hour has seconds."""


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


_offers: list[object] = []


def know_the_counters() -> None:
    """Ask a server for the catalogue of its counters once for all lives: it takes longer than a life."""
    ask = statistics.offer_of

    def known(*args: Any) -> Any:
        if not _offers:
            _offers.append(ask(*args))
        return _offers[0]

    statistics.offer_of = known


def look(case: Case) -> None:
    """Read the cluster once, so that what seldom changes is known to all lives that are forked from here."""
    with connect(_settings(case)) as vcenter:
        vcenter.inventory.snapshot(CLUSTER)


class _Unheard:
    def tell(self, event: Event) -> None:
        """Hear nothing."""


def live(case: Case) -> None:
    """Run cycles, and say what was found."""
    fate = Fate(case.point, case.nth, case.signal)
    watch_database(fate)
    watch_wire(fate, Path(case.sends), case.label)
    store = SqliteStore(Path(case.journal))
    fate.passed.clear()
    with connect(_settings(case)) as vcenter:
        said = _cycles(case, vcenter, store, fate)
    store.close()
    Path(case.said).write_text(json.dumps({**said, "passed": fate.passed}), encoding="utf-8")


def _cycles(
    case: Case, vcenter: VsphereConnection, store: SqliteStore, fate: Fate
) -> dict[str, object]:
    site, used, held = _site(case, vcenter, store, fate), 0, []
    while used < case.cycles:
        used += 1
        fate.phase = "settle"
        report = run_cycle(site, cycle_id=f"{case.label}-{used}")
        held += [str(o.refusal.reason) for o in report.outcomes if o.refusal]
        held += [str(report.held.reason)] if report.held else []
        if case.until_settled and not store.open_rows("vc1"):
            break
    return {"cycles": used, "open": len(store.open_rows("vc1")), "held": held, "at": time.time()}


def _site(case: Case, vcenter: VsphereConnection, store: SqliteStore, fate: Fate) -> Site:
    tools = Tools(
        vcenter="vc1",
        cluster_name=CLUSTER.name,
        holder=case.label,
        inventory=WatchedPort(vcenter.inventory, "inventory", fate),  # type: ignore[arg-type]
        migrator=WatchedPort(vcenter.migrator(), "migrator", fate),  # type: ignore[arg-type]
        store=WatchedPort(store, "store", fate),  # type: ignore[arg-type]
        clock=SystemClock(),
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


def _settings(case: Case) -> VsphereSettings:
    return VsphereSettings(
        name="vc1",
        host=case.host,
        port=case.port,
        username=case.username,
        password=case.password,
        ca_file=Path(case.ca_file),
        read_tags=False,
    )
