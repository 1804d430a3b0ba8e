"""Who gives a command: the operating system's word, never an option."""

import os
import pwd
from datetime import UTC, datetime

from balancer.control import By


def actor() -> str:
    """Return the user that runs this process and, under sudo, the one who called it."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid {os.getuid()}"
    caller = os.environ.get("SUDO_USER", "")
    return f"{user} (sudo by {caller})" if caller and caller != user else user


def by_me(reason: str = "") -> By:
    """Return that the user of this process asks, now."""
    return By(actor=actor(), at=datetime.now(UTC), reason=reason.strip())
