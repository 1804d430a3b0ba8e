"""`ports.History` in one SQLite file.

Five-minute steps are written hour by hour, so that little is written, and put together to days later, which takes
less room; longer steps lie in days from the start. See `history_chunks` for the form of the figures.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import and_, delete, func, select

from balancer.adapters.store.file import nobody
from balancer.adapters.store.history_chunks import Sheet
from balancer.adapters.store.history_file import HistoryFile
from balancer.adapters.store.history_rows import (
    block_of,
    drop_members,
    ids_of,
    is_of,
    join_day,
    lay,
    members_of,
    parts_of,
    used_bytes,
)
from balancer.adapters.store.history_tables import spans
from balancer.model.rollup import Block, Kind, Series
from balancer.model.scale import encoded
from balancer.model.units import DAY_S, Seconds


class SqliteHistory:
    """See `ports.History`. Safe to share between threads.

    Raises:
        StoreError: as for `HistoryFile`.
    """

    def __init__(self, path: Path, *, on_failure: Callable[[], None] = nobody) -> None:
        self._file = HistoryFile(path, on_failure=on_failure)

    def close(self) -> None:
        """Close every connection."""
        self._file.close()

    @property
    def size_bytes(self) -> int:
        """Return what the file takes on the disk."""
        return self._file.size_bytes

    def put(self, cluster: str, block: Block) -> None:
        """Keep figures; see `ports.History`."""
        with self._file.writing("keep roll-ups") as connection:
            ids = ids_of(connection, cluster, block)
            order = np.argsort(ids)
            for starts, part in parts_of(block):
                codes = {
                    series: encoded(series.measure, figures[part][:, order])
                    for series, figures in block.figures.items()
                }
                steps = part.stop - part.start
                sheet = Sheet(steps=steps, ids=ids[order], codes=codes)
                lay(connection, (cluster, block.kind.value, round(block.step_s)), starts, sheet)

    def read(
        self,
        cluster: str,
        kind: Kind,
        step_s: Seconds,
        *,
        since: datetime,
        until: datetime,
        series: Collection[Series],
    ) -> Iterator[Block]:
        """Yield what is kept; see `ports.History`."""
        with self._file.reading("read the history") as connection:
            found = connection.execute(
                select(spans)
                .where(is_of((cluster, kind.value, round(step_s))))
                .where(spans.c.starts < until.timestamp())
                .where(spans.c.starts + spans.c.steps * spans.c.step_s > since.timestamp())
                .order_by(spans.c.starts)
            ).all()
            window = since.timestamp(), until.timestamp()
            known = members_of(connection, cluster, kind) if found else {}
            for span in found:
                block = block_of(connection, kind, span, known, window, series)
                if block.steps:
                    yield block

    def forget_steps(self, step_s: Seconds, before: datetime) -> None:
        """Drop old steps; see `ports.History`."""
        limit = before.timestamp() // DAY_S * DAY_S
        is_old = and_(
            spans.c.step_s == round(step_s),
            spans.c.starts + spans.c.steps * spans.c.step_s <= limit,
        )
        with self._file.writing("drop old roll-ups") as connection:
            connection.execute(delete(spans).where(is_old))
        self._file.give_back_room()

    def shrink(self, most_bytes: int) -> None:
        """Drop the oldest; see `ports.History`."""
        with self._file.writing("keep the history in bounds") as connection:
            if used_bytes(connection) <= most_bytes:
                return
            while used_bytes(connection) > most_bytes:
                oldest = select(spans.c.id).order_by(spans.c.step_s, spans.c.starts).limit(1)
                found = connection.execute(oldest).scalar()
                if found is None:
                    break
                connection.execute(delete(spans).where(spans.c.id == found))
        self._file.give_back_room()

    def condense(self, before: datetime) -> None:
        """Put hours together to days, and tidy up; see `ports.History`."""
        today = int(before.timestamp() // DAY_S * DAY_S)
        with self._file.reading("look for hours to put together") as connection:
            day = spans.c.starts // DAY_S
            key = (spans.c.cluster, spans.c.kind, spans.c.step_s, day)
            several = select(*key).where(spans.c.starts < today).group_by(*key)
            found = connection.execute(several.having(func.count() > 1)).all()
        for cluster, kind, step_s, number in found:
            with self._file.writing("put hours of the history together") as connection:
                join_day(connection, (cluster, kind, step_s), number * DAY_S)
        with self._file.writing("drop members without figures") as connection:
            drop_members(connection)
        self._file.give_back_room()

    def oldest(self) -> datetime | None:
        """Return when the oldest step begins; see `ports.History`."""
        with self._file.reading("look for the oldest roll-up") as connection:
            starts = connection.execute(select(func.min(spans.c.starts))).scalar()
        return None if starts is None else datetime.fromtimestamp(starts, UTC)
