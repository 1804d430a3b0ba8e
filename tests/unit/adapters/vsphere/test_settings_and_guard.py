"""Settings that check themselves, and the guard that keeps accounts from being locked."""

from typing import Any

import pytest

from balancer.adapters.vsphere import VsphereSettings
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
