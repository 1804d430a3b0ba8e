"""Why a plan acts or stays quiet, in sentences: one for contention, one for balance, one for what the moves bring.

The same sentences stand in reports, status and audit log. Only words over a `Decision`; names may be hostile and
are escaped by who prints them.
"""

from collections.abc import Iterator

from balancer.expose.figures import counted, duration, gibibytes, percent
from balancer.model.decision import Answer, Bargain, Decision, Reading
from balancer.model.snapshot import Snapshot

MHZ_PER_GHZ = 1000.0
MILLIONTHS = 1e6

RESOURCE_WORDS = {"cpu": "CPU, swings included", "memory": "memory"}

CONTENTION_WORDS = {
    Answer.ACTS: "Hosts are relieved",
    Answer.GRAVE: "Hosts are relieved at once",
    Answer.FORESEEN: "Hosts are relieved ahead of time, by the forecast",
    Answer.BELOW_TRIGGER: "No host needs relief",
    Answer.CALM: "No host needs relief",
    Answer.IN_BAND: "No host needs relief",
    Answer.NOT_SUSTAINED: "No host is relieved yet",
    Answer.GOAL_OFF: "Relief is switched off",
    Answer.HELD: "No host is relieved on facts like these",
    Answer.NO_MOVE: "No host is relieved, as no move would help",
    Answer.TOO_LITTLE: "No host is relieved, as it would bring too little",
}

BALANCE_WORDS = {
    Answer.ACTS: "Balance is sought",
    Answer.GRAVE: "Balance is sought at once",
    Answer.FORESEEN: "Balance is sought ahead of time, by the forecast",
    Answer.BELOW_TRIGGER: "Balance is not called for",
    Answer.CALM: "Balance is left as it is, as no host is loaded enough for it to matter",
    Answer.IN_BAND: "Balance is left as it is, within the band",
    Answer.NOT_SUSTAINED: "Balance is not sought yet",
    Answer.GOAL_OFF: "Balance is switched off",
    Answer.HELD: "Balance is not sought on facts like these",
    Answer.NO_MOVE: "Balance is not sought, as no move is worth its price",
    Answer.TOO_LITTLE: "Balance is not sought, as the moves together would bring too little",
}


def decision_lines(decision: Decision, snapshot: Snapshot | None) -> Iterator[str]:
    """Yield the sentences, without their full stops. Without a snapshot hosts go by their ids."""
    yield contention_words(decision.contention, snapshot)
    yield balance_words(decision.balance)
    if decision.bargain is not None:
        yield bargain_words(decision.bargain)


def contention_words(reading: Reading, snapshot: Snapshot | None) -> str:
    """Return what is to be said of contention."""
    head = CONTENTION_WORDS[reading.answer]
    if reading.host is None or reading.resource is None:
        return f"{head}: no host serves"
    known = snapshot.host_by_id.get(reading.host) if snapshot else None
    name = known.name if known else reading.host
    return (
        f"{head}: {name} at {percent(reading.now)} of its {RESOURCE_WORDS[reading.resource]}, "
        f"relieved above {percent(reading.trigger)}{_lasting(reading)}"
    )


def balance_words(reading: Reading) -> str:
    """Return what is to be said of balance."""
    return (
        f"{BALANCE_WORDS[reading.answer]}: imbalance {percent(reading.now, 1)}, sought above "
        f"{percent(reading.trigger, 1)} and then down to {percent(reading.aim, 1)}{_lasting(reading)}"
    )


def _lasting(reading: Reading) -> str:
    """Return for how long a figure above its trigger was so; empty where it is not above."""
    if reading.now <= reading.trigger:
        return ""
    if not reading.looks:
        return " (one look)"
    return (
        f" (so in {reading.looks_over} of {counted(reading.looks, 'look')}, {reading.looks_needed} needed; "
        f"{percent(reading.recent or 0.0, 1)} on average of {duration(reading.span_s)})"
    )


def bargain_words(bargain: Bargain) -> str:
    """Return what the moves for load's sake bring and cost."""
    before, after = (
        mhz_h / MHZ_PER_GHZ for mhz_h in (bargain.unmet_before_mhz_h, bargain.unmet_after_mhz_h)
    )
    moves = f"{counted(bargain.moves, 'move')} for the load"
    worth = "worth it" if bargain.is_worth_it else "not worth it by the policy's prices"
    return (
        f"Within {duration(bargain.horizon_s)} {moves} change unmet CPU demand {before:,.2f} -> {after:,.2f} GHz h "
        f"and imbalance {percent(bargain.imbalance_before, 1)} -> {percent(bargain.imbalance_after, 1)}, and cost "
        f"{gibibytes(bargain.copied_mib)} to copy, {duration(bargain.copy_s)}, "
        f"{bargain.copy_mhz_h / MHZ_PER_GHZ:,.2f} GHz h of CPU on both hosts: {worth} (gain "
        f"{bargain.gain * MILLIONTHS:,.0f}, price {bargain.price * MILLIONTHS:,.0f} millionths of cost)"
    )


def log_fields(decision: Decision | None) -> dict[str, object]:
    """Return what the log line at the end of a cycle says of a decision."""
    if decision is None:
        return {}
    contention, balance, bargain = decision.contention, decision.balance, decision.bargain
    found: dict[str, object] = {
        "contention": contention.answer.value,
        "contention_now": round(contention.now, 4),
        "contention_sustained": round(contention.sustained, 3),
        "balance": balance.answer.value,
        "balance_sustained": round(balance.sustained, 3),
    }
    if bargain is not None:
        found["relief_mhz_h"] = round(bargain.relief_mhz_h, 1)
        found["gain_per_price"] = round(bargain.gain / max(bargain.price, 1e-12), 2)
    return found
