"""The form of a law: a name and a judge."""

from collections.abc import Callable
from dataclasses import dataclass

from balancer.model.reasons import Refusal
from balancer.rules.placement import Candidate, Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One law. A static one depends on the VM and the target alone, not on where other VMs are."""

    name: str
    judge: Callable[[Placement, Candidate], Refusal | None]
    is_static: bool = False
