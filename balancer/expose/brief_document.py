"""A plan's brief as keys of the plan document. What is not known has no key. Decides nothing."""

from collections.abc import Iterable

from balancer.expose.figures import number, timestamp
from balancer.model.brief import Brief, FailoverRoom, MoveBrief, WindowState
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId

Json = dict[str, object]


def brief_entries(brief: Brief, snapshot: Snapshot) -> Json:
    """Return the keys that a brief adds to the document."""
    found: Json = {
        "expires_at": timestamp(brief.expires_at),
        "made_by": _made_by(brief),
        "policy": {"name": brief.policy, "digest": brief.policy_digest},
        "durations": {"spread": number(brief.spread), "migrations": brief.spread_from},
        "failover": _failover(brief.failover, snapshot),
        "quality": _quality(brief),
        "limits": {name: number(value) for name, value in brief.limits},
        "windows": [_window(window) for window in brief.windows],
    }
    if brief.peaks and brief.horizon_s:
        found["forecast"] = _forecast(brief, snapshot)
    return found


def _made_by(brief: Brief) -> Json:
    found: Json = {
        "trigger": brief.trigger,
        "source": brief.source,
        "vcenter": brief.vcenter or None,
        "seed": brief.seed,
        "time_limit_seconds": brief.time_limit_s,
        "configuration": brief.config_digest or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _failover(room: FailoverRoom, snapshot: Snapshot) -> Json:
    states: list[Json] = [
        {"wave": state.wave, "lost": _named(state.lost, snapshot)} for state in room.states
    ]
    return {
        "tolerated": room.tolerated,
        "hosts": room.hosts,
        "waves": room.waves,
        "states": states,
    }


def _named(hosts: Iterable[HostId], snapshot: Snapshot) -> list[Json]:
    known = snapshot.host_by_id
    return [{"id": h, "name": known[h].name if h in known else h} for h in hosts]


def _quality(brief: Brief) -> Json:
    found = brief.quality
    entry: Json = {
        "hosts": found.hosts,
        "lost_hosts": found.lost_hosts,
        "vms": found.vms,
        "estimated_vms": found.estimated_vms,
        "unread_objects": found.unread_objects,
        "hidden_objects": found.hidden_objects,
        "statistics": found.statistics,
        "tags": found.tags,
    }
    if found.oldest_sample_s is not None:
        entry["oldest_sample_seconds"] = number(found.oldest_sample_s)
    return entry


def _window(window: WindowState) -> Json:
    entry: Json = {"name": window.name, "effect": window.effect, "open": window.is_open}
    return entry | ({"changes_at": timestamp(window.changes_at)} if window.changes_at else {})


def _forecast(brief: Brief, snapshot: Snapshot) -> Json:
    known = snapshot.host_by_id
    hosts: list[Json] = [
        {
            "id": peak.host,
            "name": known[peak.host].name if peak.host in known else peak.host,
            "cpu_ratio": number(peak.cpu_ratio),
            "memory_ratio": number(peak.memory_ratio),
            "cpu_ratio_after": number(peak.cpu_ratio_after),
            "memory_ratio_after": number(peak.memory_ratio_after),
        }
        for peak in brief.peaks
    ]
    return {"horizon_seconds": number(brief.horizon_s or 0.0), "hosts": hosts}


def move_brief(brief: MoveBrief) -> Json:
    """Return the keys that a brief adds to a move."""
    found: Json = {
        "low_seconds": number(brief.low_seconds),
        "high_seconds": number(brief.high_seconds),
        "copy_mib": None if brief.copy_mib is None else number(brief.copy_mib),
        "stun_seconds": None if brief.stun_seconds is None else number(brief.stun_seconds),
        "risk": brief.risk.value,
        "risk_because": list(brief.because),
        "approval": brief.consent.value,
    }
    return {key: value for key, value in found.items() if value is not None}
