"""Whose room an arrival uses."""

import pytest

from balancer.sequence.tokens import Ledger


def ledger(free: float, *departures: tuple[int, float]) -> Ledger:
    book = Ledger.opened_with(free)
    for donor, amount in departures:
        book.depart(donor, amount)
    return book


@pytest.mark.parametrize(
    ("book", "amount", "ancestors", "donors"),
    [
        pytest.param(ledger(10), 10, 0, set(), id="free room needs no donor"),
        pytest.param(ledger(4, (0, 6)), 10, 0, {0}, id="what is missing comes from a departure"),
        pytest.param(ledger(0, (0, 9), (1, 5)), 5, 0, {1}, id="the smallest that is enough"),
        pytest.param(ledger(0, (0, 2), (1, 3), (2, 4)), 6, 0, {1, 2}, id="else the largest first"),
        pytest.param(ledger(-3, (0, 3), (1, 5)), 5, 0, {0, 1}, id="debt is paid off first"),
        pytest.param(ledger(-3, (0, 9)), 5, 0, {0}, id="what is left of a payer is room"),
    ],
)
def test_an_arrival_waits_for_as_few_donors_as_it_can(
    book: Ledger, amount: float, ancestors: int, donors: set[int]
) -> None:
    assert book.arrive(amount, ancestors) == donors


def test_room_of_a_move_that_has_ended_anyway_is_used_before_free_room() -> None:
    book = ledger(5, (3, 5))
    assert book.arrive(5, 1 << 3) == {3}
    assert book.arrive(5, 0) == set()


def test_no_room_is_given_twice() -> None:
    book = ledger(5, (0, 5), (1, 5))
    assert [book.arrive(5, 0) for _ in range(3)] == [set(), {0}, {1}]


def test_who_passes_a_limit_by_right_waits_for_nobody_but_others_wait_for_its_room() -> None:
    book = ledger(5, (0, 4))
    book.force(12)
    assert book.debt == pytest.approx(3)
    book.depart(1, 8)
    assert book.arrive(5, 0) == {0, 1}
