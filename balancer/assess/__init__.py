"""Stage 2: a snapshot, read with a policy and the journal, becomes a need; a placement becomes figures."""
