"""What is found in policies that are of the right form: levels, kinds, findings. Values only; words are stable."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    ERROR = "error"  # something that is asked for cannot be
    WARNING = "warning"  # something that is written does not do what it seems to
    INFO = "info"  # worth knowing


class LintKind(StrEnum):
    """What a finding is about. Never renamed: the words stand in JSON documents."""

    WINDOW_NEVER_OPENS = "window_never_opens"
    NO_EFFECT = "no_effect"
    OVERRULED = "overruled"
    NO_VMS = "no_vms"
    ONE_VM = "one_vm"
    NO_HOSTS = "no_hosts"
    UNREACHABLE = "unreachable"
    REDUNDANT = "redundant"
    CONTRADICTORY = "contradictory"
    OVERSIZE = "oversize"
    ONE_HOST_DOWN = "one_host_down"
    UNKNOWN_NAME = "unknown_name"
    FACTS_UNKNOWN = "facts_unknown"
    TAKEN_IN = "taken_in"


FAILING = frozenset(
    {
        LintKind.CONTRADICTORY,
        LintKind.OVERSIZE,
        LintKind.NO_HOSTS,
        LintKind.UNREACHABLE,
        LintKind.ONE_HOST_DOWN,
    }
)
"""Kinds that say that a rule cannot hold, now or once a host fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One finding: what is wrong and the mend. `rule` and `where` (`file:line:column`) as far as there is one."""

    level: Level
    kind: LintKind
    why: str
    mend: str
    rule: str = ""
    where: str = ""
