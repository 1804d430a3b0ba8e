"""The control client of the test vCenter: look at its world and change it.

It owns the typed form of the server's HTTP control and nothing else: it starts no process and
speaks no SOAP. Tests use it beside the product's own connection, to arrange a situation (demand,
rules, host states, faults) and to see what really happened (moves, peaks, calls).
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Literal, Self, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict

FaultMoment = Literal["call", "task", "warning"]
HostRole = Literal["target", "source", "either"]
HostWord = Literal[
    "connected",
    "entering_maintenance",
    "maintenance",
    "quarantine",
    "standby",
    "disconnected",
    "not_responding",
]
PowerWord = Literal["on", "off", "suspended"]
RuleType = Literal["affinity", "anti_affinity", "vm_host_affine", "vm_host_anti_affine"]
T = TypeVar("T")

POLL_INTERVAL_S = 0.02
PATIENCE_S = 60.0
"""How long is waited for what comes in a moment on a machine that is not busy."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HostReport(_Answer):
    """One host: what runs on it, what it uses, and its migrations in and out, now and at most."""

    id: str
    state: str
    vms: tuple[str, ...]
    running_migrations: int
    peak_migrations: int
    cpu_usage_mhz: float
    cpu_capacity_mhz: float
    memory_usage_mib: float
    memory_capacity_mib: float


class ClusterReport(_Answer):
    """Migrations of the whole cluster: running, waiting for a slot, and the most at one time."""

    running_migrations: int
    peak_migrations: int
    queued_migrations: int


class Totals(_Answer):
    """Relocations by outcome.

    ``failed`` were ended by an injected fault, ``refused`` by the server's own checks.
    """

    submitted: int
    queued: int
    running: int
    success: int
    failed: int
    refused: int
    cancelled: int


class StateReport(_Answer):
    """The world at one instant; hosts by name."""

    hosts: dict[str, HostReport]
    cluster: ClusterReport
    totals: Totals

    def host_of(self, vm: str) -> str:
        """Return the name of the host that has the VM; KeyError if none has."""
        for name, host in self.hosts.items():
            if vm in host.vms:
                return name
        raise KeyError(vm)


class Relocation(_Answer):
    """One line of the relocation log; times are RFC 3339, fault is the type's wire name."""

    number: int
    vm: str
    from_host: str
    to_host: str
    priority: str
    user: str
    task: str | None
    queued_at: str
    started_at: str | None
    ended_at: str | None
    state: Literal["queued", "running", "success", "failed", "refused", "cancelled"]
    fault: str | None
    message: str | None
    injected: bool


class Calls(_Answer):
    """SOAP calls by method: executed ones, and those whose connection was cut on request."""

    calls: dict[str, int]
    dropped: dict[str, int]


class InjectedFault(_Answer):
    """One fault that is still waiting to happen."""

    id: int
    at: str
    method: str
    vm: str
    host: str
    role: str
    fault: str
    message: str
    message_key: str
    after_s: float | None
    times: int | None
    hits: int


class _RelocationLog(_Answer):
    relocations: tuple[Relocation, ...]


class _FaultList(_Answer):
    faults: tuple[InjectedFault, ...]


class VCenterControl:
    """A client of the control port; VMs and hosts are given by name or managed-object id."""

    def __init__(self, url: str, *, timeout_s: float = PATIENCE_S) -> None:
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection to the control port."""
        self._http.close()

    def state(self) -> StateReport:
        """Return hosts, running migrations and totals."""
        return StateReport.model_validate_json(self._get("/state"))

    def relocations(self) -> tuple[Relocation, ...]:
        """Return the log of relocations in the order of the calls."""
        return _RelocationLog.model_validate_json(self._get("/relocations")).relocations

    def forget_relocations(self) -> None:
        """Empty the log of what is over and set the peaks to what runs now."""
        self._send("DELETE", "/relocations")

    def calls(self) -> Calls:
        """Return the number of SOAP calls by method."""
        return Calls.model_validate_json(self._get("/calls"))

    def forget_calls(self) -> None:
        """Set all call counts to zero."""
        self._send("DELETE", "/calls")

    def snapshot_json(self) -> str:
        """Return the inventory as it is now, as a snapshot v1 document."""
        return self._get("/snapshot")

    def set_migration_seconds(self, seconds: float | None, *, vm: str | None = None) -> None:
        """Set how long migrations take: all, or one VM's (None gives it the common time again)."""
        self._send("POST", "/migration", {"seconds": seconds, "vm": vm or ""})

    def end_migrations(self) -> int:
        """Let every migration that runs be over as though its time were, and return how many they were."""
        return _number(self._send("POST", "/migration/end"), "ended")

    def set_demand(
        self,
        vm: str,
        *,
        cpu_mhz: float | None = None,
        active_mib: float | None = None,
        consumed_mib: float | None = None,
    ) -> None:
        """Change what a VM wants; what is None stays."""
        change = {"cpu_mhz": cpu_mhz, "active_mib": active_mib, "consumed_mib": consumed_mib}
        self._send("POST", "/demand", {"vm": vm, **change})

    def set_statistics(self, **switches: object) -> None:
        """Change what statistics are answered: ``largest_batch``, ``most_metrics``, ``denied``, ``off``, ``past``.

        ``vms`` is a list of ``{"vm", "active_write_mib", "swap_in_kibps", "network_kibps", "gaps",
        "negatives", "silent", "denied", "age_seconds"}``; what is absent stays as it is.
        """
        self._send("POST", "/statistics", switches)

    def set_clock(self, offset_seconds: float) -> None:
        """Put the server's clock so many seconds before ours."""
        self._send("POST", "/clock", {"offset_seconds": offset_seconds})

    def deny(self, name: str, *paths: str, invisible: bool = False) -> None:
        """Let the account see neither these properties of an object, nor the object where invisible."""
        ask = {"object": name, "paths": list(paths), "invisible": invisible}
        self._send("POST", "/permissions", ask)

    def add_rule(
        self,
        name: str,
        kind: RuleType,
        *,
        vms: list[str],
        hosts: list[str] | None = None,
        enabled: bool = True,
        mandatory: bool = True,
    ) -> None:
        """Add a DRS rule to the cluster."""
        rule = {"name": name, "type": kind, "vms": vms, "hosts": hosts or []}
        self._send(
            "POST", "/rules", {"add": [{**rule, "enabled": enabled, "mandatory": mandatory}]}
        )

    def remove_rule(self, name: str) -> None:
        """Remove a DRS rule by name."""
        self._send("POST", "/rules", {"remove": [name]})

    def set_host_state(self, host: str, state: HostWord) -> None:
        """Set a host's state at once; ``entering_maintenance`` starts the task that waits."""
        self._send("POST", f"/hosts/{host}/state", {"state": state})

    def set_power(self, vm: str, power: PowerWord) -> None:
        """Switch a VM on, off or to suspended at once."""
        self._send("POST", f"/vms/{vm}/power", {"power": power})

    def move(
        self, vm: str, host: str, *, seconds: float | None = None, user: str | None = None
    ) -> None:
        """Move a VM as somebody else would (or ``user``): at once, or as a task of that many seconds."""
        ask = {"vm": vm, "host": host, "seconds": seconds}
        self._send("POST", "/move", ask | ({"user": user} if user else {}))

    def forget_tasks(self, task: str = "") -> None:
        """Let ended relocations, or one, fall out of the recent tasks; the history keeps them."""
        self._send("POST", "/tasks/forget", {"task": task})

    def sessions(self) -> int:
        """Return how many sessions are logged in."""
        return int(json.loads(self._send("GET", "/sessions"))["sessions"])

    def rights(
        self, everywhere: Iterable[str], on: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        """Say which privileges the account holds everywhere, and which instead on single objects by id."""
        single = {key: sorted(ids) for key, ids in (on or {}).items()}
        self._send("POST", "/rights", {"everywhere": sorted(everywhere), "on": single})

    def drs(self, *, enabled: bool, automation: str = "", vmotion_rate: int = 0) -> None:
        """Set the cluster's own DRS; what is empty or 0 is as in a new cluster."""
        ask = {"enabled": enabled, "automation": automation, "vmotion_rate": vmotion_rate}
        self._send("POST", "/drs", ask)

    def host_setup(
        self,
        host: str,
        *,
        version: str = "",
        adapters: Sequence[Mapping[str, object]] | None = None,
        options: Mapping[str, int] | None = None,
    ) -> None:
        """Change how a host is set up for vMotion; what is not given stays.

        Args:
            host: Name or id.
            version: ESXi's version, such as ``7.0.1``.
            adapters: One vmkernel adapter each: ``links_mbps`` (0: down), ``address``, ``netmask``,
                ``mtu``, ``stack``.
            options: Advanced options that are not at their defaults.
        """
        ask = {"version": version, "adapters": adapters, "options": options}
        self._send("POST", f"/hosts/{host}/setup", ask)

    def add_fault(
        self,
        fault: str,
        *,
        at: FaultMoment = "task",
        vm: str = "",
        host: str = "",
        role: HostRole = "target",
        method: str = "RelocateVM_Task",
        after_s: float | None = None,
        times: int | None = None,
        message: str = "",
        message_key: str = "",
    ) -> int:
        """Make matching calls or tasks fail; return the rule's id.

        Args:
            fault: Wire name of a vim or vmodl fault, such as ``CpuIncompatible``.
            at: ``call`` answers the call with it, ``task`` ends the task with it, ``warning`` is told by
                the server's check and refuses nothing (``method`` is CheckRelocate_Task then).
            vm: Only this VM; empty is any.
            host: Only this host, in the given role; empty is any.
            role: What the host is in the move.
            method: SOAP method.
            after_s: Seconds from the task's start; None is half of its time.
            times: How often; None is always.
            message: Text of the fault.
            message_key: Key of its ``faultMessage``.
        """
        ask = {
            "fault": fault,
            "at": at,
            "vm": vm,
            "host": host,
            "role": role,
            "method": method,
            "after_s": after_s,
            "times": times,
            "message": message,
            "message_key": message_key,
        }
        return _number(self._send("POST", "/faults", ask), "id")

    def drop_reply(self, method: str, *, times: int = 1) -> int:
        """Execute the next calls of a method, but close their connection without an answer."""
        ask = {"at": "drop_reply", "method": method, "times": times}
        return _number(self._send("POST", "/faults", ask), "id")

    def drop_request(self, method: str, *, times: int = 1) -> int:
        """Close the connection of the next calls of a method before they are executed."""
        ask = {"at": "drop_request", "method": method, "times": times}
        return _number(self._send("POST", "/faults", ask), "id")

    def outage(self, seconds: float) -> None:
        """Break every SOAP connection now, and each new one for that many seconds; replaces an earlier one."""
        self._send("POST", "/outage", {"seconds": seconds})

    def faults(self) -> tuple[InjectedFault, ...]:
        """Return the faults that may still happen."""
        return _FaultList.model_validate_json(self._get("/faults")).faults

    def clear_faults(self) -> None:
        """Remove every injected fault."""
        self._send("DELETE", "/faults")

    def expire_sessions(self) -> int:
        """End every session and return how many; their next call is NotAuthenticated."""
        return _number(self._send("POST", "/sessions/expire"), "expired")

    def wait_for_state(
        self, until: Callable[[StateReport], bool], *, what: str, timeout_s: float = PATIENCE_S
    ) -> StateReport:
        """Poll the state until the condition holds; TimeoutError names what was waited for."""
        return wait_for(self.state, until, what=what, timeout_s=timeout_s)

    def _get(self, path: str) -> str:
        return self._send("GET", path)

    def _send(self, method: str, path: str, body: object | None = None) -> str:
        answer = self._http.request(method, path, json=body)
        if answer.is_error:
            problem = _Problem.model_validate_json(answer.text).error
            raise ValueError(f"{method} {path} was refused: {problem}")
        return answer.text


def wait_for(
    read: Callable[[], T], until: Callable[[T], bool], *, what: str, timeout_s: float = PATIENCE_S
) -> T:
    """Read until the value satisfies the condition and return it.

    Raises:
        TimeoutError: It did not within the time; the message has the last value.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = read()
        if until(value):
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what}; last seen: {value!r}")
        time.sleep(POLL_INTERVAL_S)


class _Problem(BaseModel):
    error: str


class _Number(BaseModel):
    id: int = 0
    expired: int = 0
    ended: int = 0


def _number(answer: str, field: Literal["id", "expired", "ended"]) -> int:
    number: int = getattr(_Number.model_validate_json(answer), field)
    return number
