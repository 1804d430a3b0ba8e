"""What a plan says of itself beyond its moves: how sure, how risky, what it keeps safe, what it was made from.

Everything here is derived from the snapshot, the policy and the journal when the plan is made; what could not be
derived is None or empty, and a report says that it is not known. Values only; no move depends on them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from balancer.model.units import HostId, Mib, MoveId, Ratio, Seconds


class Risk(StrEnum):
    """How likely a move is felt or fails, by the rules of docs/operate/reports.md."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Consent(StrEnum):
    """Whether a person's word is needed for a move, in the mode in force."""

    NOT_NEEDED = "not_needed"
    NEEDED = "needed"
    NOT_ENOUGH = "not_enough"  # mode observe or a window holds it back, whoever approves


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveBrief:
    """What is expected of one move. Nine of ten such moves take between `low_seconds` and `high_seconds`.

    `copy_mib` is all that goes over the links, what is dirtied meanwhile included, and `stun_seconds` how long the
    VM stands still at the end; both None where nobody measured how fast the VM dirties its memory.
    """

    move: MoveId
    low_seconds: Seconds
    high_seconds: Seconds
    copy_mib: Mib | None
    stun_seconds: Seconds | None
    risk: Risk
    because: tuple[str, ...]
    consent: Consent


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakLoad:
    """The highest load of one host within the horizon, as it stands and after the plan."""

    host: HostId
    cpu_ratio: Ratio
    memory_ratio: Ratio
    cpu_ratio_after: Ratio
    memory_ratio_after: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverState:
    """The cluster after a wave (0: at the start), and the hosts whose failure it would not survive."""

    wave: int
    lost: tuple[HostId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverRoom:
    """Whether `tolerated` host failures can be survived on the whole way. `tolerated` 0: HA promises nothing.

    `states` are those looked at, always the first and the last, of `waves` waves. `hosts` is how many were let
    fail in each.
    """

    tolerated: int
    hosts: int
    waves: int
    states: tuple[FailoverState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactQuality:
    """How good the facts are that a plan was made from.

    `estimated_vms` have no measured CPU or memory demand: their configured size or nothing stands for it.
    `oldest_sample_s` is None where the source gives no times.
    """

    hosts: int
    lost_hosts: int
    vms: int
    estimated_vms: int
    unread_objects: int
    hidden_objects: int
    oldest_sample_s: Seconds | None
    statistics: str
    tags: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """One window of the policy when the plan was made. `changes_at` is None where no change is in sight."""

    name: str
    effect: str
    is_open: bool
    changes_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """All of it. `spread` is the deviation of ln(measured / predicted seconds) behind the intervals.

    `limits` are the policy's, by their own words, in the units that these name. `peaks` is empty where nothing
    forecasts the load; `horizon_s` is how far the forecast reaches, `horizon_s` None without one.
    `trigger` is what asked for the plan: "cycle", "command". `config_digest` is empty where there is no
    configuration file behind it, or nobody told.
    """

    source: str
    vcenter: str
    policy: str
    policy_digest: str
    expires_at: datetime
    spread: float
    spread_from: int
    moves: tuple[MoveBrief, ...]
    failover: FailoverRoom
    quality: FactQuality
    limits: tuple[tuple[str, float], ...]
    windows: tuple[WindowState, ...]
    peaks: tuple[PeakLoad, ...] = ()
    horizon_s: Seconds | None = None
    seed: int | None = None
    time_limit_s: Seconds | None = None
    trigger: str = "cycle"
    config_digest: str = ""
