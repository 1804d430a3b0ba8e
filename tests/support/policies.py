"""Policies for tests: one for all times, without a file, and those of files, without a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from balancer.policy.compose import load_policy_set
from balancer.policy.types import Policy


@dataclass(frozen=True, slots=True)
class Always:
    """One policy for all times; its windows lay nothing over it."""

    policy: Policy

    def at(self, when: datetime) -> Policy:
        """Return the policy."""
        del when
        return self.policy


def load_policies(
    names_or_paths: Sequence[str], *, folders: Sequence[Path] = (), base: Path | None = None
) -> Policy:
    """Return the policy that the files give together while none of their windows is open.

    Raises:
        InputError: every problem of every file, with file, line and column.
    """
    return load_policy_set(names_or_paths, folders=folders, base=base).without_windows
