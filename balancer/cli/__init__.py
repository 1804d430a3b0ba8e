"""The command line: one file per command, one place where errors become a paragraph and an exit code.

Everything heavy (solver, network, database) is imported inside of the command that needs it, so that
`--help` and `validate` start at once. No command decides anything about a cluster by itself.
"""

import os
import sys

ALGEBRA_THREADS = "OPENBLAS_NUM_THREADS"
"""numpy's algebra starts a thread per core, whose stacks are held for nothing: our arrays are small. With one
thread a plan is also the same on machines with few cores and with many. Source: OpenBLAS, USAGE.md."""


_INTERRUPTED = 130
"""As `ExitCode.INTERRUPTED`, which may not be read yet."""


def main() -> None:
    """Run the command line of this process and end it with the command's exit code."""
    os.environ.setdefault(ALGEBRA_THREADS, "1")
    try:
        from balancer.cli.app import Reporter, Session, run_command_line
    except KeyboardInterrupt:  # pressed while the program was still being read: nothing was begun
        sys.exit(_INTERRUPTED)

    session = Session()
    sys.excepthook = Reporter(session)
    sys.exit(run_command_line(sys.argv[1:], session))
