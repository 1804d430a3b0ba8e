"""Why a plan acts or stays quiet, with the figures that decided: for contention, for balance, and as a whole.

Values only. What was looked at before planning is a `Reading` for each of the two aims; what the moves for
load's sake bring against what they cost is a `Bargain`. Figures and words are told by every plan.
"""

from dataclasses import dataclass
from enum import StrEnum

from balancer.model.units import HostId, Mib, Ratio, Seconds


class Answer(StrEnum):
    """What was decided for one aim, and why: one word for documents, metrics and reports."""

    ACTS = "acts"  # above the trigger, and was so for long enough
    GRAVE = "grave"  # so far above that one look is enough
    FORESEEN = "foreseen"  # the forecast is above the trigger for long enough
    BELOW_TRIGGER = "below_trigger"
    CALM = "calm"  # uneven, but no host is loaded enough for it to matter
    IN_BAND = "in_band"  # between the mark to which is levelled and the trigger
    NOT_SUSTAINED = "not_sustained"  # above the trigger, but not for long enough yet
    GOAL_OFF = "goal_off"  # the policy does not ask for it
    HELD = "held"  # the facts are not good enough for it
    NO_MOVE = "no_move"  # it calls for action, but no lawful move helps or is worth its price
    TOO_LITTLE = "too_little"  # the moves together would bring less than is asked for

    @property
    def acts(self) -> bool:
        """Whether the aim calls for moves."""
        return self in CALLING


CALLING = frozenset({Answer.ACTS, Answer.GRAVE, Answer.FORESEEN})
"""The answers with which an aim calls for moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was seen of one aim. Contention speaks of the worst host and its scarcer resource.

    `now` is the figure that is judged, `trigger` what it must exceed and `aim` down to where is acted then; for
    contention a share of the host's capacity, for balance the imbalance. The policy asks for `looks` looks at the
    past; those that are remembered reach `span_s` back, `looks_over` of them were above the trigger and
    `looks_needed` must be. No looks where nothing is remembered: then `now` counts as lasting. `recent` is the
    mean over the looks. `host` is the one of which is spoken, for balance the fullest; None without hosts.
    `resource` is "cpu" or "memory", None for balance, which weighs both.
    """

    answer: Answer
    now: Ratio
    trigger: Ratio
    aim: Ratio
    looks: int = 0
    looks_over: int = 0
    looks_needed: int = 0
    span_s: Seconds = 0.0
    recent: Ratio | None = None
    host: HostId | None = None
    resource: str | None = None

    @property
    def sustained(self) -> Ratio:
        """Return the share of the looks above the trigger; without looks 1.0 where it is above now, else 0.0."""
        if not self.looks:
            return float(self.now > self.trigger)
        return self.looks_over / self.looks


NOTHING_READ = Reading(answer=Answer.BELOW_TRIGGER, now=0.0, trigger=0.0, aim=0.0)
"""The reading of a cluster of which nothing was looked at: it calls for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bargain:
    """What the moves for load's sake bring over the horizon, against what they cost.

    `relief_mhz_h` is demand for CPU that hosts cannot serve, in MHz hours over `horizon_s`: what is expected
    without the moves less what is with them; where hosts run short of nothing, 0. `copied_mib` goes over the
    links in `copy_s` seconds of copying, which cost both hosts together `copy_mhz_h` MHz hours. `gain` and
    `price` are in units of the planner's objective: by how much it falls, and what the policy's prices
    ask for the moves.
    """

    horizon_s: Seconds
    moves: int
    unmet_before_mhz_h: float
    unmet_after_mhz_h: float
    imbalance_before: Ratio
    imbalance_after: Ratio
    copied_mib: Mib
    copy_s: Seconds
    copy_mhz_h: float
    gain: float
    price: float

    @property
    def relief_mhz_h(self) -> float:
        """Return by how much the demand that is not met falls, in MHz hours."""
        return self.unmet_before_mhz_h - self.unmet_after_mhz_h

    @property
    def is_worth_it(self) -> bool:
        """Whether the moves bring more than the policy's prices ask for them."""
        return self.gain > self.price


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The whole of it: what each aim called for, and the bargain of the moves; None where there are none."""

    contention: Reading
    balance: Reading
    bargain: Bargain | None = None
