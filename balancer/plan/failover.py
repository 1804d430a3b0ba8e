"""Keep host failures survivable: take back optional moves until the plan loses nothing that HA had.

The planner's form of `rules.failover`, over arrays: first a test that accepts nearly always, then placing
largest first as the judge does. Runs last in a round; a mandatory move is never taken back.
"""

from dataclasses import replace

import numpy as np

from balancer.model.need import Need
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.vm import Blocker
from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.desk import Desk
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import LEAST_GAIN, load_cost
from balancer.plan.problem import CPU_RESERVED, FOOTPRINT, MEMORY_RESERVED, Problem
from balancer.plan.product import product
from balancer.rules.capacity import SLACK
from balancer.rules.failover import failures_to_tolerate

HELD = (FOOTPRINT, CPU_RESERVED, MEMORY_RESERVED)

MOST_TRIALS = 16
"""How many moves are tried as the one that mends something, before simply the least useful are taken back."""

FEW_LOST = 4
"""Only of so few lost failures each is worth a search for the move that mends it."""

AT_ONCE = 8
"""Otherwise this part of the moves is taken back at once, so that hundreds take no minutes."""


class Failover:
    """Which host failures a placement survives; hosts that are `spare` (H,) start no VM again."""

    def __init__(self, problem: Problem, spare: Bools | None = None) -> None:
        snapshot = problem.need.snapshot
        self._hosts = len(problem.hosts)
        self._serving = np.flatnonzero(problem.serving)
        self.count = failures_to_tolerate(snapshot)
        self._takes = np.array([host.takes for host in problem.hosts], dtype=bool)
        if spare is not None:
            self._takes &= ~spare
        cpu, memory = problem.capacity[:, 0], problem.capacity[:, 1]
        self._usable: Floats = np.column_stack((memory, cpu, memory)) + SLACK
        self._size: Floats = problem.size[:, list(HELD)]
        agents = [Blocker.AGENT_VM in vm.blockers for vm in problem.vms]
        self._restarts: Bools = ~np.array(agents, dtype=bool)
        self._bound = _bound(problem)
        keys = (*(-self._size[:, column] for column in (2, 1, 0)),)
        self._order: Ints = np.lexsort((np.arange(len(self._size)), *keys))

    def lost(self, at: Ints) -> Bools:
        """Return the hosts whose failure is not survived, (H,): see `rules.failover.losses`."""
        lost = np.zeros(self._hosts, dtype=bool)
        if not self.count or not len(self._serving):
            return lost
        held = self._sums(at, self._size)
        fails, left = self._sets(held[:, 0]), self._usable - held
        doubtful = np.flatnonzero(~self._surely(at, fails, left)).tolist()
        ranked_at = at[self._order]
        ranked_at[~self._restarts[self._order]] = self._hosts
        for row in doubtful:
            waiting = self._order[np.append(fails[row], False)[ranked_at]].tolist()
            lost[self._serving[row]] = not self._fits(waiting, fails[row], left)
        return lost

    def _sets(self, held: Floats) -> Bools:
        """Return the hosts that fail together with each serving host, (serving, H)."""
        fails = np.zeros((len(self._serving), self._hosts), dtype=bool)
        fullest = self._serving[np.argsort(-held[self._serving], kind="stable")][
            : self.count
        ].tolist()
        for row, host in enumerate(self._serving.tolist()):
            others = [other for other in fullest if other != host]
            fails[row, [host, *others[: self.count - 1]]] = True
        return fails

    def _surely(self, at: Ints, fails: Bools, left: Floats) -> Bools:
        """Return for which sets there is room in any order, (serving,): see `rules.failover`."""
        restarted = self._sums(at, self._size * self._restarts[:, None])
        largest = np.zeros(self._hosts)
        np.maximum.at(largest, at[self._restarts], self._size[self._restarts, 0])
        most = np.where(fails, largest, 0.0).max(axis=1)
        is_bound = np.zeros(self._hosts, dtype=bool)
        is_bound[at[list(self._bound)]] = True
        surely = _holds_all(product(fails, restarted), most, self._takes & ~fails, left)
        result: Bools = surely & ~(fails & is_bound).any(axis=1)
        return result

    def _fits(self, waiting: list[int], fails: Bools, left: Floats) -> bool:
        """Whether the VMs of one set find hosts: bound ones first, then largest first."""
        left, takes = left.copy(), self._takes & ~fails
        bound = [vm for vm in waiting if vm in self._bound]
        free = [vm for vm in waiting if vm not in self._bound]
        if not all(self._seat(vm, takes & self._bound[vm], left) for vm in bound):
            return False
        size = self._size[free]
        most = size[:, 0].max(axis=0, initial=0.0)
        if _holds_all(size.sum(axis=0), most, takes, left):
            return True
        return all(self._seat(vm, takes, left) for vm in free)

    def _seat(self, vm: int, takes: Bools, left: Floats) -> bool:
        """Place a VM on the first host that has room for it."""
        size = self._size[vm]
        fits = takes & (size[0] <= left[:, 0])
        fits &= (size[1:] <= np.maximum(left[:, 1:], 0.0)).all(axis=1)
        host = int(np.argmax(fits))
        left[host] -= size * fits[host]
        return bool(fits[host])

    def _sums(self, at: Ints, size: Floats) -> Floats:
        sums = [np.bincount(at, weights=part, minlength=self._hosts) for part in size.T]
        return np.array(sums, dtype=np.float64).reshape(len(HELD), self._hosts).T


def _holds_all(total: Floats, most: Floats, takes: Bools, left: Floats) -> Bools:
    """Whether all fit in any order: (..., 3) in all, of which none holds more than `most`; gives (...)."""
    calm = (total[..., None, 1:] <= np.maximum(left[:, 1:], 0.0)).all(axis=-1)
    room = np.maximum(left[:, 0] - np.asarray(most)[..., None], 0.0) * (takes & calm)
    result: Bools = total[..., 0] <= room.sum(axis=-1)
    return result


def keep_survivable(desk: Desk, start: Ints) -> bool:
    """Take optional moves since `start` back until no failure is lost but by mandatory moves.

    The one that mends most, else the one of least use, first. False where that is not enough, because
    a VM may not go back to where it was.
    """
    chosen = _by_choice(desk, start)
    if not chosen or not failures_to_tolerate(desk.problem.need.snapshot):
        return True
    check = Failover(desk.problem)
    mandatory = desk.ledger.at.copy()
    mandatory[chosen] = start[chosen]
    allowed = check.lost(start) | check.lost(mandatory)
    is_bare = bool((mandatory == start).all())
    while _is_unsound(desk, check, allowed, start if is_bare else None):
        units = _least_useful(desk, check, allowed, start)
        if not units:
            return False
        for unit in units:
            if _fits_home(desk, unit, int(start[unit[0]])):
                desk.ledger.move(unit, int(start[unit[0]]))
                desk.taken_back.add(unit)
    desk.forget_the_unmoved()
    return True


def only_mandatory(need: Need) -> Need:
    """Return a need in which nothing moves by choice: the way out where moves cannot be taken back."""
    why = Refusal.of(Reason.FAILOVER_CAPACITY, "only what must move does, so that a host may fail")
    return replace(need, holds=need.holds.without_choice(need.demand, why))


def _is_unsound(desk: Desk, check: Failover, allowed: Bools, start: Ints | None) -> bool:
    """Whether a failure is lost, or what is left of the moves is worse than none of them."""
    if (check.lost(desk.ledger.at) & ~allowed).any():
        return True
    if start is None or not desk.taken_back:
        return False
    before = Ledger(desk.problem, start)
    return _objective(desk, desk.ledger) > _objective(desk, before) + LEAST_GAIN


def _objective(desk: Desk, ledger: Ledger) -> float:
    return load_cost(ledger).total(ledger) + desk.should.price * desk.should.broken(ledger)


def _by_choice(desk: Desk, start: Ints) -> list[int]:
    """Return the VMs that moved since `start` for no mandatory reason, ascending.

    One that came back to where the snapshot has it has no note any more.
    """
    moved = np.flatnonzero(desk.ledger.at != start).tolist()
    musts = {vm for vm, note in desk.notes.items() if note.reason.is_mandatory}
    return [vm for vm in moved if vm not in musts]


def _may_return(desk: Desk, start: Ints) -> list[tuple[int, ...]]:
    """Return the units that moved as one for no mandatory reason and may go back, ascending."""
    chosen = set(_by_choice(desk, start))
    found = []
    for members in sorted({desk.together(vm) for vm in chosen}):
        home = int(start[members[0]])
        is_whole = chosen.issuperset(members) and (start[list(members)] == home).all()
        if is_whole and _fits_home(desk, members, home):
            found.append(members)
    return found


def _fits_home(desk: Desk, members: tuple[int, ...], home: int) -> bool:
    return not desk.codes(members, is_mandatory=False)[home]


def _least_useful(
    desk: Desk, check: Failover, allowed: Bools, start: Ints
) -> list[tuple[int, ...]]:
    """Return what to take back: a unit that mends, else some of the least use; none where none may go back."""
    lost = check.lost(desk.ledger.at) & ~allowed
    trial, ranked = desk.ledger.copy(), []
    for members in _may_return(desk, start):
        away = int(trial.at[members[0]])
        trial.move(members, int(start[members[0]]))
        ranked.append((not lost[away], _objective(desk, trial), members))
        trial.move(members, away)
    ranked.sort()
    for _, _, members in ranked[:MOST_TRIALS] if lost.sum() <= FEW_LOST else ():
        at = desk.ledger.at.copy()
        at[list(members)] = start[members[0]]
        if (check.lost(at) & ~allowed).sum() < lost.sum():
            return [members]
    return [members for _, _, members in ranked[: 1 + len(ranked) // AT_ONCE]]


def refusals(desk: Desk) -> tuple[Refusal, ...]:
    """Return a refusal for each VM that was taken back and does not move after all."""
    problem = desk.problem
    vms = sorted({vm for unit in desk.taken_back for vm in unit})
    stays = [problem.vms[vm] for vm in vms if desk.ledger.at[vm] == problem.at[vm]]
    detail = "its move would leave too little spare memory for the failure of a host"
    return tuple(
        Refusal.of(Reason.FAILOVER_CAPACITY, f"{vm.name}: {detail}", vm=vm.id) for vm in stays
    )


def _bound(problem: Problem) -> dict[int, Bools]:
    """Return the hosts that VM-host must-rules leave to each VM that has any."""
    kinds = (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE)
    found = {}
    for vm_id, rules in problem.ground.must_rules_of.items():
        binding = [rule for rule in rules if rule.type in kinds]
        if binding and vm_id in problem.vm_at:
            allows = [all(r.allows_host(h.id) for r in binding) for h in problem.hosts]
            found[problem.vm_at[vm_id]] = np.array(allows, dtype=bool)
    return found
