"""The tree of errors that this program raises. An expected "no" is a value (`Refusal`), not an error.

BalancerError              something was attempted and did not work; the message is for people
|- InputError              a file or setting is wrong; carries every problem found (exit 1)
|- SourceError             vCenter could not be asked
|  |- SourceUnreachable    network, DNS, time-out: transient, try again
|  |- LoginRefused         wrong user or password: do not try again at once (lock-out)
|  |- CredentialsUnreadable user name or password is not there: transient, a file may be exchanged
|  |- UntrustedCertificate TLS verification failed: permanent until somebody acts
|  `- SourceAnswerInvalid  the server answered with something that cannot be understood
|- SubmitError             a vMotion was not started; nothing moves
|  |- SubmitNotSent        no connection: the call never left
|  `- SubmitRefused        the server refused, with a fault
|- SubmitUnknown           the request may or may not have been received: ask, never send again
|- StoreError              the journal cannot be read or written: nothing may be moved
|  `- IntentRefused        the journal says no to this one move: lease, pause, budget
|     `- RowOpen           the VM has a row whose end is not known; the others may go on
|- DeliveryFailed          a message was not taken by a channel of notifications
|- NotFound                nothing is called so: no such cluster, plan, host, VM or row
|- NotSeenYet              the daemon has not read this cluster since it started: ask again later
|- PlanRefused             a plan must not be approved or carried out (exit 4)
|- PlanInvalid             the independent check rejected our own plan: a bug, never executed
|- PlanningFailed          the process that plans crashed, ran out of memory or met a bug: nothing was done
|  `- PlanningTimedOut     it was not done in its time and was ended
`- PlanningStopped         the daemon stops: what was being planned is not wanted any more
"""

from dataclasses import dataclass
from typing import Self

from balancer.model.reasons import Reason, Refusal
from balancer.model.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a file or setting: where it is, what was found, what is allowed, the mend."""

    where: str
    found: str
    allowed: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Return one line for a terminal."""
        parts = [f"{self.where}: {self.found}"]
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.hint:
            parts.append(self.hint)
        return "; ".join(parts)


TRANSIENT_WITHIN_S = 60.0
"""A retry that may come sooner than this marks an error that mends itself."""


class BalancerError(Exception):
    """Root of all errors of this program. The message says what was attempted and what to do."""


class NotFound(BalancerError):
    """Nothing is called as was asked. The message lists what there is."""


class NotSeenYet(BalancerError):
    """What is asked for is known once a cycle of the cluster has ended."""


class InputError(BalancerError):
    """A file or setting is wrong. All its problems are reported at once."""

    def __init__(self, subject: str, problems: tuple[Problem, ...]) -> None:
        self.subject = subject
        self.problems = problems
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__("\n".join([f"{subject}: {count}", *(f"  {p}" for p in problems)]))


class SourceError(BalancerError):
    """The vCenter could not be asked. `retry_after_s` of None means: only a person can mend it."""

    retry_after_s: Seconds | None = 30.0

    @property
    def is_transient(self) -> bool:
        """Whether asking again within a minute may help."""
        return self.retry_after_s is not None and self.retry_after_s <= TRANSIENT_WITHIN_S


class SourceUnreachable(SourceError):
    """No connection, or no answer in time. Transient."""


class LoginRefused(SourceError):
    """User name or password was refused. Not tried again at once, so that no account is locked."""

    retry_after_s = 900.0


class CredentialsUnreadable(SourceError):
    """The file with the user name or the password cannot be read. Nothing was sent."""


class UntrustedCertificate(SourceError):
    """The server's certificate could not be verified."""

    retry_after_s = 300.0


class SourceAnswerInvalid(SourceError):
    """The server's answer could not be understood."""


class SubmitError(BalancerError):
    """A vMotion was not started; the VM stays where it is."""


class SubmitNotSent(SubmitError):
    """The call never left this machine: no connection could be made."""


class SubmitRefused(SubmitError):
    """The server refused the call with a fault. `fault` is its class name, such as `TaskInProgress`.

    `message_keys` are those of the fault's messages, which are the same in every language.
    """

    def __init__(self, message: str, *, fault: str, message_keys: tuple[str, ...] = ()) -> None:
        self.fault = fault
        self.message_keys = message_keys
        super().__init__(message)


class SubmitUnknown(BalancerError):
    """The call was sent and no answer came back. It is never sent again; the truth is looked up."""


class StoreError(BalancerError):
    """The journal cannot be read or written. Unable to write means unable to act."""


class IntentRefused(StoreError):
    """The journal did not take an intent, although it could be written: `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(f"nothing was written: {refusal.told}")


class RowOpen(IntentRefused):
    """The VM has a row whose end is not known, so that no second one is begun for it."""

    @classmethod
    def of(cls, vm_name: str, row: int, vm: str = "") -> Self:
        """Name the VM and the row that stands in the way."""
        detail = (
            f"{vm_name} has an open row in the journal (row {row}): an earlier move of it has no "
            "known end; it is settled from what vCenter shows"
        )
        return cls(Refusal.of(Reason.IN_FLIGHT, detail, vm=vm))


class DeliveryFailed(BalancerError):
    """A message was not taken by a channel of notifications. The channel's address is never in the words.

    `is_transient`: another try may help, `retry_after_s` seconds later at the earliest where the channel says so.
    """

    def __init__(
        self, message: str, *, is_transient: bool, retry_after_s: Seconds | None = None
    ) -> None:
        self.is_transient = is_transient
        self.retry_after_s = retry_after_s
        super().__init__(message)


class PlanRefused(BalancerError):
    """A plan must not be approved or carried out: it was changed, decided on already, or it is too late."""


class PlanInvalid(BalancerError):
    """The independent check found a fault in a plan of our own. Never executed."""


class PlanningFailed(BalancerError):
    """The process that plans did not survive it. Nothing was done; the next cycle plans anew.

    `facts` say more for the log: signal or exit code of the process, its last words, a traceback.
    """

    def __init__(self, message: str, **facts: object) -> None:
        self.facts = facts
        super().__init__(message)


class PlanningTimedOut(PlanningFailed):
    """There was no plan within the patience; its process was ended."""


class PlanningStopped(BalancerError):
    """Planning was ended because the daemon stops."""
