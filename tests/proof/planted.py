"""Bugs that are planted one after another, to show that the state machine finds them.

Where two places guard one promise, both are taken away: one alone would not let anything happen.
`python -m tests.proof.planted [STEPS]` plants all and prints after how many steps each was found.
"""

import contextlib
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from balancer.adapters.store import memory, permits
from balancer.execute import (
    budgets,
    execution,
    lookout,
    preflight,
    settle,
    sight,
    slots,
    start,
    tenure,
    watch,
)
from balancer.model import outcome
from balancer.model.errors import SubmitUnknown
from balancer.model.outcome import MigrationOrder, MoveState
from balancer.model.snapshot import Drs
from balancer.ports import Migrator
from balancer.rules import Placement
from tests.proof import machine
from tests.proof.sim_exec import play_steps

Patch = pytest.MonkeyPatch
PLANTS: dict[str, Callable[[Patch], None]] = {}


def plant(name: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Give a bug its name."""

    def named(bug: Callable[[Patch], None]) -> Callable[[Patch], None]:
        PLANTS[name] = bug
        return bug

    return named


@plant("a request whose answer was lost is sent again")
def resend(patch: Patch) -> None:
    send = start._send

    class Again:
        def __init__(self, inner: Migrator) -> None:
            self._inner = inner

        def submit(self, order: MigrationOrder) -> str:
            try:
                return self._inner.submit(order)
            except SubmitUnknown:
                return self._inner.submit(order)

    def sent(run: Any, track: Any, **facts: Any) -> None:
        run.tools = replace(run.tools, migrator=Again(run.tools.migrator))
        send(run, track, **facts)

    patch.setattr(start, "_send", sent)


@plant("slots are not counted")
def no_slots(patch: Patch) -> None:
    patch.setattr(start, "full", lambda *_: None)
    patch.setattr(slots, "full", lambda *_: None)
    patch.setattr(permits, "_over", lambda *_: None)


@plant("open rows of earlier runs hold no slot")
def forgotten_rows(patch: Patch) -> None:
    ours = start._ours
    patch.setattr(start, "_ours", lambda run, _rows: ours(run, ()))
    patch.setattr(permits, "_over", lambda *_: None)


@plant("the look before a move is skipped")
def no_preflight(patch: Patch) -> None:
    patch.setattr(start, "examine", lambda fresh, *_, **__: preflight.Verdict(snapshot=fresh))


@plant("the journal does not check the lease")
def no_lease(patch: Patch) -> None:
    patch.setattr(permits, "check_lease", lambda *_: None)
    patch.setattr(memory, "check_lease", lambda *_: None)


@plant("the lease is measured on the wall clock")
def wall_clock(patch: Patch) -> None:
    class Wall:
        def __init__(self, clock: Any) -> None:
            self._clock = clock
            self.now = clock.now

        def monotonic(self) -> float:
            return float(self._clock.now().timestamp())

    begin = tenure.Tenure.__init__

    def made(self: Any, leases: Any, clock: Any, **facts: Any) -> None:
        begin(self, leases, Wall(clock), **facts)  # type: ignore[arg-type]

    patch.setattr(tenure.Tenure, "__init__", made)


@plant("the intent is written after the call")
def intent_late(patch: Patch) -> None:
    def begun(run: Any, unit: Any, track: Any) -> None:
        permit = run.permit(track.move, completing=unit.is_begun)
        if permit is not None:
            start._send(run, track, asked_s=run.now_s)
            with contextlib.suppress(Exception):
                track.row = run.record.begin(start._entry(run, track.move), permit)

    patch.setattr(start, "_begin", begun)


@plant("a pause is looked at only at the begin of a cycle")
def pause_by_cycle(patch: Patch) -> None:
    patch.setattr(permits, "covers", lambda *_: False)


@plant("an unknown end frees its slot")
def unknown_is_over(patch: Patch) -> None:
    patch.setattr(outcome, "_OPEN", frozenset({MoveState.INTENT, MoveState.SUBMITTED}))


@plant("budgets ignore open rows")
def open_rows_are_free(patch: Patch) -> None:
    ledger = budgets._ledger

    def of_what_has_ended(snap: Any, limits: Any, rows: Any, *rest: Any) -> Any:
        return ledger(snap, limits, [row for row in rows if not row.state.is_open], *rest)

    patch.setattr(budgets, "_ledger", of_what_has_ended)
    patch.setattr(permits, "_over", lambda *_: None)


@plant("settling gives a row up without waiting")
def no_hold(patch: Patch) -> None:
    def at_once(errand: Any, seen: Any, view: Any, **_: Any) -> Any:
        return sight.judged(errand, seen, view, waited_s=float("inf"))

    patch.setattr(settle, "judged", at_once)


@plant("what is on its way to a host takes no memory there")
def no_memory_in_flight(patch: Patch) -> None:
    patch.setattr(preflight, "_under_way", lambda ground, _ours: Placement(ground))


@plant("a stop request counts from the next cycle on")
def stop_by_cycle(patch: Patch) -> None:
    closed = execution.Execution.closed

    def asked(self: Any, **facts: Any) -> Any:
        tools = self.tools
        self.tools = replace(tools, may_submit=lambda: None)
        try:
            return closed(self, **facts)
        finally:
            self.tools = tools

    patch.setattr(execution.Execution, "closed", asked)


@plant("plans do not age")
def ageless(patch: Patch) -> None:
    patch.setattr(execution.Execution, "is_too_old_at", lambda *_, **__: False)


@plant("a call is made however late after its intent")
def late_send(patch: Patch) -> None:
    patch.setattr(start, "_too_late", lambda *_: "")


@plant("two open rows of one VM are allowed")
def two_rows(patch: Patch) -> None:
    patch.setattr(outcome.MoveState, "is_open", property(lambda _: False))


@plant("another VM with the same id is taken for the same")
def any_uuid(patch: Patch) -> None:
    changed = preflight._facts_changed
    patch.setattr(preflight, "_facts_changed", lambda fresh, move, _: changed(fresh, move, ""))


@plant("a task that succeeded is believed without looking at the VM")
def believed(patch: Patch) -> None:
    done = sight.Ending(state=MoveState.DONE, detail="")
    patch.setattr(watch, "_confirm", lambda run, track: run.end(track, done))


@plant("an open breaker is ignored")
def no_breaker(patch: Patch) -> None:
    for module in (machine, lookout):
        patch.setattr(module, "why_closed", lambda *_, **__: None)


@plant("a fully automated DRS is not noticed")
def beside_drs(patch: Patch) -> None:
    patch.setattr(Drs, "acts_alone", property(lambda _: False))


def found_after(name: str, steps: int) -> tuple[int, str] | None:
    """Plant a bug and run so many steps; return after how many it was found, and by what."""
    machine.SEEN.clear()
    machine.FOUND.clear()
    with pytest.MonkeyPatch.context() as patch:
        PLANTS[name](patch)
        with contextlib.suppress(Exception):  # what was found is in `FOUND`
            play_steps(steps, seed=7)
    return next((found for found in machine.FOUND if "AssertionError" in found[1]), None)


def main(words: list[str]) -> int:
    """Plant all, and print the matrix."""
    logging.disable(logging.CRITICAL)
    steps, missed = int(words[0]) if words else 50_000, 0
    sys.stdout.write("| planted | found after steps | by |\n| --- | --- | --- |\n")
    for name in PLANTS:
        found = found_after(name, steps)
        missed += found is None
        told = f"{found[0]:,} | {found[1].splitlines()[0][:90]}" if found else "never | -"
        sys.stdout.write(f"| {name} | {told} |\n")
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
