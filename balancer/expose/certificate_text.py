"""The certificate of a plan in sentences: what no plan can beat, and what this one comes to."""

from balancer.expose.figures import percent, points
from balancer.model.certificate import Certificate
from balancer.model.plan import Plan
from balancer.model.units import Ratio


def certificate_lines(plan: Plan) -> tuple[str, ...]:
    """Return the certificate, one sentence a line; nothing where the plan has none."""
    bound = plan.bound
    if bound is None:
        return ()
    notes = tuple(f"Note: {note}." for note in bound.notes)
    told = (_balance(plan, bound), _attained(bound), _price(plan, bound), _makespan(plan, bound))
    return tuple(line for line in told if line) + notes


def _balance(plan: Plan, bound: Certificate) -> str:
    if bound.imbalance is None:
        return ""
    reaches = "this plan reaches" if plan.moves else "as it stands it has"
    return (
        f"No placement can be more level than {points(bound.imbalance)} pp; "
        f"{reaches} {points(plan.after.imbalance)} pp."
    )


def _attained(bound: Certificate) -> str:
    if bound.attainment is None:
        return ""
    share = _share(bound.attainment)
    return f"Of the possible fall in cost (contention and imbalance) it attains {share}."


def _share(attained: Ratio) -> str:
    """Return a share in percent, never rounded up to all of it."""
    digits = 0 if attained <= 0.99 else 2
    text = percent(attained, digits)
    return "more than 99.99 %" if attained < 1.0 and text == percent(1.0, digits) else text


def _price(plan: Plan, bound: Certificate) -> str:
    if bound.bound_seconds is None or not plan.moves:
        return ""
    text = (
        f"Cheapest conceivable way to {_goal(bound)}: {bound.bound_seconds:,.0f} s of copying; "
        f"this plan: {bound.seconds:,.0f} s"
    )
    if bound.seconds_ratio is not None:
        text += f", {bound.seconds_ratio:.2f} times"
    if bound.price_ratio is not None:
        text += f". By the policy's price of moves: {bound.price_ratio:.2f} times"
    return f"{text}."


def _goal(bound: Certificate) -> str:
    goals = [f"at most {points(bound.level)} pp"] if bound.level is not None else []
    goals += ["no host above its thresholds"] if bound.is_calm else []
    return " and ".join(goals) or "what has to be done"


def _makespan(plan: Plan, bound: Certificate) -> str:
    if bound.makespan_bound_seconds is None or not plan.moves:
        return ""
    least, most = f"{bound.makespan_bound_seconds:,.0f} s", f"{plan.makespan_seconds:,.0f} s"
    text = f"If each takes as long as predicted, no order of these moves ends before {least}"
    if bound.is_fastest:
        return f"{text}, nor does this one take longer: it is proven the fastest."
    times = plan.makespan_seconds / max(bound.makespan_bound_seconds, 1.0)
    return f"{text}; this one takes {most}, {times:.2f} times. It is not proven the fastest."
