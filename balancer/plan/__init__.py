"""Need in, draft out: which VM should go where, and why. Pure arrays inside, frozen values outside."""

from balancer.plan.engine import PlanSettings, make_draft
from balancer.plan.failover import only_mandatory

__all__ = ["PlanSettings", "make_draft", "only_mandatory"]
