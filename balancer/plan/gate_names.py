"""The gates that are no laws, in the order of the question: before the laws, and after them."""

HOLD = "hold"
FAILOVER = "failover"
THRESHOLD = "threshold"
