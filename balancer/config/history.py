"""The section on history: where demand over weeks is kept, for how long, and in how much room."""

from typing import Annotated

from pydantic import Field

from balancer.config.parts import FilePath, Part


class History(Part):
    """What demand was. A file of its own: nothing that happens to it touches the journal or stops the daemon.

    Measured (tests/bench/history.py, docs/understand/history.md): with the defaults, and with 30 days of
    `five_minute_days`, 10,000 VMs take less than 200 MB on disk, and 10 KB of memory each.
    """

    path: FilePath | None = None
    five_minute_days: Annotated[int, Field(ge=1, le=60)] = 14
    memory_days: Annotated[int, Field(ge=1, le=60)] = 14
    hourly_days: Annotated[int, Field(ge=1, le=400)] = 60
    most_mib: Annotated[int, Field(ge=1, le=65_536)] = 170

    @property
    def remembered_days(self) -> int:
        """Return for how many days memory holds figures of five minutes: no more than the file does."""
        return min(self.memory_days, self.five_minute_days)
