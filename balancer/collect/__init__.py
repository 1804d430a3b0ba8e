"""1 source -> Snapshot. Judges whether what was read is fit to act on; the reading itself is a port."""

from balancer.collect.continuity import Observation, Sighting, observe
from balancer.collect.quality import judge_quality

__all__ = ["Observation", "Sighting", "judge_quality", "observe"]
