"""From the configuration's words to the adapter's settings; the one place that knows both.

Owns the translation and the reading of the proxy that the environment names, where that is asked for.
"""

import re
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from balancer.adapters.vsphere.settings import ProxySettings, VsphereSettings
from balancer.config import Proxy, VCenter
from balancer.model.errors import InputError, Problem

_DEFAULT_PROXY_PORT = 3128
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def settings_of(vcenter: VCenter) -> VsphereSettings:
    """Return the adapter's settings; user name and password are read anew at each login.

    Raises:
        InputError: the file with the user name cannot be read, or the environment's proxy is no proxy.
    """
    return VsphereSettings(
        name=vcenter.name,
        host=vcenter.host,
        port=vcenter.port,
        username=vcenter.user(),
        username_source=vcenter.user,
        password=vcenter.password,
        ca_file=vcenter.tls.ca_file,
        thumbprint_sha256=vcenter.tls.thumbprint_sha256,
        connect_timeout_s=vcenter.timeouts.connect_s,
        read_timeout_s=vcenter.timeouts.read_s,
        submit_timeout_s=vcenter.timeouts.submit_s,
        page_size=vcenter.page_size,
        full_read_every_s=vcenter.full_read_every_s,
        pool_size=vcenter.pool_size,
        concurrency=vcenter.concurrency,
        proxy=_proxy(vcenter.proxy, vcenter),
        read_tags=vcenter.read_tags,
    )


def _proxy(proxy: Proxy | None, vcenter: VCenter) -> ProxySettings | None:
    if proxy is None:
        return None
    if proxy.from_environment:
        return _proxy_of_environment(vcenter)
    return ProxySettings(
        host=proxy.host or "",
        port=proxy.port,
        credentials=(lambda: proxy.credentials(vcenter.name)) if proxy.credentials_file else None,
    )


def _proxy_of_environment(vcenter: VCenter) -> ProxySettings | None:
    """Return what `https_proxy` names, None where it is not set or `no_proxy` holds the vCenter."""
    known = getproxies_environment()
    named = known.get("https", "")
    if not named or proxy_bypass(f"{vcenter.host}:{vcenter.port}", known):
        return None
    url = urlsplit(named if _SCHEME.match(named) else f"http://{named}")
    try:
        port = url.port or _DEFAULT_PROXY_PORT
    except ValueError:
        port = 0
    if url.scheme != "http" or not url.hostname or not port:
        where = "environment variable https_proxy"
        found = f"no address of an HTTP proxy (for vCenter {vcenter.name})"
        problem = Problem(where=where, found=found, allowed="http://[user:password@]host:port")
        raise InputError(where, (problem,))
    credentials = None
    if url.username is not None:
        credentials = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return ProxySettings(host=url.hostname, port=port, credentials=credentials)
