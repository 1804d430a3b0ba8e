"""What a source remembers of a cluster's demand, asked for once and beside the cycles.

Owns the thread in which it is asked. No cycle waits for it: what has come is taken by the next one.
"""

import logging
import threading
from collections.abc import Sequence
from contextvars import copy_context
from datetime import datetime
from queue import Empty, SimpleQueue

from balancer.model.errors import SourceError
from balancer.model.rollup import Block
from balancer.model.vm import Vm
from balancer.ports import PastDemand

log = logging.getLogger(__name__)


class Backfill:
    """The past of one cluster. `past` of None: the source keeps none, or is not asked."""

    def __init__(self, past: PastDemand | None) -> None:
        self._past = past
        self._came: SimpleQueue[Block] = SimpleQueue()

    def ask(self, vms: Sequence[Vm], until: datetime) -> None:
        """Begin to read, and return at once. The thread does not keep the process from ending."""
        if self._past is None:
            return
        run, work = copy_context().run, self._read
        threading.Thread(
            target=run, args=(work, self._past, vms, until), name="past-demand", daemon=True
        ).start()

    def taken(self) -> tuple[Block, ...]:
        """Return what has come since this was asked last."""
        blocks: list[Block] = []
        while True:
            try:
                blocks.append(self._came.get_nowait())
            except Empty:
                return tuple(blocks)

    def _read(self, past: PastDemand, vms: Sequence[Vm], until: datetime) -> None:
        try:
            for block in past.read(vms, until):
                self._came.put(block)
        except SourceError as err:
            log.warning("past demand not read", extra={"error": str(err)})
        except Exception:  # the cycles go on without the past
            log.exception("past demand not read, unexpectedly")
