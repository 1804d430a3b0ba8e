"""What the account may do, object by object, as the server itself answers.

Owns the questions to the authorization manager. Asks with the own session, which every account that can
read may do; no role, permission or other account is read. Nothing is tried out. Used by the examination.

Source: vSphere API, `AuthorizationManager.HasPrivilegeOnEntities` (System.View, and System.Read on each
object), `privilegeList`, `SessionManager.currentSession` (System.Anonymous).
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.faults import fault_line
from balancer.adapters.vsphere.session import Opened
from balancer.model.checkup import Holding, ObjectKind, Rights
from balancer.model.privileges import ADMINISTRATION
from balancer.model.reasons import Reason, Refusal
from balancer.ports import ClusterRef

MOST_OBJECTS_IN_ONE_CALL = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An object to ask about, and the configured cluster that it belongs to.

    `in_full` asks for every privilege there is, to find what is in excess.
    """

    kind: ObjectKind
    name: str
    cluster: str = ""
    ref: vim.ManagedEntity
    in_full: bool = False


def rights_on(opened: Opened, places: Sequence[Place], needed: frozenset[str]) -> Rights:
    """Return which privileges the own session holds on each place.

    A place that the server refuses to speak of is named in `unread`, and hides no other.

    Raises:
        CallFailed: the connection failed.
        vmodl.MethodFault: the server does not tell who we are.
    """
    manager = opened.content.authorizationManager
    session = opened.sessions.currentSession
    if manager is None or session is None:
        return Rights(holdings=(), unread=("the server has no authorization manager",))
    every = needed | (_every_id(manager) if any(p.in_full for p in places) else frozenset())
    holdings: list[Holding] = []
    unread: list[str] = []
    for group, ids in ((True, every), (False, needed)):
        chosen = [place for place in places if place.in_full is group]
        for start in range(0, len(chosen), MOST_OBJECTS_IN_ONE_CALL):
            batch = chosen[start : start + MOST_OBJECTS_IN_ONE_CALL]
            found, refused = _asked(manager, session.key, batch, ids)
            holdings += found
            unread += refused
    return Rights(holdings=tuple(holdings), unread=tuple(unread))


def barred_by(opened: Opened, cluster: ClusterRef, user: str) -> Refusal | None:
    """Return that the account is an administrator, on the root or on this cluster, or may be one.

    Raises:
        CallFailed: the connection failed.
        vmodl.MethodFault: the server does not tell who we are.
    """
    places = (
        Place(kind=ObjectKind.ROOT, name="of the vCenter", ref=opened.content.rootFolder),
        Place(
            kind=ObjectKind.CLUSTER,
            name=cluster.name,
            ref=vim.ClusterComputeResource(cluster.id, opened.stub),
        ),
    )
    rights = rights_on(opened, places, ADMINISTRATION)
    for holding in rights.holdings:
        for privilege in sorted(holding.held):
            where = f"{holding.kind} {holding.name}"
            return _bar(f"the account {user} is an administrator: it holds {privilege} on {where}")
    if rights.unread:
        why = "; ".join(rights.unread)
        return _bar(f"it cannot be told whether the account {user} is an administrator: {why}")
    return None


def _bar(detail: str) -> Refusal:
    return Refusal.of(Reason.EXCESS_PRIVILEGES, detail)


def _every_id(manager: vim.AuthorizationManager) -> frozenset[str]:
    """Return every privilege that the server knows; none where it does not list them."""
    try:
        return frozenset(entry.privId for entry in manager.privilegeList)
    except vmodl.MethodFault:
        return frozenset()


def _asked(
    manager: vim.AuthorizationManager, session: str, places: Sequence[Place], ids: Iterable[str]
) -> tuple[list[Holding], list[str]]:
    """Ask about several places at once, and one by one where the server refuses some."""
    asked = sorted(ids)
    try:
        rows = manager.HasPrivilegeOnEntities([place.ref for place in places], session, asked)
    except vmodl.MethodFault as fault:
        if len(places) == 1:
            place = places[0]
            return [], [f"{place.kind} {place.name}: {fault_line(fault)}"]
        middle = len(places) // 2
        first = _asked(manager, session, places[:middle], asked)
        second = _asked(manager, session, places[middle:], asked)
        return first[0] + second[0], first[1] + second[1]
    by_id = {row.entity._GetMoId(): row.privAvailability for row in rows}
    holdings = [
        Holding(
            kind=place.kind,
            name=place.name,
            cluster=place.cluster,
            asked=frozenset(asked),
            held=frozenset(
                entry.privId for entry in by_id.get(place.ref._GetMoId(), ()) if entry.isGranted
            ),
        )
        for place in places
    ]
    return holdings, []
