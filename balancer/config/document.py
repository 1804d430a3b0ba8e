"""The whole configuration file: vCenters, clusters, journal, and what the daemon shows."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from balancer.config.history import History
from balancer.config.notify import Notify
from balancer.config.parts import FilePath, Part, PolicyName, Text
from balancer.config.planning import Planning
from balancer.config.record import Record
from balancer.config.serving import Http, Log
from balancer.config.vcenter import VCenter
from balancer.policy.compose import PolicySet, load_policy_set
from balancer.policy.limits_document import PositiveSeconds
from balancer.policy.load import DEFAULT_POLICY
from balancer.policy.mode import Mode


class Cluster(Part):
    """One cluster that is watched, and how far the program acts on it."""

    vcenter: Text
    name: Text
    mode: Mode = Mode.OBSERVE
    policies: tuple[PolicyName, ...] = (DEFAULT_POLICY,)
    interval_s: PositiveSeconds = 300.0
    shortest_interval_s: PositiveSeconds = 60.0


class Journal(Part):
    """Where moves are written down before they are made: an SQLite database.

    `retention_days`: for how long what is over is kept; the audit log is kept for good.
    """

    path: FilePath = Path("/var/lib/balancer/journal.sqlite")
    retention_days: Annotated[int, Field(ge=31, le=3_650)] = 90


class Config(Part):
    """The whole configuration, with paths made absolute or relative to where we are."""

    api_version: Literal["balancer/v1"] = Field(default="balancer/v1", alias="apiVersion")
    kind: Literal["Config"] = "Config"
    vcenters: tuple[VCenter, ...]
    clusters: tuple[Cluster, ...]
    policy_folder: FilePath | None = None
    stop_file: FilePath | None = None
    journal: Journal = Field(default_factory=Journal)
    history: History = Field(default_factory=History)
    planning: Planning = Field(default_factory=Planning)
    http: Http = Field(default_factory=Http)
    notify: Notify = Field(default_factory=Notify)
    record: Record = Field(default_factory=Record)
    log: Log = Field(default_factory=Log)

    @property
    def stop_path(self) -> Path:
        """Return the file whose presence stops everything: by default `stop` beside the journal."""
        return self.stop_file or self.journal.path.with_name("stop")

    @property
    def history_path(self) -> Path:
        """Return where demand over weeks is kept: by default `history.sqlite` beside the journal."""
        return self.history.path or self.journal.path.with_name("history.sqlite")

    @property
    def record_key_path(self) -> Path:
        """Return the file with the key of anonymised recordings: beside the journal, never among them."""
        return self.journal.path.with_name("recording.key")

    def vcenter_of(self, cluster: Cluster) -> VCenter:
        """Return the vCenter that a cluster of this configuration belongs to."""
        return next(vcenter for vcenter in self.vcenters if vcenter.name == cluster.vcenter)

    def policies_of(self, cluster: Cluster) -> PolicySet:
        """Return what the policies of a cluster say together, read anew.

        Raises:
            InputError: a policy file is wrong (it was right when the configuration was loaded).
        """
        return load_policy_set(
            cluster.policies,
            folders=self.policy_folders,
            vcenter=cluster.vcenter,
            cluster=cluster.name,
        )

    @property
    def policy_folders(self) -> tuple[Path, ...]:
        """Return the folders in which policies are looked for first."""
        return (self.policy_folder,) if self.policy_folder else ()
