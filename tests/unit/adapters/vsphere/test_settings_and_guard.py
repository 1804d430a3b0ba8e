"""Settings that check themselves, and the guard that keeps accounts from being locked."""

import threading
from typing import Any

import pytest

from balancer.adapters.vsphere import VsphereSettings
from balancer.adapters.vsphere.accounts import Accounts
from balancer.adapters.vsphere.guard import LoginGuard


def settings(**facts: Any) -> VsphereSettings:
    common = {"name": "prod", "host": "vc.example", "username": "balancer", "password": "pw"}
    return VsphereSettings(**(common | facts))


def test_a_password_is_never_shown() -> None:
    assert "pw" not in repr(settings())


def test_a_password_is_asked_anew_each_time() -> None:
    words = iter(["old", "new"])
    asked = settings(password=lambda: next(words))
    assert (asked.current_password(), asked.current_password()) == ("old", "new")


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({"port": 0}, "port 0"),
        ({"read_timeout_s": 0.0}, "read_timeout_s"),
        ({"page_size": 0}, "page_size"),
        ({"pool_size": 0}, "pool_size"),
        ({"concurrency": 0}, "concurrency"),
        ({"host": ""}, "host"),
        ({"host": "vc\r\nX: y"}, "host"),
        ({"thumbprint_sha256": "AB:CD"}, "64 hexadecimal digits"),
        ({"thumbprint_sha256": "g" * 64}, "64 hexadecimal digits"),
    ],
)
def test_a_setting_out_of_range_is_named(facts: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        settings(**facts)


def test_a_thumbprint_may_be_written_with_colons_and_capitals() -> None:
    assert settings(thumbprint_sha256=":".join(["AB"] * 32)).pin == "ab" * 32


class Hands:
    """A monotonic clock that is turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_same_refused_password_waits_a_quarter_of_an_hour() -> None:
    clock = Hands()
    guard = LoginGuard(clock)
    assert guard.allows("wrong")
    guard.note_refusal("wrong")
    assert not guard.allows("wrong")
    clock.now = 899.0
    assert not guard.allows("wrong")
    clock.now = 901.0
    assert guard.allows("wrong")


def test_another_password_is_allowed_until_two_were_refused() -> None:
    clock = Hands()
    guard = LoginGuard(clock)
    guard.note_refusal("one")
    assert guard.allows("two")
    clock.now = 100.0
    guard.note_refusal("two")
    assert not guard.allows("three")
    clock.now = 950.0  # the first is forgotten, the second is not
    assert guard.allows("three")
    assert not guard.allows("two")


def test_logins_without_an_answer_wait_three_minutes_after_the_second() -> None:
    clock = Hands()
    guard = LoginGuard(clock)
    guard.note_no_answer()
    assert guard.waits_for_s() == 0.0
    clock.now = 60.0
    guard.note_no_answer()
    assert guard.waits_for_s() == 120.0
    clock.now = 180.0
    assert guard.waits_for_s() == 0.0


def test_a_login_that_works_ends_the_wait() -> None:
    guard = LoginGuard(Hands())
    guard.note_no_answer()
    guard.note_no_answer()
    guard.note_success()
    assert guard.waits_for_s() == 0.0


def test_a_guard_keeps_no_password() -> None:
    guard = LoginGuard(Hands())
    guard.note_refusal("S3cret \udc80")
    assert "S3cret" not in repr(vars(guard))


def test_places_with_one_account_allow_two_wrong_logins_together() -> None:
    clock = Hands()
    accounts = Accounts(clock)
    one, two, three = (LoginGuard(clock, accounts=accounts) for _ in range(3))
    one.note_refusal("bal@vsphere.local\0old")
    assert not one.allows("bal@vsphere.local\0old")
    assert two.allows("bal@vsphere.local\0old")  # it may be the right one there
    two.note_refusal("VSPHERE\\Bal\0old")
    for guard in (one, two, three):
        assert not guard.allows("BAL@vsphere.local\0new")
    assert three.is_held_by_others("bal@vsphere.local\0new")
    assert not two.is_held_by_others("bal@vsphere.local\0new")
    clock.now = 901.0
    assert all(guard.allows("bal@vsphere.local\0old") for guard in (one, two, three))


@pytest.mark.parametrize("other", ["eve@vsphere.local", "bal@corp.example", "bal"])
def test_other_accounts_go_on(other: str) -> None:
    accounts = Accounts(Hands())
    one, two = (LoginGuard(Hands(), accounts=accounts) for _ in range(2))
    one.note_refusal("bal@vsphere.local\0one")
    one.note_refusal("bal@vsphere.local\0two")
    assert two.allows(f"{other}\0one")


def test_a_third_login_of_one_account_waits_until_it_is_known_whether_two_were_wrong() -> None:
    clock = Hands()
    accounts = Accounts(clock)
    one, two, three = (LoginGuard(clock, accounts=accounts) for _ in range(3))
    came = threading.Event()

    def enter() -> None:
        with three.turn("bal@x\0pw"):
            came.set()

    late = threading.Thread(target=enter)
    with one.turn("bal@x\0pw"):
        with two.turn("bal@x\0pw"):
            late.start()
            assert not came.wait(0.3)
        assert came.wait(5.0)
    late.join()


def test_a_login_that_hangs_elsewhere_holds_nobody_up() -> None:
    clock = Hands()
    accounts = Accounts(clock)
    one, two, three = (LoginGuard(clock, accounts=accounts) for _ in range(3))
    with one.turn("bal@x\0pw"), two.turn("bal@x\0pw"):
        clock.now = 5.0
        with three.turn("bal@x\0pw"):
            pass
