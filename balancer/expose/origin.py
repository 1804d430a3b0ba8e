"""Where a plan was made and where it can be found: what the commands in its report depend on. Values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How a plan came about. `config` and `file` are paths as a person gave them, empty where none was given.

    `is_kept` says that the daemon keeps it in its journal, `has_snapshot_file` that it was made from a file.
    `address` is where the daemon can be asked, empty where that is not known.
    """

    config: str = ""
    file: str = ""
    is_kept: bool = False
    has_snapshot_file: bool = False
    address: str = ""


NOWHERE = Origin()
