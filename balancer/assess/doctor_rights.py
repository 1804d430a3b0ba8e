"""The judgement of an account's privileges: what its role lacks, and what it holds beyond it. Pure.

An account that may change permissions or roles can give itself everything: it is an administrator, and
nothing that moves machines by itself should run as one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from balancer.model.checkup import Holding, ObjectKind, Rights, Unread
from balancer.model.finding import Check, Finding, Outcome
from balancer.model.privileges import ADMINISTRATION, Place, Role, needed_ids

MOST_IDS_NAMED = 6

_RUN_AGAIN = "Mend what is said above, then run the doctor again."


def judge_rights(
    rights: Rights | Unread, acting: frozenset[str], *, allows_excess: bool = False
) -> Iterator[Finding]:
    """Yield what is missing and what is in excess. `acting` are the clusters that may be acted on.

    `allows_excess`: the configuration says that an administrator's account is meant.

    Starting vMotions is needed on the VMs of those clusters alone; reading is needed everywhere.
    """
    role = Role.EXECUTOR if acting else Role.READER
    if isinstance(rights, Unread) or not rights.holdings:
        why = rights.why if isinstance(rights, Unread) else "; ".join(rights.unread)
        mend = rights.mend if isinstance(rights, Unread) else _READ
        for check in (Check.PRIVILEGES_MISSING, Check.PRIVILEGES_EXCESS):
            yield Finding(
                check=check, outcome=Outcome.UNCHECKED, found=why, mend=mend or _RUN_AGAIN
            )
        return
    yield from _missing(rights, acting, role)
    yield from _excess(rights.holdings, role, allows_excess)


_READ = "Give the account the role balancer-reader on the vCenter's root, propagating."


def _missing(rights: Rights, acting: frozenset[str], role: Role) -> Iterator[Finding]:
    lacking = _lacking(rights.holdings, acting)
    for (held_by, kind, names), ids in _alike(lacking).items():
        total = sum(1 for holding in rights.holdings if holding.kind is kind)
        are = "are" if len(ids) > 1 else "is"
        yield Finding(
            check=Check.PRIVILEGES_MISSING,
            outcome=Outcome.PROBLEM,
            found=f"{', '.join(ids)} {are} missing on {_of(kind, len(names), total)}",
            mend=_GIVE[held_by],
            objects=names if kind is not ObjectKind.ROOT else (),
            blocks=True,
        )
    if rights.unread:
        yield Finding(
            check=Check.PRIVILEGES_MISSING,
            outcome=Outcome.UNCHECKED,
            found=f"the server does not tell the privileges on {len(rights.unread)} objects",
            mend=_READ,
            objects=rights.unread,
        )
    if not lacking:
        yield _complete(rights.holdings, role)


def _complete(holdings: Sequence[Holding], role: Role) -> Finding:
    """Return that nothing is missing; for a reader also whether it could act."""
    found = f"all of {role} on {len(holdings)} object{'s' if len(holdings) != 1 else ''}"
    everywhere = frozenset(holding.cluster for holding in holdings)
    to_act = sorted({privilege for privilege, _ in _lacking(holdings, everywhere)})
    if to_act and role is Role.READER:
        found += f"; to act it lacks {', '.join(to_act)}"
    return Finding(
        check=Check.PRIVILEGES_MISSING,
        outcome=Outcome.OK,
        found=found,
        blocks=bool(to_act) and role is Role.READER,
    )


def _lacking(
    holdings: Iterable[Holding], acting: frozenset[str]
) -> dict[tuple[str, ObjectKind], list[str]]:
    """Return the objects by what they lack, where the VMs of the `acting` clusters are to be moved."""
    lacking: dict[tuple[str, ObjectKind], list[str]] = defaultdict(list)
    for holding in holdings:
        role = Role.EXECUTOR if holding.cluster in acting else Role.READER
        place = Place.VMS if holding.kind is ObjectKind.VM else Place.ROOT
        for privilege in sorted(needed_ids(role, place) - holding.held):
            lacking[privilege, holding.kind].append(holding.name)
    return lacking


def _of(kind: ObjectKind, count: int, total: int) -> str:
    if kind is ObjectKind.ROOT:
        return str(kind)
    return f"{count} of {total} {kind}{'s' if total != 1 else ''}"


_GIVE = {
    Role.READER: f"Give the account the role {Role.READER} (deploy/vcenter) on {Place.ROOT}.",
    Role.EXECUTOR: f"Give the account the role {Role.EXECUTOR} (deploy/vcenter) on {Place.VMS}.",
}


def _alike(
    lacking: Mapping[tuple[str, ObjectKind], list[str]],
) -> dict[tuple[Role, ObjectKind, tuple[str, ...]], list[str]]:
    """Return the missing privileges together that one role gives and the same objects lack."""
    together: dict[tuple[Role, ObjectKind, tuple[str, ...]], list[str]] = defaultdict(list)
    for (privilege, kind), names in lacking.items():
        role = Role.READER if privilege in needed_ids(Role.READER) else Role.EXECUTOR
        together[role, kind, tuple(names)].append(privilege)
    return together


def _excess(holdings: Sequence[Holding], role: Role, allowed: bool) -> Iterator[Finding]:
    full = [holding for holding in holdings if holding.asked - needed_ids(Role.EXECUTOR)]
    if not full:
        yield Finding(
            check=Check.PRIVILEGES_EXCESS,
            outcome=Outcome.UNCHECKED,
            found="the server does not list its privileges",
            mend=_READ,
        )
        return
    beyond = {holding: holding.held - needed_ids(role) for holding in full}
    over = [holding for holding in full if beyond[holding]]
    every = sorted(frozenset().union(*beyond.values()))
    if not over:
        found = f"none beyond {role} on {len(full)} object{'s' if len(full) != 1 else ''}"
        yield Finding(check=Check.PRIVILEGES_EXCESS, outcome=Outcome.OK, found=found)
    elif ADMINISTRATION & set(every):
        yield _administrator(over, every, role, allowed)
    else:
        yield Finding(
            check=Check.PRIVILEGES_EXCESS,
            outcome=Outcome.ADVICE,
            found=f"beyond {role}: {_listed(every)}",
            mend=f"Take them away: the account needs no more than the role {role} (deploy/vcenter).",
            objects=_names(over),
        )


def _administrator(
    over: Sequence[Holding], every: Sequence[str], role: Role, allowed: bool
) -> Finding:
    given = sorted(ADMINISTRATION & set(every))
    return Finding(
        check=Check.PRIVILEGES_EXCESS,
        outcome=Outcome.PROBLEM if role is Role.EXECUTOR and not allowed else Outcome.ADVICE,
        found=(
            f"the account is an administrator: it holds {given[0]} and"
            f" {len(every) - 1} more privileges beyond {role}"
        ),
        mend=f"Use an account of its own with the role {role} (deploy/vcenter), and nothing else.",
        objects=_names(over),
        blocks=not allowed,
    )


def _names(over: Iterable[Holding]) -> tuple[str, ...]:
    return tuple(
        str(holding.kind) if holding.kind is ObjectKind.ROOT else f"{holding.kind} {holding.name}"
        for holding in over
    )


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - MOST_IDS_NAMED} more" if len(ids) > MOST_IDS_NAMED else ""
    return ", ".join(ids[:MOST_IDS_NAMED]) + more
