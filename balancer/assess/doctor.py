"""The judgement of `balancer doctor`: from the facts of one vCenter to findings. Pure.

Owns what is a problem, what is worth a change and what is right, for the vCenter as a whole; the clusters
are judged by `doctor_cluster`. What could not be read is never judged: it is unchecked, with the reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from balancer.assess.doctor_cluster import ClusterWish, judge_cluster
from balancer.assess.doctor_rights import judge_rights
from balancer.model.checkup import Certificate, Checkup, ClockReading, Server, Trust, Unread
from balancer.model.finding import Check, ClusterDiagnosis, Diagnosis, Finding, Outcome
from balancer.model.privileges import Place, Role
from balancer.model.units import DAY_S, Seconds

RENEW_WITHIN_DAYS = 30
CLOCK_TOLERANCE_S: Seconds = 5.0
"""A clock kept by NTP is well within this."""

OLDEST_SUPPORTED_API = (7, 0)
"""vSphere 6.x has had no support of its maker since October 2022; this program is tested from 7.0 on."""

_FIRST = "Mend what is said above, then run the doctor again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the configuration wants of one vCenter: its clusters, and the oldest snapshot to act on.

    `allows_excess` says that an administrator's account is meant.
    """

    clusters: tuple[ClusterWish, ...]
    snapshot_age_s: Seconds
    allows_excess: bool = False

    @property
    def acting(self) -> frozenset[str]:
        """Return the clusters on whose VMs the account needs the executor's role."""
        return frozenset(wish.name for wish in self.clusters if wish.acts)


def judge(checkup: Checkup, wishes: Wishes, *, now: datetime) -> Diagnosis:
    """Return the findings of a vCenter and its configured clusters, in the order of the checks."""
    findings = tuple(
        chain(
            _reach(checkup, now),
            _login(checkup.server),
            _api_version(checkup.server),
            _clock(checkup.clock, wishes),
            judge_rights(checkup.rights, wishes.acting, allows_excess=wishes.allows_excess),
            _clusters(checkup.cluster_names),
        )
    )
    clusters = [
        ClusterDiagnosis(
            name=wish.name, mode=wish.mode, findings=judge_cluster(facts, wish, beside=findings)
        )
        for wish, facts in zip(wishes.clusters, checkup.clusters, strict=True)
    ]
    return Diagnosis(
        vcenter=checkup.vcenter,
        address=checkup.address,
        user=checkup.user,
        findings=findings,
        clusters=tuple(clusters),
    )


def not_examined(
    name: str, address: str, user: str, problems: Sequence[str], wishes: Wishes
) -> Diagnosis:
    """Return the findings of a vCenter that was not asked, as the files that it needs are wrong."""
    settings = tuple(
        Finding(
            check=Check.SETTINGS,
            outcome=Outcome.PROBLEM,
            found=problem,
            mend="Nothing was connected. Mend the file, or its name in the configuration.",
            blocks=True,
        )
        for problem in problems
    )
    return Diagnosis(
        vcenter=name,
        address=address,
        user=user,
        findings=settings,
        clusters=tuple(
            ClusterDiagnosis(
                name=wish.name,
                mode=wish.mode,
                findings=(_unchecked(Check.CLUSTER, "the vCenter was not asked"),),
            )
            for wish in wishes.clusters
        ),
    )


def _reach(checkup: Checkup, now: datetime) -> Iterator[Finding]:
    certificate = checkup.certificate
    if isinstance(certificate, Unread):
        yield Finding(
            check=Check.REACH,
            outcome=Outcome.PROBLEM,
            found=certificate.why,
            mend=certificate.mend or _FIRST,
            blocks=True,
        )
        yield _unchecked(Check.CERTIFICATE, "there was no connection")
        return
    yield Finding(check=Check.REACH, outcome=Outcome.OK, found=f"{checkup.address} answers")
    yield _certificate(certificate, checkup.address, now)


def _certificate(shown: Certificate, address: str, now: datetime) -> Finding:
    days = int((shown.not_after - now).total_seconds() // DAY_S)
    until = f"valid until {shown.not_after:%Y-%m-%d} ({_left(days)})"
    who = f"{shown.subject}, issued by {shown.issuer}, {until}"
    if shown.refused:
        return Finding(
            check=Check.CERTIFICATE,
            outcome=Outcome.PROBLEM,
            found=f"not trusted by {shown.trust}: {shown.refused}. Shown is {who}, for the names"
            f" {', '.join(shown.names) or '(none)'}",
            mend=_how_to_trust(shown, address),
            blocks=True,
        )
    found = f"{who}, verified by {shown.trust}"
    if days >= RENEW_WITHIN_DAYS:
        return Finding(check=Check.CERTIFICATE, outcome=Outcome.OK, found=found)
    then = " and change the pin with it" if shown.trust is Trust.PIN else ""
    return Finding(
        check=Check.CERTIFICATE,
        outcome=Outcome.ADVICE,
        found=found,
        mend=f"Renew the vCenter's certificate{then}.",
    )


def _how_to_trust(shown: Certificate, address: str) -> str:
    host = address.rpartition(":")[0]
    pin = f"tls.thumbprint_sha256 to {shown.thumbprint_sha256}"
    if shown.trust is Trust.PIN:
        return (
            f"If the certificate was renewed on purpose, set {pin}. If not, find out who answers at"
            " this address."
        )
    return (
        "Set tls.ca_file to the certificate of the authority that signed it (a vCenter offers its own"
        f" under https://{host}/certs/download.zip); or compare the thumbprint on the vCenter itself"
        f" and set {pin}."
    )


def _left(days: int) -> str:
    if days < 0:
        return f"expired {-days} day{'s' if days != -1 else ''} ago"
    return f"{days} day{'s' if days != 1 else ''} left"


def _login(server: Server | Unread) -> Iterator[Finding]:
    if isinstance(server, Unread) and server.is_consequence:
        yield _unchecked(Check.LOGIN, server.why)
    elif isinstance(server, Unread):
        yield Finding(
            check=Check.LOGIN,
            outcome=Outcome.PROBLEM,
            found=server.why,
            mend=server.mend or _FIRST,
            blocks=True,
        )
    else:
        yield Finding(
            check=Check.LOGIN, outcome=Outcome.OK, found="user name and password are right"
        )


def _api_version(server: Server | Unread) -> Iterator[Finding]:
    if isinstance(server, Unread):
        yield _unchecked(Check.API_VERSION, "there was no login")
        return
    found = f"{server.product}, API {server.api_version}"
    if server.negotiated != server.api_version:
        found += f", spoken as {server.negotiated}"
    if _numbers(server.api_version)[:2] < OLDEST_SUPPORTED_API:
        yield Finding(
            check=Check.API_VERSION,
            outcome=Outcome.ADVICE,
            found=found,
            mend="Tested are 7.0 and later. Watch what it plans in observe mode before it may act.",
        )
        return
    yield Finding(check=Check.API_VERSION, outcome=Outcome.OK, found=found)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _clock(clock: ClockReading | Unread, wishes: Wishes) -> Iterator[Finding]:
    if isinstance(clock, Unread):
        yield _unchecked(Check.CLOCK, clock.why, clock.mend)
        return
    side = "ahead of" if clock.ahead_s > 0 else "behind"
    apart = abs(clock.ahead_s)
    found = (
        f"the vCenter's clock is {apart:.1f} s {side} this machine's, to within"
        f" {clock.uncertain_s:.1f} s"
    )
    mend = "Set both clocks by NTP."
    if apart > wishes.snapshot_age_s:
        yield Finding(
            check=Check.CLOCK,
            outcome=Outcome.PROBLEM,
            found=f"{found}; every snapshot is refused as stale from {wishes.snapshot_age_s:g} s on",
            mend=mend,
            blocks=True,
        )
        return
    is_right = apart <= CLOCK_TOLERANCE_S + clock.uncertain_s
    outcome = Outcome.OK if is_right else Outcome.ADVICE
    yield Finding(check=Check.CLOCK, outcome=outcome, found=found, mend="" if is_right else mend)


def _clusters(names: tuple[str, ...] | Unread) -> Iterator[Finding]:
    if isinstance(names, Unread):
        yield _unchecked(Check.CLUSTERS, names.why, names.mend)
    elif not names:
        yield Finding(
            check=Check.CLUSTERS,
            outcome=Outcome.PROBLEM,
            found="the vCenter shows no cluster to this account",
            mend=f"Give the account the role {Role.READER} (deploy/vcenter) on {Place.ROOT}.",
            blocks=True,
        )
    else:
        found = f"the vCenter shows {len(names)} cluster{'s' if len(names) != 1 else ''}"
        yield Finding(check=Check.CLUSTERS, outcome=Outcome.OK, found=found, objects=names)


def _unchecked(check: Check, why: str, mend: str = "") -> Finding:
    return Finding(check=check, outcome=Outcome.UNCHECKED, found=why, mend=mend or _FIRST)
