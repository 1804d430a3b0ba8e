"""Certificates for servers of tests: one authority that trusts itself, for localhost and 127.0.0.1."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import program


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and its key, in one PEM file each."""

    cert: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        """Return what a server wraps its sockets with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


def certificate(folder: Path) -> Certificate:
    """Make one in a folder; valid for a day."""
    made = Certificate(cert=folder / "localhost.pem", key=folder / "localhost.key")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    files = ["-keyout", str(made.key), "-out", str(made.cert)]
    subprocess.run(
        [program("openssl"), *words.split(), "-subj", "/CN=localhost", "-addext", names, *files],
        check=True,
        capture_output=True,
    )
    return made
