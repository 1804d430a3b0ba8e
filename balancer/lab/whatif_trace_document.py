"""The answer of a what-if over a trace as JSON: both sides in full, units in the names of the keys."""

from balancer.expose.document import Json, number
from balancer.expose.figures import timestamp
from balancer.lab.document import score_entry
from balancer.lab.whatif_document import seat_entry, unplaced_entry
from balancer.lab.whatif_replayed import (
    MEMORY_CEILING,
    Case,
    Peak,
    Side,
    TraceAnswer,
    WorstHour,
    misfits,
)
from balancer.version import VERSION

SCHEMA = "balancer/what-if-trace/v1"


def trace_answer_document(answer: TraceAnswer) -> Json:
    """Return the answer in the fixed order of its keys; equal answers give equal documents."""
    played = answer.played
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "trace": {
            "name": played.trace,
            "digest": played.trace_digest,
            "placement": played.start,
            "slots": played.slots,
            "step_seconds": number(played.step_s),
        },
        "digests": dict(sorted(played.digests.items())),
        "policies": dict(sorted(played.policies.items())),
        "seed": played.seed,
        "interval_seconds": number(played.interval_s),
        "idle_consumed_ratio": number(played.idle_consumed),
        "rule": {
            "most_unmet_ratio": number(answer.most_unmet),
            "memory_ceiling_ratio": number(MEMORY_CEILING),
        },
        "assumed": list(answer.told),
        "fits": answer.fits,
        "cases": [_case(answer, case) for case in answer.cases],
    }


def _case(answer: TraceAnswer, case: Case) -> Json:
    return {
        "contender": case.after.run.contender,
        "fits": answer.case_fits(case),
        "why_not": list(misfits(answer, case)),
        "unplaced": [unplaced_entry(vm) for vm in case.unplaced],
        "started": [seat_entry(seat) for seat in case.seats],
        "started_from_lost_hosts_mib": number(case.seated_mib),
        "before": _side(answer, case.before),
        "after": _side(answer, case.after),
    }


def _side(answer: TraceAnswer, side: Side) -> Json:
    score = side.run.score
    return {
        "label": side.label,
        "contender": side.run.contender,
        "replay_fits": side.fits(answer.most_unmet),
        "vms": side.vms,
        "hosts": side.hosts,
        "unmet_ratio": number(score.unmet_ratio),
        "score": score_entry(score),
        "worst_hour": _hour(side.worst),
        "fullest_cpu": _peak(side.cpu),
        "fullest_memory": _peak(side.memory),
    }


def _hour(hour: WorstHour) -> Json:
    return {
        "begins": timestamp(hour.begins),
        "unmet_ghz_h": number(hour.unmet_ghz_h),
        "host": hour.host,
        "cpu_ratio": number(hour.cpu_ratio),
    }


def _peak(peak: Peak) -> Json:
    return {"host": peak.host, "at": timestamp(peak.at), "ratio": number(peak.ratio)}
