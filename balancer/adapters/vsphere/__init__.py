"""vCenter over SOAP: the only package that knows pyVmomi.

Owns everything between the ports `Inventory` and `Migrator` and the wire. `connect` returns both for one
vCenter. Nothing foreign leaves it: values of the model, or members of `model.errors`.
"""

from balancer.adapters.vsphere.accounts import Logins
from balancer.adapters.vsphere.connection import VsphereConnection, connect
from balancer.adapters.vsphere.inventory import VsphereInventory
from balancer.adapters.vsphere.migrator import VsphereMigrator
from balancer.adapters.vsphere.observer import RequestObserver
from balancer.adapters.vsphere.settings import VsphereSettings

__all__ = [
    "Logins",
    "RequestObserver",
    "VsphereConnection",
    "VsphereInventory",
    "VsphereMigrator",
    "VsphereSettings",
    "connect",
]
