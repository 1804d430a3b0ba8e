"""What a process and its children take, read from /proc: memory, processor time, descriptors, threads."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_KIB_PER_MIB = 1024
_PARENT = 1
_TICKS = slice(11, 15)
"""Where the parent stands in /proc/PID/stat behind the command's name, and the times in user and system mode, first
its own, then those of its children that were waited for. Source: proc(5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One reading. `cpu_s` is processor time since the start; memory is resident memory.

    `main_mib`, `descriptors` and `threads` are those of the process itself, the others of it and its children.
    """

    main_mib: float
    all_mib: float
    cpu_s: float
    processes: int
    descriptors: int
    threads: int


def taken_by(process: int) -> Taken:
    """Return what a process and all below it take now; children that end meanwhile do not count."""
    family = [process, *below(process)]
    memory = {each: _resident_mib(each) for each in family}
    return Taken(
        main_mib=memory[process],
        all_mib=sum(memory.values()),
        cpu_s=sum(map(_cpu_s, family)),
        processes=len(family),
        descriptors=len(list((_PROC / str(process) / "fd").iterdir())),
        threads=len(list((_PROC / str(process) / "task").iterdir())),
    )


def below(process: int) -> list[int]:
    """Return the processes below one, at any depth."""
    parents: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(_fields(stat)[_PARENT]), []).append(int(stat.parent.name))
    found, open_ones = list[int](), [process]
    while open_ones:
        children = parents.get(open_ones.pop(), [])
        found += children
        open_ones += children
    return found


def _fields(stat: Path) -> list[str]:
    return stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _cpu_s(process: int) -> float:
    with suppress(OSError):
        ticks = _fields(_PROC / str(process) / "stat")[_TICKS]
        return sum(map(int, ticks)) / _TICKS_PER_SECOND
    return 0.0


def _resident_mib(process: int) -> float:
    with suppress(OSError):
        for line in (_PROC / str(process) / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / _KIB_PER_MIB
    return 0.0
