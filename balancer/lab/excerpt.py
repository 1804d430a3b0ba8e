"""A part of a trace, from one slot to another, as a trace of its own."""

from dataclasses import replace
from datetime import timedelta

from balancer.model.trace import Trace


def excerpt(trace: Trace, first: int, slots: int) -> Trace:
    """Return `slots` slots from number `first` on; VMs have the sizes that they have by then.

    Raises:
        ValueError: the trace has no such slots.
    """
    if not 0 <= first < first + slots <= trace.slots:
        raise ValueError(f"slots {first} to {first + slots} of a trace of {trace.slots}")
    vms, consumed = list(trace.vms), trace.consumed_mib
    for resize in trace.resizes:
        if resize.slot <= first:
            vms[resize.vm] = replace(
                vms[resize.vm], vcpus=resize.vcpus, memory_mib=resize.memory_mib
            )
    return replace(
        trace,
        start=trace.start + timedelta(seconds=first * trace.step_s),
        vms=tuple(vms),
        cpu_mhz=trace.cpu_mhz[first : first + slots],
        memory_mib=trace.memory_mib[first : first + slots],
        consumed_mib=None if consumed is None else consumed[first : first + slots],
        resizes=tuple(
            replace(resize, slot=resize.slot - first)
            for resize in trace.resizes
            if first < resize.slot < first + slots
        ),
    )
