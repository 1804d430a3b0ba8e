"""The sections on vCenters: where they are, the account used there, certificates, time-outs, proxies."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from balancer.config.parts import (
    FilePath,
    HostName,
    Part,
    Port,
    SecretPath,
    Text,
    digest_pin,
    named_file,
    secret,
)
from balancer.model.errors import InputError, Problem
from balancer.policy.limits_document import PositiveSeconds


class Tls(Part):
    """How a vCenter's certificate is verified. Neither set: by the system's authorities."""

    ca_file: FilePath | None = None
    thumbprint_sha256: Annotated[str, AfterValidator(digest_pin)] | None = None


class Timeouts(Part):
    """Total time of one request, in seconds."""

    connect_s: PositiveSeconds = 10.0
    read_s: PositiveSeconds = 60.0
    submit_s: PositiveSeconds = 30.0


class Proxy(Part):
    """The HTTP proxy through which a vCenter is reached, or where to learn of it."""

    host: HostName | None = None
    port: Port = 3128
    credentials_file: SecretPath | None = None
    from_environment: bool = False

    def credentials(self, vcenter: str) -> str:
        """Return `user:password`, read anew.

        Raises:
            InputError: the file cannot be read, is empty, or has no colon.
        """
        where = f"proxy.credentials_file of vCenter {vcenter}"
        content = secret(
            self.credentials_file or Path(), "proxy.credentials_file", f"vCenter {vcenter}"
        )
        if ":" not in content:
            found = f"{named_file(self.credentials_file or Path())} does not hold user:password"
            raise InputError(where, (Problem(where=where, found=found),))
        return content


class VCenter(Part):
    """One vCenter and the account used there."""

    name: Text
    host: HostName
    port: Port = 443
    username: Text | None = None
    username_file: SecretPath | None = None
    password_file: SecretPath
    tls: Tls = Field(default_factory=Tls)
    timeouts: Timeouts = Field(default_factory=Timeouts)
    proxy: Proxy | None = None
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    full_read_every_s: PositiveSeconds = 600.0
    pool_size: Annotated[int, Field(ge=1, le=64)] = 8
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    change_hints: bool = True
    read_tags: bool = True
    allow_excess_privileges: bool = False

    def user(self) -> str:
        """Return the user name, read anew where it comes from a file.

        Raises:
            InputError: the file cannot be read or is empty.
        """
        return self.username or secret(
            self.username_file or Path(), "username_file", f"vCenter {self.name}"
        )

    def password(self) -> str:
        """Return the password, read anew, so that a changed file counts at the next login.

        Raises:
            InputError: the file cannot be read or is empty.
        """
        return secret(self.password_file, "password_file", f"vCenter {self.name}")
