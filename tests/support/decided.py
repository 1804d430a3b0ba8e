"""A decision in which contention acts on host-1 and balance waits."""

from balancer.model.decision import Answer, Bargain, Decision, Reading
from balancer.model.units import HostId

DECISION = Decision(
    contention=Reading(
        answer=Answer.ACTS,
        now=0.91,
        trigger=0.85,
        aim=0.85,
        looks=3,
        looks_over=3,
        looks_needed=2,
        span_s=900.0,
        recent=0.88,
        host=HostId("host-1"),
        resource="cpu",
    ),
    balance=Reading(
        answer=Answer.NOT_SUSTAINED,
        now=0.06,
        trigger=0.05,
        aim=0.025,
        looks=3,
        looks_over=1,
        looks_needed=2,
        span_s=900.0,
        recent=0.04,
        host=HostId("host-1"),
    ),
    bargain=Bargain(
        horizon_s=7200.0,
        moves=2,
        unmet_before_mhz_h=5000.0,
        unmet_after_mhz_h=1000.0,
        imbalance_before=0.06,
        imbalance_after=0.03,
        copied_mib=8192.0,
        copy_s=30.0,
        copy_mhz_h=40.0,
        gain=2e-3,
        price=1e-4,
    ),
)
