"""Looks back before a plan is made: what became of earlier moves, and what follows from it.

Reads the journal's memory of one cluster and writes down what is learnt. Sends nothing and asks vCenter nothing:
what it needs to see is in the snapshot.
"""

from collections.abc import Sequence
from datetime import timedelta

from balancer.execute.judging import judge_batches
from balancer.execute.tools import Tools
from balancer.model.past import Past
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy

MEMORY = timedelta(days=30)
"""How far back anything is remembered: quarantines that follow each other double."""


def review(
    snapshot: Snapshot, policy: Policy, tools: Tools, *, unfit: Sequence[Refusal] = ()
) -> Past:
    """Return what is remembered of the cluster, with what this look has added.

    `unfit` are the reasons why the snapshot is not fit to act on: then nothing is measured by it.

    Raises:
        StoreError: the journal could not be read or written.
    """
    since = tools.clock.now() - MEMORY
    past = tools.store.past(tools.vcenter, snapshot.cluster.id, since)
    return judge_batches(snapshot, policy, tools, past, unfit=unfit)
