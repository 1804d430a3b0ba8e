"""Programs that are not of Python and that some tests need: found on this machine, or said to be missing."""

import os
import shutil

import pytest

PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "chromium": "chromium",
    "systemd-analyze": "systemd",
    "kubectl": "kubernetes-client",
    "openssl": "openssl",
    "buildah": "buildah",
    "sqlite3": "sqlite3",
    "curl": "curl",
}
"""The Debian package that brings each program."""


def program(name: str) -> str:
    """Return the path of a program. Where it is missing the test is skipped, in CI it fails.

    `.ci/run` installs the packages, so that nothing is left out there in silence.
    """
    found = shutil.which(name)
    if found:
        return found
    why = f"{name} is not on the PATH; Debian's package {PACKAGES.get(name, name)} brings it"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
