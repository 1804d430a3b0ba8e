"""The settings of the program: which vCenters and clusters, with which policies, journal, HTTP and log.

It owns the configuration file: strict types, every setting's default, checks that span settings, and
secrets by reference only (a file is named, its content is read when a login needs it). It connects to
nothing. Paths are relative to the configuration file.
"""

from pathlib import Path

from balancer.config.document import Cluster, Config, Journal
from balancer.config.files import exposed_secrets, file_problems
from balancer.config.mistakes import cross_mistakes
from balancer.config.serving import Http, HttpTls, HttpToken, Log
from balancer.config.vcenter import Proxy, Timeouts, Tls, VCenter
from balancer.policy.strict_yaml import read_yaml
from balancer.policy.typed_document import typed

__all__ = [
    "Cluster",
    "Config",
    "Http",
    "HttpTls",
    "HttpToken",
    "Journal",
    "Log",
    "Proxy",
    "Timeouts",
    "Tls",
    "VCenter",
    "exposed_secrets",
    "file_problems",
    "load_config",
]


def load_config(path: Path) -> Config:
    """Read the configuration and the policies that it names.

    Files with secrets and certificates are not opened: see `file_problems`.

    Raises:
        InputError: every problem with file, line and column.
    """
    file = read_yaml(path)
    return typed(file, Config, context=path.parent, also=cross_mistakes(file.data, path.parent))
