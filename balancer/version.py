"""The version of this program, as installed."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("vsphere-balancer")
    except PackageNotFoundError:
        return "0+unknown"


VERSION = _installed()
