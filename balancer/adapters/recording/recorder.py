"""Writes what the daemon sees: a listener of each cluster, and one thread that does the slow part.

Whoever tells goes on at once. Where the disk is too slow the oldest snapshot that waits is dropped and counted;
what cannot be written is told to the log once and counted, and the daemon goes on as if nothing were recorded.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from balancer.adapters.recording.form import Clean, Story
from balancer.adapters.recording.pseudonyms import Pseudonyms, kept_key
from balancer.adapters.recording.reel import FILES_OF_ROOM, Reel, prune
from balancer.assess.demand_wanted import as_wanted
from balancer.config.record import Record
from balancer.model.errors import BalancerError
from balancer.model.events import ClusterRead, Event
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds

log = logging.getLogger(__name__)

MOST_WAITING = 8
"""Snapshots that wait to be written, of all clusters together."""

STOP_WITHIN_S: Seconds = 1.5
"""How long a stop waits for what is not written yet."""

_MIB = 1 << 20

Results = Callable[[str], None]
"""Told what became of a snapshot: written, failed, dropped."""


class Recorder:
    """Recordings of the clusters that a configuration names. `start` and `stop` once."""

    def __init__(self, record: Record, key_path: Path, results: Results) -> None:
        self._record, self._key_path, self._results = record, key_path, results
        self._shelf: _Shelf | None = None
        self._waiting: deque[tuple[str, Snapshot]] = deque()
        self._lock = threading.Lock()
        self._is_needed, self._stopping = threading.Event(), threading.Event()
        self._is_failing = False
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def listeners_of(self, vcenter: str, cluster: str) -> Sequence["Ear"]:
        """Return who listens to a cluster; nobody where it is not recorded."""
        shard = f"{vcenter}/{cluster}"
        chosen = self._record.clusters
        if self._record.folder is None or (chosen and shard not in chosen):
            return ()
        return (Ear(shard, self.put),)

    def start(self) -> None:
        """Start to write, where anything is recorded at all."""
        if self._record.folder is not None:
            self._thread.start()

    def put(self, shard: str, snapshot: Snapshot) -> None:
        """Take a snapshot; returns at once."""
        with self._lock:
            is_full = len(self._waiting) >= MOST_WAITING
            if is_full:
                self._waiting.popleft()
            self._waiting.append((shard, snapshot))
        if is_full:
            self._results("dropped")
        self._is_needed.set()

    def stop(self) -> bool:
        """Write what waits, and end within `STOP_WITHIN_S`; whether it did."""
        if not self._thread.is_alive():
            return True
        self._stopping.set()
        self._is_needed.set()
        self._thread.join(STOP_WITHIN_S)
        return not self._thread.is_alive()

    def write_waiting(self) -> None:
        """Write everything that waits; for the recorder's own thread."""
        while True:
            with self._lock:
                if not self._waiting:
                    return
                shard, snapshot = self._waiting.popleft()
            self._results(self._written(shard, snapshot))

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._is_needed.wait()
            self._is_needed.clear()
            self.write_waiting()

    def _written(self, shard: str, snapshot: Snapshot) -> str:
        try:
            if self._shelf is None:
                self._shelf = _Shelf.of(self._record, self._key_path)
            self._shelf.write(shard, snapshot)
        except Exception as err:
            self._tell_failed(err)
            return "failed"
        if self._is_failing:
            self._is_failing = False
            log.info("recording goes on")
        return "written"

    def _tell_failed(self, err: Exception) -> None:
        """Tell it once for as long as it goes on; what nobody foresaw with its traceback."""
        if self._is_failing:
            return
        self._is_failing = True
        expected = isinstance(err, BalancerError | OSError)
        hint = "the daemon goes on; look at the folder's rights and room"
        log.error(
            "snapshots are not recorded",
            extra={"error": str(err), "hint": hint},
            exc_info=None if expected else err,
        )


class Ear:
    """Hears the snapshots of one cluster."""

    def __init__(self, shard: str, put: Callable[[str, Snapshot], None]) -> None:
        self._shard, self._put = shard, put

    def tell(self, event: Event) -> None:
        """Hand on a snapshot as it was read, without a forecast in it; everything else is not recorded."""
        if isinstance(event, ClusterRead):
            self._put(self._shard, event.snapshot)


class _Shelf:
    """The folder of recordings: one reel and one story for each cluster."""

    def __init__(self, folder: Path, record: Record, pseudonyms: Pseudonyms | None) -> None:
        self._folder, self._record, self._pseudonyms = folder, record, pseudonyms
        self._clean: Clean = pseudonyms.cleaned if pseudonyms else _as_it_is
        self._reels: dict[str, tuple[Reel, Story]] = {}
        self._room, self._unpruned = record.most_mib * _MIB, 0

    @classmethod
    def of(cls, record: Record, key_path: Path) -> "_Shelf":
        """Return the shelf of a configuration.

        Raises:
            BalancerError: nothing is to be recorded, or the key of the names cannot be used.
        """
        if record.folder is None:
            raise BalancerError("record.folder is not set: nothing is recorded")
        pseudonyms = Pseudonyms(kept_key(key_path)) if record.anonymize else None
        return cls(record.folder, record, pseudonyms)

    def write(self, shard: str, snapshot: Snapshot) -> None:
        """Write one snapshot, into a new file where one is due; then keep the folder within its bounds.

        The CPU demand that is written is what VMs want although their hosts do not give it.

        Raises:
            BalancerError: it cannot be written.
        """
        reel, story = self._reel_of(shard)
        is_new = reel.needs_new(snapshot.taken_at)
        if is_new:
            story.anew()
            reel.begin(snapshot.taken_at)
        self._unpruned += reel.append(story.line(as_wanted(snapshot)))
        if is_new or self._unpruned >= self._room // FILES_OF_ROOM:
            days = self._record.keep_days
            prune(self._folder, snapshot.taken_at, keep_days=days, most_bytes=self._room)
            self._unpruned = 0

    def _reel_of(self, shard: str) -> tuple[Reel, Story]:
        if shard not in self._reels:
            folder = self._folder / folder_of(shard, self._pseudonyms)
            reel = Reel(folder, most_bytes=self._room // FILES_OF_ROOM)
            self._reels[shard] = reel, Story(clean=self._clean)
        return self._reels[shard]


def folder_of(shard: str, pseudonyms: Pseudonyms | None) -> Path:
    """Return where the recording of a cluster lies, below the folder of recordings: vCenter, then cluster."""
    if pseudonyms is not None:
        return Path("anonymous") / pseudonyms.of("cluster", shard)
    vcenter, _, cluster = shard.partition("/")
    return Path(_plain(vcenter)) / _plain(cluster)


def _plain(name: str) -> str:
    """Return a name that any file system takes and that leads nowhere else."""
    plain = quote(name, safe=" ")
    return f"%2E{plain[1:]}" if plain.startswith(".") else plain


def _as_it_is(snapshot: Snapshot) -> Snapshot:
    return snapshot
