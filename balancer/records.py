"""The journal as people ask for it: rows by filter, and one row with all that is remembered around it.

Functions over the store, for the command line and whatever else shows the journal. Reads only.
"""

from datetime import timedelta

from balancer.model.errors import NotFound
from balancer.model.outcome import JournalRow, RowQuery
from balancer.model.story import RowStory
from balancer.ports import Store

MEMORY = timedelta(days=40)
"""How far before a row verdicts and quarantines are looked for."""


def story_of(store: Store, number: int) -> RowStory:
    """Return the story of one row.

    Raises:
        NotFound: there is no such row.
        StoreError: the journal cannot be read.
    """
    steps = store.steps_of(number)
    row = _row(store, number)
    entry = row.entry
    plan = store.find_plan(entry.plan_id)
    decided = store.approvals(plan.shard, last=10**6) if plan else ()
    past = store.past(entry.vcenter, entry.cluster, entry.intended_at - MEMORY)
    return RowStory(
        row=row,
        steps=steps,
        plan=plan,
        approval=next((one for one in decided if plan and one.plan == plan.id), None),
        verdict=next((one for one in past.verdicts if one.cycle_id == entry.cycle_id), None),
        quarantines=tuple(one for one in past.quarantines if one.cause == number),
    )


def _row(store: Store, number: int) -> JournalRow:
    for row in store.find_rows(RowQuery(row=number)):
        return row
    newest = store.find_rows(RowQuery(last=1))
    there = f"The newest is {newest[0].id}." if newest else "It has no rows yet."
    raise NotFound(f"The journal has no row {number}. {there} See balancer journal list.")
