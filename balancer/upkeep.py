"""What is done once a day and at the start: old rows are dropped, and the audit log's head is told to the log.

Whoever keeps the program's log elsewhere can hold the audit log against that head: nothing before it can have been
cut off or changed since (`balancer audit verify --head`). Decides nothing about moves.
"""

import logging
from datetime import timedelta

from balancer.model.errors import StoreError
from balancer.ports import Clock, Store

log = logging.getLogger(__name__)

EVERY = timedelta(days=1)


def keep_up(store: Store, clock: Clock, retention_days: int) -> None:
    """Drop what has been over for longer than that, and tell the head. A failure is told and tried the next day."""
    try:
        dropped = store.forget(clock.now() - timedelta(days=retention_days))
        heads = store.audit_entries(last=1)
    except StoreError as err:
        log.error("journal not kept in bounds", extra={"error": str(err)})
        return
    if dropped:
        log.info("old rows dropped", extra={"rows": dropped, "retention_days": retention_days})
    for head in heads:
        log.info("audit head", extra={"number": head.number, "digest": head.digest})
