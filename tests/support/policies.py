"""Policies by name or path, for tests that need one without a time."""

from collections.abc import Sequence
from pathlib import Path

from balancer.policy.compose import load_policy_set
from balancer.policy.types import Policy


def load_policies(
    names_or_paths: Sequence[str], *, folders: Sequence[Path] = (), base: Path | None = None
) -> Policy:
    """Return the policy that the files give together while none of their windows is open.

    Raises:
        InputError: every problem of every file, with file, line and column.
    """
    return load_policy_set(names_or_paths, folders=folders, base=base).without_windows
