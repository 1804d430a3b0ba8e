"""From the configuration's words to the adapter's settings; the one place that knows both."""

from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.config import VCenter


def settings_of(vcenter: VCenter) -> VsphereSettings:
    """Return the adapter's settings; the password is read anew at each login.

    Raises:
        InputError: the file with the user name cannot be read.
    """
    return VsphereSettings(
        name=vcenter.name,
        host=vcenter.host,
        port=vcenter.port,
        username=vcenter.user(),
        password=vcenter.password,
        ca_file=vcenter.tls.ca_file,
        thumbprint_sha256=vcenter.tls.thumbprint_sha256,
        connect_timeout_s=vcenter.timeouts.connect_s,
        read_timeout_s=vcenter.timeouts.read_s,
        submit_timeout_s=vcenter.timeouts.submit_s,
        page_size=vcenter.page_size,
        read_tags=vcenter.read_tags,
    )
