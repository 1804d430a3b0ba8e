"""The mode in force on a cluster at one instant, and what it says of a single move.

Pure. Asked when a plan is made and again before each move is sent, so that both are judged alike. The most
careful word counts: of the cluster in the configuration, of its policy, of windows, of the VM's own mode.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import VmId
from balancer.policy.mode import Mode, most_careful
from balancer.policy.types import Policy
from balancer.policy.windows import freest_mode

_REASONS: Mapping[Mode, Reason] = MappingProxyType(
    {
        Mode.OBSERVE: Reason.OBSERVE_MODE,
        Mode.MANUAL: Reason.NOT_APPROVED,
        Mode.PARTIAL: Reason.OBSERVE_MODE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """How far the program may act on one cluster. `because` says what holds it there, None where nothing does.

    `vm_modes` are the modes of single VMs; only those that are more careful than `mode` matter. `is_approved` says
    that a person approved the moves that it is asked about: that frees what waits for a person's word, never
    what `observe` or a window holds back.
    """

    mode: Mode
    because: Refusal | None = None
    vm_modes: Mapping[VmId, Mode] = field(default_factory=lambda: MappingProxyType({}))
    is_approved: bool = False

    @property
    def held(self) -> Refusal | None:
        """Return why nothing at all may be moved, None where something may."""
        return self._against(self.mode, is_mandatory=True)

    def refusal(self, move: Move, *, is_mandatory: bool) -> Refusal | None:
        """Return why a move may not be made now, or None.

        `is_mandatory` says that it serves an evacuation or a must-rule, by itself or for another.
        """
        refusal = self._against(self.mode, is_mandatory=is_mandatory)
        if refusal:
            return refusal
        own = self.vm_modes.get(move.vm, Mode.AUTOMATIC)
        if own is Mode.AUTOMATIC or (own is Mode.PARTIAL and is_mandatory):
            return None
        if self.is_approved and own is not Mode.OBSERVE:
            return None
        told = f"the policy sets {move.vm_name} to mode {own}"
        return Refusal.of(_REASONS[own], told, vm=move.vm)

    def _against(self, mode: Mode, *, is_mandatory: bool) -> Refusal | None:
        if mode is Mode.AUTOMATIC or (mode is Mode.PARTIAL and is_mandatory):
            return None
        if self.is_approved and self._waits_for_a_word(mode):
            return None
        return self.because or Refusal.of(_REASONS[mode], f"mode {mode}")

    def _waits_for_a_word(self, mode: Mode) -> bool:
        """Whether a person's word is enough; a window that lets only mandatory moves through is no person."""
        by_window = self.because is not None and self.because.reason is Reason.WINDOW_CLOSED
        return mode is Mode.MANUAL or (mode is Mode.PARTIAL and not by_window)


def mode_in_force(
    policy: Policy,
    configured: Mode,
    when: datetime,
    *,
    vm_modes: Mapping[VmId, Mode] | None = None,
) -> InForce:
    """Return what holds at an instant on a cluster whose own setting is `configured`."""
    allowed, window = freest_mode(policy, when)
    mode = most_careful(configured, allowed)
    known = vm_modes if vm_modes is not None else MappingProxyType({})
    if allowed.freedom >= configured.freedom:
        because = _because(mode, "the configuration")
    else:
        because = window or _because(mode, f"policy '{policy.name}'")
    return InForce(mode=mode, because=because, vm_modes=known)


def _because(mode: Mode, whose: str) -> Refusal | None:
    known = mode is not Mode.AUTOMATIC
    return Refusal.of(_REASONS[mode], f"mode {mode}, by {whose}") if known else None
