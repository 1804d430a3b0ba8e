"""What a failed look leaves: the reason and the mend, taken apart from the error's one paragraph."""

import ssl

import pytest

from balancer.adapters.vsphere.examiner import unread
from balancer.adapters.vsphere.stub import NotConnected, TookTooLong
from balancer.adapters.vsphere.transport import PinMismatch
from balancer.adapters.vsphere.wording import source_error
from balancer.model.errors import SourceError
from tests.unit.adapters.vsphere.test_settings_and_guard import settings


def expired() -> ssl.SSLCertVerificationError:
    """Return the error as the handshake raises it."""
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


PLACE = settings(username=r"VSPHERE.LOCAL\bal as: ancer")


@pytest.mark.parametrize(
    ("failure", "why", "mend"),
    [
        (
            NotConnected("Login", ConnectionRefusedError()),
            "nothing listens there (connection refused)",
            "Check the address",
        ),
        (TookTooLong("Login", TimeoutError()), "there was no complete answer within", "Check the"),
        (
            NotConnected("Login", PinMismatch("ab" * 32)),
            "its certificate has the SHA-256 thumbprint abab",
            "Nothing was sent.",
        ),
        (
            NotConnected("Login", expired()),
            "its certificate is not trusted",
            "Nothing was sent.",
        ),
    ],
    ids=["refused", "too long", "pin", "certificate"],
)
def test_an_error_of_the_wire_is_taken_apart(failure: Exception, why: str, mend: str) -> None:
    left = unread(source_error(PLACE, "log in", failure), PLACE)
    assert left.why.startswith(why)
    assert left.mend.startswith(mend)


def test_a_name_that_has_changed_since_is_no_hindrance() -> None:
    error = source_error(settings(username="other"), "log in", TimeoutError())
    assert unread(error, PLACE).why.startswith("there was no complete answer")


def test_what_is_worded_otherwise_is_kept_whole() -> None:
    left = unread(SourceError("looking for cluster 'x': none.\nIt shows: y."), PLACE)
    assert (left.why, left.mend) == ("looking for cluster 'x': none. It shows: y.", "")
