"""Small trace folders written for a test: a plain one, and pieces to break it with."""

from collections.abc import Mapping
from pathlib import Path

PLAIN: Mapping[str, str] = {
    "cpu_mhz.csv": "slot,a,b\n0,100,200\n1,110,210\n2,120,220\n",
    "mem_active_mib.csv": "slot,a,b\n0,500,900\n1,510,910\n2,520,920\n",
    "vms.csv": "vm,vcpus,cpu_mhz,mem_mib\na,2,5200,4096\nb,4,10400,8192\n",
}
"""Two VMs over three slots of 5 minutes."""


def trace_folder(folder: Path, /, **changed: str | bytes | None) -> Path:
    """Write `PLAIN` with files changed, added or (None) left out; `__` in a name stands for the dot."""
    files: dict[str, str | bytes | None] = {**PLAIN}
    files |= {name.replace("__", "."): content for name, content in changed.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if content is not None:
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)
    return folder
