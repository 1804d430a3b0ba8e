"""Where a measured client reads, as it is handed over on standard input."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from balancer.adapters.vsphere import VsphereSettings


class Target(BaseModel):
    """A test vCenter. `page_size` is in objects; `sample` is how many VMs the naive way reads."""

    model_config = ConfigDict(frozen=True)

    url: str
    host: str
    port: int
    username: str
    password: str
    ca_file: Path
    page_size: int = 500
    repeats: int = 3
    sample: int = 20

    def settings(self) -> VsphereSettings:
        """Return the settings of our adapter; patient, since the test vCenter shares the machine."""
        return VsphereSettings(
            name="bench",
            host=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            ca_file=self.ca_file,
            page_size=self.page_size,
            read_timeout_s=600.0,
        )
