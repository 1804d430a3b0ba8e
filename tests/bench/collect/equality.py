"""Whether our parser and pyVmomi give the same values, property by property, over the wire."""

from dataclasses import dataclass

from balancer.adapters.vsphere.observer import Unobserved
from balancer.adapters.vsphere.session import LoginGuard, Session
from tests.bench.collect.paths import READS
from tests.bench.collect.target import Target
from tests.support.both_ways import compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How many values were compared, and the first of those that differ."""

    values: int
    differing: int
    examples: tuple[str, ...]


def differences(target: Target) -> Compared:
    """Read the leaf values of hosts and VMs both ways and compare them."""
    settings = target.settings()
    session = Session(
        settings, guard=LoginGuard(), observer=Unobserved(), timeout_s=settings.read_timeout_s
    )
    try:
        pairs = [
            pair
            for _, kind, paths in READS["leaves"]
            for pair in compared(session.opened(), kind, paths, page_size=target.page_size)
        ]
    finally:
        session.close()
    wrong = [
        f"{key} {path}: {ours!r} {theirs!r}" for key, path, ours, theirs in pairs if ours != theirs
    ]
    return Compared(values=len(pairs), differing=len(wrong), examples=tuple(wrong[:3]))
