"""What can be said of a VM that does not run, host by host: which checks hold for it, and which do not apply.

A VM that is off is no load and is never moved, so nothing of the plan bears on it. What lies in the VM and
the host alone holds for it all the same: rules for hosts, datastores, networks, the host's state.
"""

from balancer.model.insight import PRICE, Gate, RestingTarget, VmInsight
from balancer.model.need import Need
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId
from balancer.model.vm import Vm
from balancer.plan.gate_names import FAILOVER, HOLD, THRESHOLD
from balancer.policy.types import Policy
from balancer.rules.judge import ALL_LAWS
from balancer.rules.placement import Candidate, Ground, Placement

_HOLDING = frozenset({"devices", "host_state", "vm_host", "storage", "network"})
_OF_VMOTION = frozenset({Reason.VMOTION_DISABLED, Reason.ENCRYPTION_UNSUPPORTED})
"""Refusals of `host_state` that concern running VMs alone."""


def explain_resting(need: Need, policy: Policy, vm: Vm, *, host: HostId | None) -> VmInsight:
    """Return why a VM that does not run stays, with every other host or with one."""
    placement = Placement(Ground(need.snapshot, policy, need.demand))
    others = (entry.id for entry in need.snapshot.hosts if entry.id != vm.host)
    return VmInsight(
        vm=vm.id,
        host=vm.host,
        movers=(vm.id,),
        cpu_mhz=0.0,
        memory_mib=0.0,
        footprint_mib=0.0,
        stays=Refusal.of(Reason.NOT_RUNNING, f"{vm.name} is {vm.power.phrase}", vm=vm.id),
        resting=tuple(
            RestingTarget(host=target, gates=_gates(placement, vm, target))
            for target in others
            if host in (None, target)
        ),
    )


def _gates(placement: Placement, vm: Vm, target: HostId) -> tuple[Gate, ...]:
    move = Candidate(vm=vm.id, target=target)
    gates = [_idle(HOLD)]
    for law in ALL_LAWS:
        if law.name not in _HOLDING:
            gates.append(_idle(law.name))
            continue
        refusal = law.judge(placement, move)
        is_told = refusal is not None and refusal.reason not in _OF_VMOTION
        gates.append(Gate(name=law.name, now=refusal if is_told else None, after=None))
    return (*gates, _idle(FAILOVER), _idle(THRESHOLD), _idle(PRICE))


def _idle(name: str) -> Gate:
    return Gate(name=name, now=None, after=None, applies=False)
