"""What somebody who asks over the network may do: three roles, each with all that the one before it may."""

from enum import StrEnum


class Role(StrEnum):
    """How far a token reaches."""

    VIEWER = "viewer"  # reads
    OPERATOR = "operator"  # decides on plans, pauses and resumes, has hosts emptied
    ADMIN = "admin"  # acknowledges what the program stopped itself for, reads the audit log

    def includes(self, other: "Role") -> bool:
        """Whether this role may do whatever the other one may."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
