"""The two least-privilege roles: which vSphere privileges each holds, on what, and why.

It owns the one list that `balancer doctor` checks and `deploy/vcenter` creates; a test compares the two.
A privilege that is not on the list is in excess. Values only; asking a server is the adapter's part.

Source of the ids: vSphere API 9.1, the privilege that each method and property declares; for the second
one of `RelocateVM_Task`, its reference page ("Resource.HotMigrate if the virtual machine is powered on").
"""

from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """On what a privilege must be held."""

    ROOT = "the vCenter's root, propagating"
    VMS = "the VMs, by their cluster or folder, propagating"


class Role(StrEnum):
    """The name of a role, as the scripts of `deploy/vcenter` create it."""

    READER = "balancer-reader"
    EXECUTOR = "balancer-executor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Privilege:
    """One privilege: its id, where it is needed, what for, and where that is documented."""

    id: str
    place: Place
    reason: str
    source: str


READER = (
    Privilege(
        id="System.Anonymous",
        place=Place.ROOT,
        reason="log in, and know the own session",
        source="SessionManager.Login, SessionManager.currentSession",
    ),
    Privilege(
        id="System.View",
        place=Place.ROOT,
        reason="list objects, have the server check a migration, ask for counters, options and rights",
        source="ViewManager.CreateContainerView, CheckRelocate_Task, QueryPerf, QueryOptions",
    ),
    Privilege(
        id="System.Read",
        place=Place.ROOT,
        reason="read properties: placement, load, rules, EVC, events",
        source="ManagedEntity, ClusterComputeResource.EvcManager, HasPrivilegeOnEntities",
    ),
)

EXECUTOR = (
    *READER,
    Privilege(
        id="Resource.ColdMigrate",
        place=Place.VMS,
        reason="the privilege that RelocateVM_Task asks for, whatever the VM's power state",
        source="VirtualMachine.RelocateVM_Task",
    ),
    Privilege(
        id="Resource.HotMigrate",
        place=Place.VMS,
        reason="RelocateVM_Task asks for it as well where the VM runs",
        source="VirtualMachine.RelocateVM_Task",
    ),
)

OF_ROLE = {Role.READER: READER, Role.EXECUTOR: EXECUTOR}

ADMINISTRATION = frozenset(
    {
        "Authorization.ModifyPermissions",
        "Authorization.ModifyRoles",
        "Authorization.ReassignRolePermissions",
    }
)
"""With one of these an account can give itself every other privilege: it is an administrator.
Source: vSphere Security, "Defined Privileges", Permissions Privileges."""


def needed_ids(role: Role, place: Place | None = None) -> frozenset[str]:
    """Return the ids that a role needs, in all or at one place; what the root needs propagates."""
    held = OF_ROLE[role]
    return frozenset(p.id for p in held if place in (None, p.place) or p.place is Place.ROOT)
