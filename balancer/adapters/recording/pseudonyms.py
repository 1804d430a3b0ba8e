"""Names that stay the same for as long as one key is kept, and tell nothing without it.

Each name is replaced by a keyed digest (HMAC-SHA-256) of it and its kind. Without the key nobody can try out names;
with it the same name has the same pseudonym in every file. The key lies outside of the recordings.
"""

import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from balancer.adapters.files.anonymize import anonymized
from balancer.model.errors import BalancerError
from balancer.model.snapshot import Snapshot

KEY_BYTES = 32
_DIGITS = 12


class Pseudonyms:
    """The pseudonyms of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, name: str) -> str:
        """Return what stands for a name of a kind."""
        digest = hmac.new(self._key, f"{kind}\0{name}".encode(errors="replace"), sha256).hexdigest()
        return f"{kind}-{digest[:_DIGITS]}"

    def naming(self, kind: str, names: Iterable[str]) -> Mapping[str, str]:
        """Return what stands for each of some names."""
        return {name: self.of(kind, name) for name in set(names)}

    def cleaned(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot without names."""
        return anonymized(snapshot, self.naming)


def kept_key(path: Path) -> bytes:
    """Return the key that a file holds; where there is none, make one that only this account may read.

    Raises:
        BalancerError: the file cannot be read or written, or holds no key.
    """
    try:
        if not path.exists():
            _write_new(path, secrets.token_hex(KEY_BYTES))
        text = path.read_text(encoding="ascii").strip()
        key = bytes.fromhex(text)
    except (OSError, ValueError) as err:
        raise BalancerError(
            f"the key of anonymised recordings, {path}, cannot be used: {err}. Remove it and a new one is made; "
            "names are then others than before."
        ) from err
    if len(key) != KEY_BYTES:
        raise BalancerError(
            f"{path} holds no key of anonymised recordings. Remove it and one is made."
        )
    return key


def _write_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
