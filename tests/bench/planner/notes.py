"""The sentences above the tables: what was done, and how to read it."""

RELIEF = """Ours with the goal of balance switched off, against the climbs up to the first step at which no host
is above a threshold. The climbs do not aim at contention; this is what their aim costs. The last two
columns are ours over the best of the climbs, taken for each column by itself."""

BALANCE = (
    """Moves / GiB / migration seconds until the target. "at ... pp" marks who did not reach it."""
)

AGAIN = (
    """Moves of a second plan, made on the result of the first with the same policy and settings."""
)

RUNS = """Spreads are the policy's imbalance: the capacity-weighted standard deviation of host load over both
resources. Wall and processor seconds are of the planner's call alone; peak memory is that of the whole
process during the call."""

EVACUATION = """Every case is solvable: a lawful placement on the hosts that stay is known. Goals: evacuation and
rules. "Greedy" places the largest VM first and moves nothing else."""

SCHEDULE = """One draft (without polish) put in order under several limits; below, tight evacuations, in which moves
wait for others. Bound: the longest move, the busiest host's seconds over its slots, all seconds over the
cluster's cap, each move taking the seconds that the schedule expects. It knows nothing of moves that must
wait for room ("chains" binds) nor of a host's link ("links" binds). Where slots do not bind, a proof is
asked for: it may find a shorter order, and tells what is left to its bound."""

CONFLICT = """A sound cluster of the rule-heavy scenario with one contradiction written into it. Goals: evacuation
and rules. "Naming it" is the time for writing down moves and conflicts, less the same without the
contradiction; the rest is the vain search for a way."""

PAIRS = """Time limit {limit:g} s, 2 workers, hint is the current placement. Ours without polish. The model's
own objective (gaps of CPU and of memory plus memory moved) is told for both; lower is better."""

COMMAND = (
    """`balancer plan --snapshot F --policy P --format json --output G`, a process of its own."""
)
