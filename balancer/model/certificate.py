"""What no plan for a cluster can beat, beside what one plan comes to. Values only; `plan.certify` makes them."""

from dataclasses import dataclass

from balancer.model.units import Ratio, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Lower bounds and the plan's own figures. A bound is None where none could be computed: see `notes`.

    `cost` (in units of `State.cost`) and `imbalance` bound every lawful placement; `gap` is the share of
    the possible fall in cost that the plan leaves. `bound_price` and `bound_seconds` bound every set of
    moves whose result is at most `level` uneven (None where levelling is not asked for), and calm where
    `is_calm`; `price` and `seconds` are those of this plan: what the policy charges, and what the copying
    takes one move after the other. `makespan_bound_seconds` bounds the time of the plan's own moves in any
    order, `makespan_ideal_seconds` even if no two copies slowed each other down; `is_fastest` says that
    the plan's order is proven to be over as soon as any.
    """

    cost: float | None
    imbalance: Ratio | None
    gap: float | None
    level: Ratio | None
    is_calm: bool
    price: float
    bound_price: float | None
    seconds: Seconds
    bound_seconds: Seconds | None
    makespan_bound_seconds: Seconds | None = None
    makespan_ideal_seconds: Seconds | None = None
    is_fastest: bool = False
    notes: tuple[str, ...] = ()

    @property
    def attainment(self) -> Ratio | None:
        """Return the share of the possible fall in cost that the plan attains; None where unknown."""
        return None if self.gap is None else 1.0 - self.gap

    @property
    def price_ratio(self) -> float | None:
        """Return the plan's price over its bound; None where the bound is 0 or unknown."""
        return self.price / self.bound_price if self.bound_price else None

    @property
    def seconds_ratio(self) -> float | None:
        """Return the plan's seconds of copying over their bound; None where that is 0 or unknown."""
        return self.seconds / self.bound_seconds if self.bound_seconds else None
