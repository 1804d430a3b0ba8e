"""The exit codes of all commands, as scripts rely on them. Never renumbered."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the end of a command means."""

    DONE = 0
    ERROR = 1
    CHANGES = 2  # only with --detailed-exitcode
    UNMET = 3  # some must-rule or evacuation cannot be met
    REFUSED = (
        4  # stale or partial facts, a stale plan, not approved, paused, window closed, no lease
    )
    PARTLY = 5  # some of the moves were made
    INTERRUPTED = 130
