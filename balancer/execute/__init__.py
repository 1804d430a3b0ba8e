"""Stage 5, from a plan to outcomes: the only stage that moves VMs. Fresh checks, journal, slots, watching.

Decides nothing about where a VM should be; it decides whether a planned move may still be sent, and
finds out what became of it. The safety contract's rules on moving (S2, S3, S5 to S8) are kept here.
"""

from balancer.execute.executor import execute
from balancer.execute.tools import Tools

__all__ = ["Tools", "execute"]
