"""How far a replay is, on standard error: a bar for each running run on a terminal, a line for each ended one.

In a pipe there are only the lines. What is told here is never part of a result.
"""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from balancer.expose.escape import visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ReplayProgress:
    """Shows the runs of one replay by the names given. To be used as a context."""

    def __init__(self, names: list[str]) -> None:
        self._names = [visible(name) for name in names]
        self._ended = 0
        self._shown: dict[int, TaskID] = {}
        self._bars: Progress | None = _bars() if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        if self._bars is not None:
            self._bars.stop()

    def heard(self, place: int, over: int, of: int) -> None:
        """Show how far the run at a place of the list is."""
        if self._bars is None:
            return
        if place not in self._shown:
            self._shown[place] = self._bars.add_task(self._names[place], total=of)
        self._bars.update(self._shown[place], completed=over)

    def ended(self, place: int, told: str) -> None:
        """Say what came of the run at a place of the list."""
        self._ended += 1
        if self._bars is not None and place in self._shown:
            self._bars.remove_task(self._shown.pop(place))
        self.say(f"[{self._ended}/{len(self._names)}] {self._names[place]}: {told}")

    def say(self, line: str) -> None:
        """Print one line for people, above the bars where there are some."""
        if self._bars is None:
            print(visible(line), file=sys.stderr, flush=True)
        else:
            self._bars.console.print(visible(line), markup=False, highlight=False)


def _bars() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )
