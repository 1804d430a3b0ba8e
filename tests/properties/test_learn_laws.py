"""Whatever happens and in whatever order it is told: what the breaker and quarantines promise holds."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.store.memory import MemoryStore
from balancer.execute.breaker import is_probing, judged, probe_under_way
from balancer.execute.quarantine import new_quarantines
from balancer.execute.review import review
from balancer.model.errors import StoreError
from balancer.model.host import HostState
from balancer.model.outcome import FailureKind, JournalRow, JournalStep, MoveState
from balancer.model.past import Breaker, Past, Quarantine
from balancer.policy.types import Limits
from tests.support.builders import NOON
from tests.support.journal import begun
from tests.support.rows import HERE, done, failed
from tests.support.searching import examples
from tests.unit.execute.stage import Stage, cluster, host_id, vm_id

LAW = examples(200, derandomize=True)
LIMITS = Limits()
KINDS = tuple(FailureKind)

ends = st.lists(
    st.tuples(
        st.sampled_from((None, None, None, *KINDS)),  # None: it succeeded
        st.integers(1, 4),  # VM
        st.integers(2, 4),  # target
        st.floats(10.0, 40_000.0),  # seconds to the next one
        st.sampled_from(("Timedout", "SystemError", "HostNotConnected")),
    ),
    min_size=1,
    max_size=40,
)


def rows_of(told: list[tuple[FailureKind | None, int, int, float, str]]) -> list[JournalRow]:
    """Return rows that followed each other, the last of which ended at noon."""
    ago_s = sum(gap for _, _, _, gap, _ in told)
    rows = []
    for number, (kind, vm, target, gap_s, fault) in enumerate(told, 1):
        ago_s -= gap_s
        facts = {"ago_s": ago_s, "of": vm, "way": f"1>{target}", "took_s": 5.0}
        if kind is None:
            rows.append(done(number, **facts))  # type: ignore[arg-type]
        else:
            rows.append(failed(number, kind=kind, fault=fault, **facts))  # type: ignore[arg-type]
    return rows


def shuffled(rows: list[JournalRow], seed: int) -> list[JournalRow]:
    mixed = list(rows)
    Random(seed).shuffle(mixed)
    return mixed


@LAW
@given(ends, st.integers())
def test_the_breaker_follows_from_the_rows_alone(
    told: list[tuple[FailureKind | None, int, int, float, str]], seed: int
) -> None:
    rows = rows_of(told)
    whole = judged(Breaker(), rows, LIMITS, now=NOON)
    assert judged(Breaker(), shuffled(rows, seed) + rows, LIMITS, now=NOON) == whole
    assert judged(whole, rows, LIMITS, now=NOON) == whole


class Cluster:
    """A cluster that sends a move wherever the breaker lets it, and remembers every state of the breaker."""

    def __init__(self) -> None:
        self.rows: list[JournalRow] = []
        self.breaker = Breaker()
        self.states = [self.breaker]

    def judge(self, now: datetime) -> None:
        after = judged(self.breaker, self.rows, LIMITS, now=now)
        if after != self.breaker:
            self.states.append(after)
        self.breaker = after

    def may_send(self, now: datetime) -> bool:
        if not self.breaker.is_open:
            return True
        is_free = probe_under_way(self.breaker, self.rows) is None
        return is_probing(self.breaker, now=now) and is_free


@LAW
@given(ends)
def test_levels_never_skip_and_no_stop_is_shorter_than_the_one_before_it(
    told: list[tuple[FailureKind | None, int, int, float, str]],
) -> None:
    place, now = Cluster(), NOON
    for number, (kind, vm, _, gap_s, fault) in enumerate(told, 1):
        now += timedelta(seconds=gap_s)
        place.judge(now)
        if not place.may_send(now):
            continue
        ago_s = -(now - NOON).total_seconds()
        facts = {"ago_s": ago_s, "of": vm, "took_s": 5.0}
        if kind is None:
            place.rows.append(done(number, **facts))  # type: ignore[arg-type]
        else:
            place.rows.append(failed(number, kind=kind, fault=fault, **facts))  # type: ignore[arg-type]
        place.judge(now)
    opened = [one for one in place.states if one.is_open]
    for before, after in zip([Breaker(), *opened], opened, strict=False):
        assert after.level in (1, before.level + 1)
        assert after.since is not None
        assert after.until is not None
        lasts = after.until - after.since
        expected = min(30.0 * 2 ** (after.level - 1), 360.0)
        assert lasts == timedelta(minutes=expected)


@LAW
@given(ends, st.integers(1, 60))
def test_there_is_never_more_than_one_probe_under_way(
    told: list[tuple[FailureKind | None, int, int, float, str]], lasting: int
) -> None:
    """Moves take a while here, so that one may be under way when the next is asked for."""
    place, now = Cluster(), NOON
    for number, (kind, vm, _, gap_s, fault) in enumerate(told, 1):
        now += timedelta(seconds=gap_s)
        for at, row in enumerate(place.rows):
            if row.state.is_open and (now - row.entry.intended_at).total_seconds() > lasting * 60:
                end = MoveState.FAILED if row.kind else MoveState.DONE
                place.rows[at] = replace(row, state=end, ended_at=now)
        place.judge(now)
        if place.may_send(now):
            ago_s = -(now - NOON).total_seconds()
            sent = done(number, ago_s=ago_s, of=vm, took_s=0.0, state=MoveState.SUBMITTED)
            place.rows.append(replace(sent, kind=kind, fault=fault if kind else ""))
        if place.breaker.is_open and place.breaker.until:
            tries = [
                row
                for row in place.rows
                if row.state.is_open
                and row.id > place.breaker.counted_to
                and row.entry.intended_at >= place.breaker.until
            ]
            assert len(tries) <= 1


def quarantines_of(rows: list[JournalRow], kept: tuple[Quarantine, ...]) -> tuple[Quarantine, ...]:
    past = Past(rows=tuple(rows), quarantines=kept)
    return new_quarantines(past, LIMITS, vcenter="vc1", cluster=HERE)


@LAW
@given(ends, st.integers())
def test_quarantines_follow_from_what_is_remembered_alone(
    told: list[tuple[FailureKind | None, int, int, float, str]], seed: int
) -> None:
    rows = rows_of(told)
    whole = quarantines_of(rows, ())
    assert quarantines_of(shuffled(rows, seed), ()) == whole
    assert quarantines_of(rows, whole) == ()


@LAW
@given(ends)
def test_it_does_not_matter_when_quarantines_are_looked_for(
    told: list[tuple[FailureKind | None, int, int, float, str]],
) -> None:
    rows = rows_of(told)
    kept: tuple[Quarantine, ...] = ()
    for count in range(1, len(rows) + 1):
        kept += quarantines_of(rows[:count], kept)
    whole = quarantines_of(rows, ())
    assert sorted(kept, key=str) == sorted(whole, key=str)


@LAW
@given(ends)
def test_levels_of_quarantines_count_from_one_without_a_gap(
    told: list[tuple[FailureKind | None, int, int, float, str]],
) -> None:
    levels: dict[tuple[str, str, str], list[int]] = {}
    for one in quarantines_of(rows_of(told), ()):
        levels.setdefault((one.kind, one.subject, one.reason), []).append(one.level)
    assert all(found == list(range(1, len(found) + 1)) for found in levels.values())


class Mortal(MemoryStore):
    """A memory whose n-th write of what is learnt comes to nothing, as by a crash before it."""

    def __init__(self) -> None:
        super().__init__()
        self.left = -1

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise StoreError("killed")

    def put_quarantine(self, quarantine: Quarantine) -> None:
        self._count()
        super().put_quarantine(quarantine)

    def note_foreign_move(self, move: object) -> None:
        self._count()
        super().note_foreign_move(move)  # type: ignore[arg-type]

    def note_disturbance(self, disturbance: object) -> None:
        self._count()
        super().note_disturbance(disturbance)  # type: ignore[arg-type]

    def keep_hosts(self, vcenter: str, cluster: object, hosts: object) -> None:
        self._count()
        super().keep_hosts(vcenter, cluster, hosts)  # type: ignore[arg-type]

    def put_breaker(self, vcenter: str, cluster: object, breaker: Breaker, *, at: datetime) -> None:
        self._count()
        super().put_breaker(vcenter, cluster, breaker, at=at)  # type: ignore[arg-type]


def look(scene: Stage) -> Past:
    snap = scene.vcenter.snapshot(scene.vcenter.clusters()[0])
    places = {vm.id: vm.host for vm in scene.base.vms}
    return review(snap, scene.policy, scene.tools, asked_at=scene.clock.now(), before=places)


def after_a_bad_time(seed: int, store: MemoryStore) -> Stage:
    """Return a cluster with failures, moves by others and a lost host, of which nobody has learnt yet."""
    random, scene = Random(seed), Stage(base=cluster(vms=6, hosts=4), store=store)
    look(scene)
    for number in range(1, 12):
        scene.clock.sleep(random.uniform(60.0, 600.0))
        of = random.randint(1, 6)
        source = scene.vcenter.truth.vm_by_id[vm_id(of)].host.removeprefix("host-")
        target = random.choice([n for n in "1234" if n != source])
        entry = done(number, of=of, way=f"{source}>{target}", uuid=f"uuid-{of}").entry
        row = begun(store, replace(entry, intended_at=scene.clock.now()))
        scene.clock.sleep(30.0)
        at = scene.clock.now()
        if random.random() < 0.4:
            kind = random.choice(KINDS)
            step = JournalStep(state=MoveState.FAILED, at=at, fault="Timedout", kind=kind)
        else:
            scene.vcenter.put_vm(vm_id(of), host=host_id(int(target)))
            step = JournalStep(state=MoveState.DONE, at=at)
        store.advance(row, step)
    scene.clock.sleep(60.0)
    for of in random.sample(range(1, 7), k=3):
        scene.vcenter.put_vm(vm_id(of), host=host_id(1))
    if random.random() < 0.5:
        scene.vcenter.put_host(host_id(4), HostState.NOT_RESPONDING)
    return scene


def without_numbers(past: Past) -> Past:
    """Return the past as what it says, whatever the order in which it was written."""
    return replace(
        past,
        quarantines=tuple(sorted((replace(q, id=0) for q in past.quarantines), key=str)),
        foreign_moves=tuple(sorted((replace(m, id=0) for m in past.foreign_moves), key=str)),
        disturbances=tuple(sorted((replace(d, id=0) for d in past.disturbances), key=str)),
        verdicts=tuple(sorted((replace(v, id=0) for v in past.verdicts), key=str)),
    )


@examples(15, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_a_crash_between_two_writes_changes_nothing(seed: int, at_write: int) -> None:
    undisturbed, disturbed = MemoryStore(), Mortal()
    expected = look(after_a_bad_time(seed, undisturbed))
    scene = after_a_bad_time(seed, disturbed)
    disturbed.left = at_write
    with suppress(StoreError):
        look(scene)
    disturbed.left = -1
    found = look(scene)
    assert without_numbers(found) == without_numbers(expected)
    since = NOON - timedelta(days=1)
    kept = [store.past("vc1", HERE, since) for store in (undisturbed, disturbed)]
    assert without_numbers(kept[0]) == without_numbers(kept[1])
    assert without_numbers(look(scene)) == without_numbers(found)
