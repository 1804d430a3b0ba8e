"""The files of one cluster's recording: a new one each day and each start, each readable by itself.

Every line is a gzip member of its own, written in one go, so that a crash costs at most the last line. A file is
only added to by the process that began it.
"""

import gzip
import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from balancer.model.errors import BalancerError

FILE_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{6}Z(?:-\d+)?\.jsonl\.gz")
"""Names of the files of a recording; nothing else is ever removed."""

_STEM = "%Y-%m-%dT%H%M%SZ"

FILES_OF_ROOM = 16
"""A file ends when it takes this part of the room of all recordings, so that there is always one to remove."""


class Reel:
    """The files of one cluster in its folder, written by one thread."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self.folder = folder
        self._most_bytes = most_bytes
        self._file: Path | None = None
        self._day = ""

    def needs_new(self, at: datetime) -> bool:
        """Whether the next line goes into a new file, which must begin with a whole snapshot."""
        if self._file is None or self._day != _day(at):
            return True
        try:
            return self._file.stat().st_size >= self._most_bytes
        except OSError:
            return True  # somebody took it away

    def begin(self, at: datetime) -> None:
        """Let the next line go into a new file.

        Raises:
            BalancerError: the folder cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise _not_written(self.folder, err) from err
        stem = at.astimezone(UTC).strftime(_STEM)
        path, number = self.folder / f"{stem}.jsonl.gz", 1
        while path.exists():
            number += 1
            path = self.folder / f"{stem}-{number}.jsonl.gz"
        self._file, self._day = path, _day(at)

    def append(self, line: dict[str, object]) -> int:
        """Write one line; return how many bytes it takes.

        Raises:
            BalancerError: it cannot be written. What comes next goes into a new file.
        """
        if self._file is None:
            raise BalancerError("a line of a recording has no file: begin one first")
        text = json.dumps(line, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        packed = gzip.compress(text.encode("utf-8", errors="replace") + b"\n")
        try:
            with self._file.open("ab") as file:
                file.write(packed)
        except OSError as err:
            path, self._file = self._file, None
            raise _not_written(path, err) from err
        return len(packed)


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def _not_written(path: Path, err: OSError) -> BalancerError:
    reason = err.strerror or str(err)
    return BalancerError(f"the recording {path} cannot be written: {reason}")


def prune(folder: Path, now: datetime, *, keep_days: int, most_bytes: int) -> None:
    """Remove recordings of all clusters that are too old, then the oldest ones while they are too much.

    A file that cannot be removed is left for the next time.
    """
    found = [path for path in folder.glob("*/*/*.jsonl.gz") if FILE_NAME.fullmatch(path.name)]
    files = sorted(found, key=lambda path: (path.name, str(path)))
    sizes = [_size_bytes(path) for path in files]
    total = sum(sizes)
    oldest = (now.astimezone(UTC) - timedelta(days=keep_days)).strftime(_STEM)
    for path, size in zip(files, sizes, strict=True):
        if path.name >= oldest and total <= most_bytes:
            return
        with suppress(OSError):
            path.unlink()
            total -= size


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # gone meanwhile
        return 0
