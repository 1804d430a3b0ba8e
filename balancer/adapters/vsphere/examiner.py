"""One vCenter looked over from outside in: certificate, login, clock, rights, clusters, vMotion set-up.

Owns the order of the looks and what becomes of one that fails: it is `Unread` with the reason, and those
that do not need it are made all the same. Reads only, judges nothing; `assess.doctor` does. Used by
`balancer doctor` and `balancer evc`.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from pyVmomi import vim
from pyVmomi.VmomiSupport import versionIdMap

from balancer.adapters.vsphere.accounts import Accounts
from balancer.adapters.vsphere.certificate import shown_certificate
from balancer.adapters.vsphere.facts import in_utc
from balancer.adapters.vsphere.guard import LoginGuard
from balancer.adapters.vsphere.inventory import VsphereInventory
from balancer.adapters.vsphere.observer import Unobserved
from balancer.adapters.vsphere.reading import ReadClient
from balancer.adapters.vsphere.rights import Place, rights_on
from balancer.adapters.vsphere.session import Opened, Session
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.setup import setups_of
from balancer.adapters.vsphere.wording import source_error
from balancer.collect.cluster_choice import find_cluster
from balancer.model.checkup import (
    Certificate,
    Checkup,
    ClockReading,
    ClusterFacts,
    ObjectKind,
    Rights,
    Server,
    Unread,
    VmotionSetup,
)
from balancer.model.errors import BalancerError, SourceError
from balancer.model.privileges import Role, needed_ids
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId

MOST_SAMPLES = 24
"""VMs of different folders and pools that are asked for every privilege there is."""

_NO_LOGIN = Unread("there was no login", is_consequence=True)

_SENTENCES = re.compile(r"(?P<why>.+?)\. (?P<mend>[A-Z].+)")

T = TypeVar("T")


@contextmanager
def examiner(
    settings: VsphereSettings, *, accounts: Accounts | None = None
) -> Iterator["Examiner"]:
    """Give an examiner of one vCenter; leaving the block logs out. `accounts` is one for several."""
    looker = Examiner(settings, accounts=accounts)
    try:
        yield looker
    finally:
        looker.close()


class Examiner:
    """Looks a vCenter over, with a session of its own."""

    def __init__(
        self,
        settings: VsphereSettings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(tz=UTC),
        accounts: Accounts | None = None,
    ) -> None:
        self._settings = settings
        self._now = now
        self._session = Session(
            settings,
            guard=LoginGuard(accounts=accounts),
            observer=Unobserved(),
            timeout_s=settings.read_timeout_s,
        )
        self._client = ReadClient(self._session)
        self._inventory = VsphereInventory(self._session, observer=Unobserved())

    def checkup(self, clusters: Sequence[str]) -> Checkup:
        """Look everything over, with the named clusters. Raises nothing that a vCenter can cause."""
        certificate = self._certificate()
        blank = Checkup(
            vcenter=self._settings.name,
            address=self._settings.where,
            user=self._settings.username,
            certificate=certificate,
            server=_NO_LOGIN,
            clock=_NO_LOGIN,
            cluster_names=_NO_LOGIN,
            rights=_NO_LOGIN,
            clusters=tuple(
                ClusterFacts(name=name, snapshot=_NO_LOGIN, setups=_NO_LOGIN) for name in clusters
            ),
        )
        server = self._server(certificate)
        if isinstance(server, Unread):
            return replace(blank, server=server)
        facts = tuple(self._cluster(name) for name in clusters)
        return replace(
            blank,
            server=server,
            clock=self._tried(self._clock),
            cluster_names=self._tried(lambda: tuple(c.name for c in self._inventory.clusters())),
            rights=self._tried(lambda: self._rights(facts)),
            clusters=facts,
        )

    def snapshot(self, cluster: str) -> Snapshot:
        """Read a cluster.

        Raises:
            SourceError: the vCenter cannot be asked, or does not show the cluster.
        """
        return self._inventory.snapshot(find_cluster(self._inventory, cluster))

    def close(self) -> None:
        """Log out; never fails."""
        self._session.close()

    def _tried(self, read: Callable[[], T]) -> T | Unread:
        try:
            return read()
        except SourceError as err:
            return unread(err, self._settings)

    def _certificate(self) -> Certificate | Unread:
        try:
            return shown_certificate(self._settings)
        except OSError as err:
            return unread(source_error(self._settings, "connect", err), self._settings)

    def _server(self, certificate: Certificate | Unread) -> Server | Unread:
        """Log in, unless it is known that nobody answers whom we may tell a password."""
        if isinstance(certificate, Unread):
            return Unread("there was no connection", is_consequence=True)
        if certificate.refused:
            return Unread("the certificate is not trusted", is_consequence=True)

        def read(opened: Opened) -> Server:
            about = opened.content.about
            negotiated = str(versionIdMap[opened.version])
            return Server(
                product=about.fullName, api_version=about.apiVersion, negotiated=negotiated
            )

        return self._tried(lambda: self._client.run("log in", read))

    def _clock(self) -> ClockReading:
        def read(opened: Opened) -> ClockReading:
            before = self._now()
            theirs = in_utc(opened.service().CurrentTime())
            after = self._now()
            half = (after - before) / 2
            return ClockReading(
                ahead_s=(theirs - (before + half)).total_seconds(),
                uncertain_s=half.total_seconds(),
            )

        return self._client.run("read the clock", read)

    def _cluster(self, name: str) -> ClusterFacts:
        snapshot = self._tried(
            lambda: self._inventory.snapshot(find_cluster(self._inventory, name))
        )
        if isinstance(snapshot, Unread):
            return ClusterFacts(name=name, snapshot=snapshot, setups=snapshot)
        key = snapshot.cluster.id
        return ClusterFacts(
            name=name, snapshot=snapshot, setups=self._tried(lambda: self._setups(key))
        )

    def _setups(self, cluster: ClusterId) -> tuple[VmotionSetup, ...]:
        size = self._settings.page_size
        return self._client.run(
            "read the vMotion set-up of the hosts",
            lambda opened: setups_of(opened, cluster, page_size=size),
        )

    def _rights(self, clusters: Sequence[ClusterFacts]) -> Rights:
        return self._client.run(
            "read the account's privileges",
            lambda opened: rights_on(opened, _places(opened, clusters), needed_ids(Role.EXECUTOR)),
        )


def unread(err: BalancerError, settings: VsphereSettings) -> Unread:
    """Return what a failed read leaves: why, and what to do, taken from the error's paragraph."""
    text = " ".join(str(err).split())
    _, _, told = text.partition(f" at vCenter {settings.name} ({settings.where}) as ")
    who = f"{settings.username}: "  # a name may hold a colon itself
    said = told.removeprefix(who) if told.startswith(who) else told.partition(": ")[2]
    found = _SENTENCES.fullmatch(said)
    return Unread(found["why"], found["mend"]) if found else Unread(text)


def _places(opened: Opened, clusters: Sequence[ClusterFacts]) -> list[Place]:
    """Return the objects to ask about: the root, clusters, hosts and VMs, a sample of these in full."""
    root = opened.content.rootFolder
    places = [Place(kind=ObjectKind.ROOT, name="of the vCenter", ref=root, in_full=True)]
    for facts in clusters:
        if isinstance(facts.snapshot, Snapshot):
            places += _places_in(opened, facts.name, facts.snapshot)
    return places


def _places_in(opened: Opened, cluster: str, snapshot: Snapshot) -> Iterator[Place]:
    yield Place(
        kind=ObjectKind.CLUSTER,
        name=snapshot.cluster.name,
        ref=vim.ClusterComputeResource(snapshot.cluster.id, opened.stub),
        cluster=cluster,
        in_full=True,
    )
    for host in snapshot.hosts:
        ref = vim.HostSystem(host.id, opened.stub)
        yield Place(kind=ObjectKind.HOST, name=host.name, ref=ref, cluster=cluster)
    samples = {(vm.folder, vm.resource_pool): vm.id for vm in reversed(snapshot.vms)}
    chosen = frozenset(sorted(samples.values())[:MOST_SAMPLES])
    for vm in snapshot.vms:
        yield Place(
            kind=ObjectKind.VM,
            name=vm.name,
            ref=vim.VirtualMachine(vm.id, opened.stub),
            cluster=cluster,
            in_full=vm.id in chosen,
        )
