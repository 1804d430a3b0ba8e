"""The kill switch: while a certain file is there, nothing is sent to any vCenter.

Looked at with a system call right before each submit, so that it works whatever else hangs: no database, no
network, no signal. What cannot be looked at counts as there: see docs/decisions/0033.
"""

import os
from pathlib import Path

from balancer.model.reasons import Reason, Refusal

MOST_READ_BYTES = 200


class StopFile:
    """One file on disk; call it to learn why nothing may be sent. Safe from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> Refusal | None:
        """Return that the file is there, or cannot be looked for; None where it is certainly not."""
        try:
            os.lstat(self.path)
        except FileNotFoundError:
            return self._without_folder()
        except OSError as err:
            return self._blind(err)
        return Refusal.of(
            Reason.STOP_FILE, f"{self.path} is there{self._words()}; remove it to go on"
        )

    def _without_folder(self) -> Refusal | None:
        """A folder that is not there may be a disk that is not mounted, and the file on it."""
        try:
            os.lstat(self.path.parent)
        except OSError as err:
            return self._blind(err)
        return None

    def _blind(self, err: OSError) -> Refusal:
        detail = (
            f"{self.path} cannot be looked for ({err.strerror or err}), which counts as a stop; "
            "make its folder readable, or change stop_file and restart"
        )
        return Refusal.of(Reason.STOP_FILE, detail)

    def _words(self) -> str:
        """Return the first line of the file, for people; nothing where it has none or cannot be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return ""
        try:
            content = os.read(descriptor, MOST_READ_BYTES).decode("utf-8", "replace").strip()
        except OSError:
            return ""
        finally:
            os.close(descriptor)
        return f" ({content.splitlines()[0]})" if content else ""
