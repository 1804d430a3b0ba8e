"""What the sections of the configuration are made of: types of values, and secrets by reference only.

A setting names a file; its content is read when a login needs it. Paths are relative to the configuration
file.
"""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from balancer.model.errors import InputError, Problem
from balancer.policy.file_access import first_bytes, is_file

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what `LoadCredential=` names. Source: systemd.exec(5), "CREDENTIALS"."""

MOST_SECRET_BYTES = 4096
_PIN_DIGITS = 64


def from_base(path: Path, info: ValidationInfo) -> Path:
    """Return a path of the configuration, seen from where the file stands."""
    return info.context / path if isinstance(info.context, Path) else path


def _secret_path(path: Path, info: ValidationInfo) -> Path:
    """Look for a bare name among the service manager's credentials first."""
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    if folder and path.name == str(path) and is_file(Path(folder) / path):
        return Path(folder) / path
    return from_base(path, info)


def is_path(policy: str) -> bool:
    """Whether a policy is named by its path."""
    return "/" in policy or policy.endswith((".yaml", ".yml"))


def _policy_path(name: str, info: ValidationInfo) -> str:
    return str(from_base(Path(name), info)) if is_path(name) else name


def _host_name(text: str) -> str:
    is_plain = all(char.isprintable() and not char.isspace() for char in text)
    if not is_plain or "/" in text or "@" in text:
        raise ValueError("a name or an address, without https:// before it and without a path")
    return text


def digest_pin(text: str) -> str:
    """Return 64 hexadecimal digits in lower case, without colons."""
    digits = text.replace(":", "").strip().lower()
    if len(digits) != _PIN_DIGITS or not all(digit in "0123456789abcdef" for digit in digits):
        raise ValueError("64 hexadecimal digits (SHA-256), colons allowed")
    return digits


FilePath = Annotated[Path, AfterValidator(from_base)]
SecretPath = Annotated[Path, AfterValidator(_secret_path)]
PolicyName = Annotated[str, Field(min_length=1), AfterValidator(_policy_path)]
Text = Annotated[str, Field(min_length=1)]
HostName = Annotated[str, Field(min_length=1), AfterValidator(_host_name)]
Port = Annotated[int, Field(ge=1, le=65_535)]
ListenPort = Annotated[int, Field(ge=0, le=65_535)]


class Part(BaseModel):
    """A section: strict, frozen, without keys that are not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def secret(path: Path, setting: str, owner: str) -> str:
    """Return the one line that a file holds, read anew; `setting` names the file, for `owner`.

    Raises:
        InputError: the file cannot be read, is empty, or holds more than a line.
    """
    where = f"{setting} of {owner}"
    try:
        content = first_bytes(path, MOST_SECRET_BYTES).decode("utf-8").rstrip("\r\n")
    except OSError as err:
        found = f"{named_file(path)} cannot be read: {err.strerror or err}"
        raise InputError(where, (Problem(where=where, found=found),)) from err
    except UnicodeDecodeError as err:
        problem = Problem(where=where, found=f"{named_file(path)} is not UTF-8 text")
        raise InputError(where, (problem,)) from err
    if not content or "\n" in content or "\0" in content:
        problem = Problem(where=where, found=f"{named_file(path)} does not hold one line of text")
        raise InputError(where, (problem,))
    return content


def named_file(path: Path) -> str:
    """Return how a message may call a file: somebody may have put the secret where its file belongs."""
    return f"the file {path}" if is_file(path) else "the file that it names"
