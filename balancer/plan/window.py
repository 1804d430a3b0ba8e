"""A few hosts and the units on them as a CP-SAT model: where may each unit be, so that every law holds.

The one place in which sizes become integers: sixteenths of a MiB and of a MHz, units rounded up and
room rounded down, so that a host may be left emptier than need be by one sixteenth per unit and is never
overfilled. What is not in the window stays where it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from balancer.plan.codes import Bools, Floats
from balancer.plan.desk import Desk
from balancer.plan.problem import LIMITED, LIMITED_FOR_LOAD, Group

if TYPE_CHECKING:
    from balancer.solver.model import Model, Var

SCALE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hosts, the units that may move among them, and where each may be: `reach` is (units, hosts of the window).

    A unit whose present host is outside of the window must come in; all others are in it already.
    """

    hosts: tuple[int, ...]
    units: tuple[tuple[int, ...], ...]
    reach: Bools
    is_mandatory: bool


Seats = Mapping[tuple[int, int], "Var"]
"""One boolean per unit and host of the window that it may be on."""


def seats_of(model: "Model", desk: Desk, window: Window) -> Seats:
    """Add the variables and every law to the model; return who may sit where."""
    seats = {
        (unit, place): model.new_bool_var(f"x{unit},{place}")
        for unit in range(len(window.units))
        for place in range(len(window.hosts))
        if window.reach[unit, place]
    }
    for unit in range(len(window.units)):
        model.add_exactly_one(
            seats[unit, place] for place in range(len(window.hosts)) if (unit, place) in seats
        )
    for place, host in enumerate(window.hosts):
        _add_room(model, desk, window, seats, place)
        _add_groups(model, desk, window, seats, host)
    return seats


def hint(model: "Model", desk: Desk, window: Window, seats: Seats) -> None:
    """Tell the model the present placement as a start."""
    for (unit, place), seat in seats.items():
        model.add_hint(seat, int(sits(desk, window.units[unit], window.hosts[place])))


def sits(desk: Desk, members: Sequence[int], host: int) -> bool:
    """Whether all the VMs stand on a host."""
    return bool((desk.ledger.at[list(members)] == host).all())


def rest_on(desk: Desk, window: Window, host: int) -> Floats:
    """Return what a host holds apart from the window's units, by column."""
    rest = desk.ledger.held_on(host)
    for members in window.units:
        here = [vm for vm in members if desk.ledger.at[vm] == host]
        rest -= desk.problem.size[here].sum(axis=0)
    return rest


def _add_room(model: "Model", desk: Desk, window: Window, seats: Seats, place: int) -> None:
    """Add the ceilings of one host; one that is above a ceiling already takes nobody new."""
    host = window.hosts[place]
    rest = rest_on(desk, window, host)
    limits = desk.problem.ceilings(is_mandatory=window.is_mandatory)[host]
    columns = LIMITED if window.is_mandatory else LIMITED_FOR_LOAD
    sizes = np.array([desk.problem.size[list(unit)].sum(axis=0) for unit in window.units])
    present = np.array([sits(desk, unit, host) for unit in window.units], dtype=bool)
    for column in columns:
        if np.isinf(limits[column]):
            continue
        whole = np.ceil(sizes[:, column] * SCALE).astype(np.int64)
        room = int(np.floor((limits[column] - rest[column]) * SCALE))
        if rest[column] + sizes[present, column].sum() > limits[column]:
            _keep_out(model, seats, np.flatnonzero(~present & (whole > 0)).tolist(), place)
            continue
        room = max(room, int(whole[present].sum()))
        terms = [seats[u, place] * int(whole[u]) for u in range(len(whole)) if (u, place) in seats]
        if terms:
            model.add(sum(terms) <= room)


def _add_groups(model: "Model", desk: Desk, window: Window, seats: Seats, host: int) -> None:
    """Limit the members of each kept-apart group on a host, or in its domain if it is the first one of that."""
    inside: dict[int, list[int]] = {}
    for unit, members in enumerate(window.units):
        for vm in members:
            for group in desk.problem.apart_of.get(vm, ()):
                inside.setdefault(group, []).append(unit)
    for number, units in sorted(inside.items()):
        places = _places(window, desk.problem.apart[number], host)
        if window.hosts[places[0]] == host:
            _add_group(model, desk, window, seats, _Crowd(number, tuple(units), places))


class _Crowd(NamedTuple):
    """A group, the units that have members of it (once for each), and the places that count as one."""

    number: int
    units: tuple[int, ...]
    places: tuple[int, ...]


def _places(window: Window, group: Group, host: int) -> tuple[int, ...]:
    """Return the places of the window's hosts that count as one with a host, ascending."""
    domain = group.domain
    if domain is None:
        return (window.hosts.index(host),)
    return tuple(row for row, other in enumerate(window.hosts) if domain[other] == domain[host])


def _add_group(model: "Model", desk: Desk, window: Window, seats: Seats, crowd: _Crowd) -> None:
    """Let only so many members be there as the rule says; a crowded host or domain gets no other."""
    group, at = desk.problem.apart[crowd.number], desk.ledger.at
    first = window.hosts[crowd.places[0]]
    inside = np.zeros(len(desk.problem.hosts), dtype=bool)
    inside[group.beside(first)] = True
    here = [unit for unit in crowd.units if inside[at[list(window.units[unit])]].all()]
    movable = {vm for u in crowd.units for vm in window.units[u]} & set(group.members)
    fixed = int(desk.ledger.crowd[crowd.number, first]) - int(inside[at[sorted(movable)]].sum())
    room = group.rule.most - fixed
    if len(here) > room or room < 1:
        newcomers = [unit for unit in crowd.units if unit not in here]
        for place in crowd.places:
            _keep_out(model, seats, newcomers, place)
        return
    taken = [seats[u, p] for u in crowd.units for p in crowd.places if (u, p) in seats]
    if room == 1:
        model.add_at_most_one(taken)
    elif len(taken) > room:
        model.add(sum(taken) <= room)


def _keep_out(model: "Model", seats: Seats, units: Sequence[int], place: int) -> None:
    for unit in units:
        if (unit, place) in seats:
            model.add(seats[unit, place] == 0)
