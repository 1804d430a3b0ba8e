"""From what a person types to the VM or host that is meant: by id, by name, by a host's name without domain."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from balancer.model.errors import BalancerError, NotFound
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.problems import nearest, plain

MOST_NAMED = 8

Id = TypeVar("Id", bound=str)


class Named(Protocol):
    """A VM or a host."""

    @property
    def name(self) -> str:
        """Its display name."""


def find_vm(snapshot: Snapshot, wanted: str) -> VmId:
    """Return the VM that is meant.

    Raises:
        NotFound: none fits; the message names the nearest.
        BalancerError: several fit; it names all.
    """
    return _found("VM", wanted, snapshot.vm_by_id, by_short_name=False)


def find_host(snapshot: Snapshot, wanted: str) -> HostId:
    """Return the host that is meant; a name may be given without its domain. Raises as `find_vm`."""
    return _found("host", wanted, snapshot.host_by_id, by_short_name=True)


def _found(kind: str, wanted: str, known: Mapping[Id, Named], *, by_short_name: bool) -> Id:
    for fitting in _candidates(wanted, known, by_short_name=by_short_name):
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            ids = ", ".join(sorted(fitting)[:MOST_NAMED])
            more = f" and {len(fitting) - MOST_NAMED} more" if len(fitting) > MOST_NAMED else ""
            raise BalancerError(
                f"'{plain(wanted)}' names {len(fitting)} {kind}s. Name one by its id: {ids}{more}."
            )
    names = {plain(one.name) for one in known.values()} | set(known)
    raise NotFound(
        f"There is no {kind} '{plain(wanted)}' among the {len(known):,} of the snapshot. "
        f"{nearest(wanted, names).capitalize()}".rstrip()
    )


def _candidates(
    wanted: str, known: Mapping[Id, Named], *, by_short_name: bool
) -> Iterable[list[Id]]:
    """Yield what fits, the strictest reading first."""
    yield [key for key in known if key == wanted]
    yield [key for key, one in known.items() if one.name.strip() == wanted.strip()]
    folded = wanted.strip().casefold()
    yield [key for key, one in known.items() if one.name.strip().casefold() == folded]
    if by_short_name:
        short = [(key, one.name.strip().casefold().partition(".")[0]) for key, one in known.items()]
        yield [key for key, name in short if name == folded]
