"""The exit codes of all commands, as scripts rely on them. Never renumbered."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


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


MEANINGS: Mapping[ExitCode, str] = MappingProxyType(
    {
        ExitCode.DONE: "done; with `plan --detailed-exitcode`: no changes proposed",
        ExitCode.ERROR: "error; the message on stderr says what was attempted, what happened and what to do. "
        "`doctor`: there is a problem; `validate`: a file is wrong; `audit verify`: the chain does not hold; "
        "`policy test`: an expectation is not met or a file is wrong; `policy lint`: there are errors, with "
        "`--strict` warnings; `policy import-drs`: something could not be said in a policy; `notify test`: a "
        "channel has not taken the message; `import`: the file cannot be mended; `lab replay`: a run was lost",
        ExitCode.CHANGES: "`plan --detailed-exitcode`: changes proposed",
        ExitCode.UNMET: "`plan`: some must-rule or evacuation cannot be met; the plan is the best that can be "
        "done (status `degraded`); `lab whatif`: the changed cluster does not hold its VMs",
        ExitCode.REFUSED: "refused: stale or partial facts (`explain` answers all the same); `apply`, `approve`, "
        "`reject`: a plan that is stale, changed, too old or decided on, or the cluster is paused, held by a "
        "window or its mode, or in other hands",
        ExitCode.PARTLY: "`apply`: some of the moves were made; `report --detailed-exitcode`: not all of them were",
        ExitCode.INTERRUPTED: "interrupted; `lab replay` has written what had ended by then",
    }
)
"""What each means, by command, for the page of reference."""
