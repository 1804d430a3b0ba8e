"""What an examination found: one check, its outcome, where, what was found, and what to do about it.

Values only. `assess.doctor` makes them from facts, `expose` shows them; the words are stable, as scripts
read them.
"""

from dataclasses import dataclass
from enum import StrEnum


class Check(StrEnum):
    """What was looked at. Never renamed: the words stand in JSON documents."""

    SETTINGS = "settings"
    REACH = "reach"
    CERTIFICATE = "certificate"
    LOGIN = "login"
    API_VERSION = "api_version"
    CLOCK = "clock"
    PRIVILEGES_MISSING = "privileges_missing"
    PRIVILEGES_EXCESS = "privileges_excess"
    CLUSTERS = "clusters"
    CLUSTER = "cluster"
    INVENTORY = "inventory"
    DRS = "drs"
    EVC = "evc"
    VMOTION = "vmotion"
    VMOTION_ADDRESS = "vmotion_address"
    VMOTION_SPEED = "vmotion_speed"
    VMOTION_MIXED_SPEED = "vmotion_mixed_speed"
    VMOTION_MTU = "vmotion_mtu"
    VMOTION_ADAPTERS = "vmotion_adapters"
    VMOTION_TUNING = "vmotion_tuning"
    HOST_NETWORKS = "host_networks"
    HOST_DATASTORES = "host_datastores"
    AUTOMATIC_MODE = "automatic_mode"


class Outcome(StrEnum):
    """How a check ended. Unchecked: the facts could not be had, so nothing is said about them."""

    OK = "ok"
    ADVICE = "advice"
    PROBLEM = "problem"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result. `objects` are the names it is about; `blocks` says that it stands against acting.

    Raises:
        ValueError: something other than ok does not say what to do.
    """

    check: Check
    outcome: Outcome
    found: str
    mend: str = ""
    objects: tuple[str, ...] = ()
    blocks: bool = False

    def __post_init__(self) -> None:
        """Refuse a complaint without a mend."""
        if self.outcome is not Outcome.OK and not self.mend:
            raise ValueError(f"{self.check}: {self.outcome} without a mend")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDiagnosis:
    """The findings of one configured cluster."""

    name: str
    mode: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The findings of one vCenter and its configured clusters, in the order of the checks."""

    vcenter: str
    address: str
    user: str
    findings: tuple[Finding, ...]
    clusters: tuple[ClusterDiagnosis, ...] = ()

    @property
    def every(self) -> tuple[Finding, ...]:
        """Return the findings of the vCenter and of its clusters."""
        return self.findings + tuple(f for cluster in self.clusters for f in cluster.findings)
