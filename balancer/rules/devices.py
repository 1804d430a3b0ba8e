"""Law: what ties a VM to its host. Powered off, DRS override, devices, and other blockers of vMotion."""

from balancer.model.blocker_words import blocker_words
from balancer.model.reasons import Reason, Refusal
from balancer.model.vm import Automation
from balancer.rules.placement import Candidate, Placement

_AUTOMATION = {
    Automation.MANUAL: Reason.AUTOMATION_MANUAL,
    Automation.DISABLED: Reason.AUTOMATION_DISABLED,
}


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a VM that does not run, that its owner has pinned, or that a device holds."""
    vm = placement.vm(move.vm)
    if not vm.is_running:
        return Refusal.of(Reason.NOT_RUNNING, f"{vm.name} is {vm.power.phrase}", vm=vm.id)
    if vm.blockers:
        detail = f"{vm.name}: {blocker_words(vm.blockers)}"
        return Refusal.of(Reason(min(vm.blockers).value), detail, vm=vm.id)
    if vm.automation in _AUTOMATION:
        detail = f"{vm.name} has the DRS override {vm.automation}"
        return Refusal.of(_AUTOMATION[vm.automation], detail, vm=vm.id)
    return None
