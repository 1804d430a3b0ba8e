"""The section on planning: what the processes that plan may take."""

from typing import Annotated

from pydantic import Field

from balancer.config.parts import Part


class Planning(Part):
    """Caps of the processes in which plans are made. Whatever exceeds them is ended, and its cycle fails.

    Measured (tests/bench/idle.py, docs/operate/service.md): 0.6 GiB of address space and 3 s of a core for
    100 hosts with 5,000 VMs.
    """

    memory_mib: Annotated[int, Field(ge=512, le=65_536)] = 2_048
    patience_s: Annotated[float, Field(ge=5.0, le=600.0)] = 60.0
    processes: Annotated[int, Field(ge=1, le=64)] = 2
