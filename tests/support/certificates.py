"""Certificates that are made for a test: an own authority would prove no more, so each is its own."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import program


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """A certificate for 127.0.0.1 and localhost, and its key."""

    certificate_file: Path
    key_file: Path

    def server(self) -> ssl.SSLContext:
        """Return what a server wraps its sockets with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate_file, self.key_file)
        return context


def certificate_in(folder: Path, name: str = "balancer") -> CertificateFiles:
    """Make a certificate that is its own authority; an older one of the same name is replaced."""
    files = CertificateFiles(
        certificate_file=folder / f"{name}.pem", key_file=folder / f"{name}-key.pem"
    )
    words = [
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "2", "-subj", f"/CN={name}"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", str(files.key_file), "-out", str(files.certificate_file)),
    ]
    subprocess.run([program("openssl"), *words], check=True, capture_output=True, timeout=30)
    files.key_file.chmod(0o600)
    return files
