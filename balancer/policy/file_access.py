"""Looks at files whose names people wrote, without stumbling over impossible names or missing rights.

It owns the three questions that configuration, policies, snapshots and plans ask of the disk, and it
never writes. What cannot be looked at counts as not there.
"""

import errno
from pathlib import Path


def is_file(path: Path) -> bool:
    """Whether there is a file that can be seen under this name."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder that can be seen under this name."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def files_in(folder: Path) -> list[Path]:
    """Return what is in a folder, by name; nothing where it cannot be looked into."""
    try:
        return sorted(folder.iterdir())
    except (OSError, ValueError):
        return []


def first_bytes(path: Path, most_bytes: int) -> bytes:
    """Return the beginning of a file, at most so many bytes.

    Raises:
        OSError: the file cannot be read, or no file can have this name.
    """
    try:
        with path.open("rb") as file:
            return file.read(most_bytes)
    except ValueError as err:  # a NUL in the name
        raise OSError(errno.EINVAL, "no file can have this name") from err
