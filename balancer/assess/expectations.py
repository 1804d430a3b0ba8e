"""Whether a plan does what a test of policies expects, and what was found where it does not.

Looks at the whole way, wave by wave, with every move of a wave under way at once: a VM on its way counts on
both hosts. Decides nothing about the plan.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, groupby

from balancer.model.need import Need
from balancer.model.plan import Move, PlanStatus
from balancer.model.rule import Rule
from balancer.model.units import HostId, VmId
from balancer.policy.expectation_types import Expectation, ExpectationKind, Verdict
from balancer.policy.mode import Mode
from balancer.policy.problems import plain
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement
from balancer.rules.violations import offenders

MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Two VMs on one host: at the start (wave 0), or from a wave on that brings one to the other."""

    vms: tuple[VmId, VmId]
    host: HostId
    wave: int


@dataclass(frozen=True, kw_only=True)
class Course:
    """What happens: the need, the policy, its plan's status, and the moves that are made without a person.

    `held` counts the planned moves that are not among `moves`; `mode` is the one in force, and `why` says
    in words where it comes from.
    """

    need: Need
    policy: Policy
    status: PlanStatus
    reason: str
    moves: tuple[Move, ...]
    held: int
    mode: Mode
    why: str

    @cached_property
    def end(self) -> Placement:
        """Return the placement in the end."""
        placement = self._start()
        for move in self.moves:
            placement.move(move.vm, move.target)
        return placement

    def meetings(self, vms: Sequence[VmId]) -> Iterator[Meeting]:
        """Yield each pair of the VMs that shares a host at some time, once, where it first does."""
        placement, seen = self._start(), set()
        waves = [(number, list(moves)) for number, moves in groupby(self.moves, _wave)]
        for wave, moves in [(0, []), *waves]:
            placement.start_all((move.vm, move.target) for move in moves)
            for meeting in _together(placement, vms, wave):
                if meeting.vms not in seen:
                    seen.add(meeting.vms)
                    yield meeting
            for move in moves:
                placement.finish(move.vm)

    def _start(self) -> Placement:
        return Placement(Ground(self.need.snapshot, self.policy, self.need.demand))

    def vm(self, vm: VmId) -> str:
        """Return a VM's name as a message may repeat it."""
        return plain(self.need.snapshot.vm_by_id[vm].name)

    def host(self, host: HostId) -> str:
        """Return a host's name as a message may repeat it."""
        return plain(self.need.snapshot.host_by_id[host].name)


def _wave(move: Move) -> int:
    return move.wave


def _together(placement: Placement, vms: Sequence[VmId], wave: int) -> Iterator[Meeting]:
    group = frozenset(vms)
    for host, present in placement.present.items():
        for first, second in combinations(sorted(group & present), 2):
            yield Meeting(vms=(first, second), host=host, wave=wave)


def judge(course: Course, expectations: Iterable[Expectation]) -> tuple[Verdict, ...]:
    """Return one verdict for each expectation, in their order."""
    return tuple(_judge(course, expectation) for expectation in expectations)


def _judge(course: Course, expectation: Expectation) -> Verdict:
    is_met, found = _FINDERS[expectation.kind](course, expectation)
    return Verdict(
        expectation=expectation,
        expected=expected_words(course, expectation),
        found=found,
        is_met=is_met,
    )


Found = tuple[bool, str]


def _no_moves(course: Course, _expectation: Expectation) -> Found:
    return not course.moves, _moves_words(course)


def _at_most(course: Course, expectation: Expectation) -> Found:
    return len(course.moves) <= expectation.count, _moves_words(course)


def _at_least(course: Course, expectation: Expectation) -> Found:
    return len(course.moves) >= expectation.count, _moves_words(course)


def _moves_words(course: Course) -> str:
    made = [
        f"{plain(move.vm_name)} to {course.host(move.target)} ({move.reason.word})"
        for move in course.moves
    ]
    words = f"{_counted(len(made), 'move')}: {_listed(made)}" if made else "no moves"
    if course.held:
        words += f"; {_counted(course.held, 'planned move')} held back, mode {course.mode} ({course.why})"
    return words


def _never_share(course: Course, expectation: Expectation) -> Found:
    at_the_start: set[tuple[VmId, VmId]] = set()
    for meeting in course.meetings(expectation.vms):
        if meeting.wave:
            return False, f"{_meeting_words(course, meeting)} in wave {meeting.wave}"
        at_the_start.add(meeting.vms)
    for meeting in _together(course.end, expectation.vms, 0):
        return False, f"{_meeting_words(course, meeting)} still, as at the start"
    if at_the_start:
        return (
            True,
            f"apart in the end; {_counted(len(at_the_start), 'pair')} stood together at the start",
        )
    return True, "apart all the time"


def _meeting_words(course: Course, meeting: Meeting) -> str:
    names = " and ".join(map(course.vm, meeting.vms))
    return f"{names} share {course.host(meeting.host)}"


def _share(course: Course, expectation: Expectation) -> Found:
    places = _places(course, expectation.vms)
    if len(places) == 1:
        return True, f"all on {course.host(next(iter(places)))}"
    return False, "; ".join(_place_words(course, places))


def _places(course: Course, vms: Iterable[VmId]) -> Mapping[HostId, list[VmId]]:
    places: dict[HostId, list[VmId]] = {}
    for vm in vms:
        places.setdefault(course.end.host_of[vm], []).append(vm)
    return places


def _place_words(course: Course, places: Mapping[HostId, list[VmId]]) -> Iterator[str]:
    for host, vms in places.items():
        yield f"{_listed(list(map(course.vm, vms)), 'and')} on {course.host(host)}"


def _empty(course: Course, expectation: Expectation) -> Found:
    full = {host: sorted(course.end.present[host]) for host in expectation.hosts}
    full = {host: vms for host, vms in full.items() if vms}
    if not full:
        return True, "no VM runs there"
    return False, "; ".join(_place_words(course, full))


def _runs_on(course: Course, expectation: Expectation) -> Found:
    wrong = [vm for vm in expectation.vms if course.end.host_of[vm] not in expectation.hosts]
    places = _places(course, wrong or expectation.vms)
    return not wrong, "; ".join(list(_place_words(course, places))[:MOST_NAMED])


def _stay(course: Course, expectation: Expectation) -> Found:
    group = frozenset(expectation.vms)
    moved = [
        f"{plain(move.vm_name)} goes to {course.host(move.target)} ({move.reason.word})"
        for move in course.moves
        if move.vm in group
    ]
    return (False, _listed(moved)) if moved else (True, "none of them moves")


def _status(course: Course, expectation: Expectation) -> Found:
    reason = f": {plain(course.reason)}" if course.reason else ""
    return course.status is expectation.status, f"{course.status}{reason}"


def _holds(course: Course, expectation: Expectation) -> Found:
    rules = [r for r in course.need.snapshot.active_rules() if r.name == expectation.rule]
    broken = [words for rule in rules for words in _broken(course, rule)]
    return (False, f"broken by {_listed(broken)}") if broken else (True, "holds")


def _broken(course: Course, rule: Rule) -> list[str]:
    return [
        f"{course.vm(vm)} on {course.host(course.end.host_of[vm])}"
        for vm in offenders(course.end, rule)
    ]


def _mode(course: Course, expectation: Expectation) -> Found:
    return course.mode is expectation.mode, f"{course.mode} ({course.why})"


_FINDERS = {
    ExpectationKind.NO_MOVES: _no_moves,
    ExpectationKind.MOVES_AT_MOST: _at_most,
    ExpectationKind.MOVES_AT_LEAST: _at_least,
    ExpectationKind.NEVER_SHARE_HOST: _never_share,
    ExpectationKind.SHARE_HOST: _share,
    ExpectationKind.EMPTY: _empty,
    ExpectationKind.RUNS_ON: _runs_on,
    ExpectationKind.STAY: _stay,
    ExpectationKind.STATUS: _status,
    ExpectationKind.RULE_HOLDS: _holds,
    ExpectationKind.MODE: _mode,
}


def expected_words(course: Course, expectation: Expectation) -> str:
    """Return an expectation in words."""
    vms = _listed(list(map(course.vm, expectation.vms)), "and")
    hosts = _listed(list(map(course.host, expectation.hosts)), "or")
    words = {
        ExpectationKind.NO_MOVES: "no moves",
        ExpectationKind.MOVES_AT_MOST: f"at most {_counted(expectation.count, 'move')}",
        ExpectationKind.MOVES_AT_LEAST: f"at least {_counted(expectation.count, 'move')}",
        ExpectationKind.NEVER_SHARE_HOST: f"{vms} never share a host",
        ExpectationKind.SHARE_HOST: f"{vms} share a host",
        ExpectationKind.EMPTY: f"{hosts.replace(' or ', ' and ')} empty",
        ExpectationKind.RUNS_ON: f"{vms} on {hosts}",
        ExpectationKind.STAY: f"{vms} stay",
        ExpectationKind.STATUS: f"status {expectation.status}",
        ExpectationKind.RULE_HOLDS: f"rule '{plain(expectation.rule)}' holds",
        ExpectationKind.MODE: f"mode {expectation.mode} in force",
    }
    return words[expectation.kind]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(names: Sequence[str], word: str = "") -> str:
    """Return names with commas, the first few where there are many."""
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED:,} more"
    if word and len(names) > 1:
        return f"{', '.join(names[:-1])} {word} {names[-1]}"
    return ", ".join(names)
