"""The lease of one cluster as long as a cycle acts on it: taken, renewed in time, given back (S4).

Time is measured on the monotonic clock, so that no jump of the wall clock lets a process act on a lease that
is not its own any more: it gives up before the lease can end for others. Sends nothing and plans nothing.
"""

import logging
from types import TracebackType
from typing import Self

from balancer.model.errors import IntentRefused, StoreError
from balancer.model.lease import Lease
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import Ratio, Seconds
from balancer.ports import Clock, Leases

log = logging.getLogger(__name__)

LASTS_S: Seconds = 30.0
"""How long a lease lasts unless it is renewed: how long the cluster waits after its holder has died."""

RENEW_AFTER_RATIO: Ratio = 1 / 3
"""A lease is renewed after this share of its time."""

GIVE_UP_AFTER_RATIO: Ratio = 2 / 3
"""Without a renewal in this share of its time nothing more is sent: well before others may take over."""


class Tenure:
    """The right of one process to act on a shard. Use as a context; ask `refusal` before each submit.

    `lasts_s` is how long the lease lasts unless it is renewed. Another process waits
    for the end that the holder wrote.
    """

    def __init__(
        self,
        leases: Leases,
        clock: Clock,
        *,
        shard: str,
        holder: str,
        lasts_s: Seconds = LASTS_S,
    ) -> None:
        self._leases, self._clock = leases, clock
        self._shard, self._holder, self._lasts_s = shard, holder, lasts_s
        self._lease: Lease | None = None
        self._renewed_s = 0.0
        self._lost = Refusal.of(Reason.LEASE_HELD, "no lease was asked for")

    def __enter__(self) -> Self:
        """Take the lease, if nobody else has it; `refusal` says why it is not held."""
        self._renewed_s = self._clock.monotonic()
        self._lost = Refusal.of(
            Reason.LEASE_HELD, f"another process acts on {self._shard} at present"
        )
        try:
            self._lease = self._leases.take_lease(
                self._shard, self._holder, at=self._clock.now(), lasts_s=self._lasts_s
            )
        except StoreError as err:
            self._lost = Refusal.of(Reason.JOURNAL_UNAVAILABLE, str(err))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lease back; where that fails it runs out by itself."""
        lease, self._lease = self._lease, None
        self._lost = Refusal.of(Reason.LEASE_HELD, "the lease was given back")
        if lease is not None:
            try:
                self._leases.give_back(lease)
            except StoreError as err:
                log.warning("lease not given back", extra={"error": str(err)})

    @property
    def lease(self) -> Lease | None:
        """Return the lease, None where it is not held."""
        return self._lease

    def refusal(self) -> Refusal | None:
        """Return why nothing may be sent for want of the lease, or None. Renews it where it is time."""
        self._renew_in_time()
        if self._lease is None:
            return self._lost
        if self.is_given_up:
            return Refusal.of(Reason.LEASE_HELD, "the lease could not be renewed")
        return None

    @property
    def is_given_up(self) -> bool:
        """Whether the lease may end before long, or has: nothing may be sent under it. Asks nobody."""
        held_s = self._clock.monotonic() - self._renewed_s
        return held_s >= GIVE_UP_AFTER_RATIO * self._lasts_s

    def _renew_in_time(self) -> None:
        now_s, after_s = self._clock.monotonic(), RENEW_AFTER_RATIO * self._lasts_s
        if self._lease is None or now_s - self._renewed_s < after_s:
            return
        try:
            self._lease = self._leases.renew_lease(
                self._lease, at=self._clock.now(), lasts_s=self._lasts_s
            )
            self._renewed_s = now_s
        except IntentRefused as err:
            self._lease, self._lost = None, err.refusal
            log.error("lease lost", extra={"detail": err.refusal.detail})
        except StoreError as err:
            log.warning("lease not renewed", extra={"error": str(err)})
