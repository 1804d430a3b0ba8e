"""What is allowed: one file per law, each a judge that answers with a typed refusal or None.

Judges are pure and know no solver. `ALL_LAWS` is the one list of them: the planner's result, every
step of its sequence, and each move just before it is sent are judged by the same functions.
"""

from balancer.rules.judge import ALL_LAWS, judge_move
from balancer.rules.law import Law
from balancer.rules.placement import Candidate, Placement

__all__ = ["ALL_LAWS", "Candidate", "Law", "Placement", "judge_move"]
