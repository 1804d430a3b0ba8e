"""Who asked for a task: our own account, somebody else, or nobody that the server tells.

Owns the comparison of account names, which the server writes in more than one way. Must never take another
account for ours: what is not certain is not told. Used by the translation of tasks.
"""

from typing import Any

from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts

RELOCATIONS = frozenset({"VirtualMachine.relocate", "VirtualMachine.migrate"})
"""`TaskInfo.descriptionId` of what a client asks for by `RelocateVM_Task` and `MigrateVM_Task`.

Source: task catalogue of a vCenter (`TaskDescription.methodInfo` keys). A cluster's own DRS has others.
"""


def asked_by_us(what: str | None, reason: Any, user: str) -> bool | None:
    """Return whether the account `user` of our session asked for a relocation; None: not told.

    `what` is the task's `descriptionId`, `reason` its `TaskInfo.reason`.
    Source: vSphere API, `TaskReasonUser.userName`, "name of the user that started the task"; a scheduled task,
    an alarm and the system have reasons of their own.
    """
    if what is not None and what not in RELOCATIONS:
        return False
    if not isinstance(reason, vim.TaskReason):
        return None
    if not isinstance(reason, vim.TaskReasonUser):
        return False
    return same_account(reason.userName or "", user)


def asked_by_us_from(facts: Facts, user: str) -> bool | None:
    """Return the same of a task's facts."""
    reason = facts.one("info.reason", vim.TaskReason)
    return asked_by_us(facts.text("info.descriptionId"), reason, user)


def same_account(one: str, other: str) -> bool | None:
    r"""Return whether two names are one account's; None where a domain is missing or abbreviated.

    `VSPHERE.LOCAL\\name` and `name@vsphere.local` are one account, in any case of letters. The short name of a
    Windows domain (`CORP\\name` beside `name@corp.example.com`) may be that of another one.
    """
    (domain, user), (other_domain, other_user) = _parts(one), _parts(other)
    if not user or not other_user:
        return None
    if user != other_user:
        return False
    if domain == other_domain:
        return True
    is_same_so_far = domain.split(".")[0] == other_domain.split(".")[0]
    is_short = "." not in domain or "." not in other_domain
    may_be = not domain or not other_domain or (is_short and is_same_so_far)
    return None if may_be else False


def _parts(name: str) -> tuple[str, str]:
    """Return domain and user of an account's name, in small letters."""
    plain = name.strip().casefold()
    if "\\" in plain:
        domain, _, user = plain.partition("\\")
        return domain, user
    user, _, domain = plain.rpartition("@") if "@" in plain else (plain, "", "")
    return domain, user
