"""Whose task it is: another account is never taken for ours, and what is not certain is not told."""

from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.initiator import asked_by_us, same_account

OURS = "VSPHERE.LOCAL\\svc-balancer"


@pytest.mark.parametrize(
    ("told", "is_ours"),
    [
        ("VSPHERE.LOCAL\\svc-balancer", True),
        ("vsphere.local\\SVC-Balancer", True),
        ("svc-balancer@vsphere.local", True),
        ("VSPHERE.LOCAL\\svc-backup", False),
        ("CORP.EXAMPLE.COM\\svc-balancer", False),
        ("VSPHERE\\svc-balancer", None),
        ("svc-balancer", None),
        ("", None),
        ("svc-backup", False),
    ],
)
def test_two_names_are_one_account_or_two_or_it_is_not_told(
    told: str, is_ours: bool | None
) -> None:
    assert same_account(told, OURS) is is_ours
    assert same_account(OURS, told) is is_ours


@pytest.mark.parametrize(
    ("what", "reason", "is_ours"),
    [
        ("VirtualMachine.relocate", vim.TaskReasonUser(userName=OURS), True),
        ("VirtualMachine.migrate", vim.TaskReasonUser(userName=OURS), True),
        ("VirtualMachine.relocate", vim.TaskReasonUser(userName="CORP\\eve"), False),
        ("Drm.ExecuteVMotionLRO", vim.TaskReasonUser(userName=OURS), False),
        ("VirtualMachine.relocate", vim.TaskReasonSystem(), False),
        ("VirtualMachine.relocate", vim.TaskReasonSchedule(name="nightly"), False),
        ("VirtualMachine.relocate", None, None),
        ("VirtualMachine.relocate", "something new", None),
    ],
)
def test_a_task_is_ours_by_kind_and_account(what: str, reason: Any, is_ours: bool | None) -> None:
    assert asked_by_us(what, reason, OURS) is is_ours


def test_without_a_name_of_our_own_nothing_is_ours() -> None:
    told = asked_by_us("VirtualMachine.relocate", vim.TaskReasonUser(userName=OURS), "")
    assert told is None
