"""The answer of a what-if as text for a terminal: the verdict first, then why, the cost, and the hosts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from balancer.expose.figures import counted, duration, gibibytes, listed, percent
from balancer.expose.text_layout import Paper, Tone, capped, fit, fit_right, widest
from balancer.lab.whatif import Answer, Cost, HostChange, Left, Load, Room
from balancer.lab.whatif_seats import Unplaced
from balancer.model.plan import Conflict
from balancer.model.reasons import Refusal
from balancer.policy.load import DEFAULT_POLICY
from balancer.rules.failover import Loss

MOST_LINES = 40
"""Lines of one list at most; the document has all."""

_NAMES = 8
_COLUMN = 12
_LABEL = 17


def what_if_text(answer: Answer, paper: Paper) -> str:
    """Return the whole answer."""
    lines = [
        paper.paint(f"What if: cluster {paper.safe(answer.plan.cluster_name)}", Tone.TITLE),
        *(line for told in answer.change.told for line in paper.wrap(told, "    ", "  ")),
        *(
            []
            if answer.change.told
            else [f"  nothing changed but the policy, {DEFAULT_POLICY} before"]
        ),
        "",
        *_verdict(answer, paper),
        "",
        *_costs(answer, paper),
        "",
        *_hosts(answer.hosts, paper),
        "",
        *_rest(answer, paper),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _verdict(answer: Answer, paper: Paper) -> list[str]:
    if answer.fits:
        return [paper.paint("It fits.", Tone.GOOD)]
    found: list[str] = []
    for told in _misfits(answer):
        found += paper.wrap(told, "    ", "  ")
    return [paper.paint("It does not fit.", Tone.BAD), *capped(found, MOST_LINES)]


def _misfits(answer: Answer) -> Iterator[str]:
    yield from unplaced_words(answer.unplaced)
    yield from map(_conflict, answer.conflicts)
    named = {vm for conflict in answer.conflicts for vm in conflict.vms}
    yield from (_left(left, answer) for left in answer.left if left.vm not in named)
    if answer.unmet_cpu_mhz:
        mhz = f"{answer.unmet_cpu_mhz:,.0f} MHz"
        yield f"{mhz} of CPU demand find no processor time, more than {_without(answer)}"


def unplaced_words(unplaced: Sequence[Unplaced]) -> Iterator[str]:
    """Return sentences for VMs that find no host, those together that are refused alike."""
    alike: dict[tuple[object, ...], list[Unplaced]] = defaultdict(list)
    for vm in unplaced:
        alike[tuple((refusal.reason, refusal.count) for refusal in vm.why)].append(vm)
    return map(_unplaced, alike.values())


def _unplaced(vms: Sequence[Unplaced]) -> str:
    """Return VMs that the same number of hosts refuse for the same reasons; the first has the facts."""
    names = listed([vm.name for vm in vms], _NAMES)
    verb = "finds" if len(vms) == 1 else "find"
    count = "" if len(vms) == 1 else f"{len(vms):,} VMs: "
    why = "; ".join(map(_refusal, vms[0].why)) or "no host takes VMs"
    return f"{count}{names} {verb} no host: {why}"


def _refusal(refusal: Refusal) -> str:
    hosts = f" (and {counted(refusal.count - 1, 'host')} alike)" if refusal.count > 1 else ""
    return f"{refusal.told}{hosts}"


def _conflict(conflict: Conflict) -> str:
    mend = f"; {conflict.relax}" if conflict.relax else ""
    return f"{conflict.message}{mend}"


def _left(left: Left, answer: Answer) -> str:
    host = answer.snapshot.host_by_id[left.host].name
    why = "; ".join(map(_refusal, left.why))
    return f"{left.name} stays on {host}{': ' if why else ''}{why}"


def _costs(answer: Answer, paper: Paper) -> list[str]:
    lines = [f"moves            {_cost(answer.cost)}"]
    lines.append(f"{_without(answer):<{_LABEL}}{_cost(answer.cost_without)}")
    if answer.seats:
        names = answer.snapshot.host_by_id
        told = [f"{seat.name} on {names[seat.target].name}" for seat in answer.seats]
        lines += paper.wrap(f"started          {listed(told, _NAMES)}", " " * _LABEL, "")
    return lines


def _without(answer: Answer) -> str:
    """Return what the change is set against: the same without it, or where it is a policy the usual one."""
    return "without change" if answer.change.told else f"by {DEFAULT_POLICY}"


def _cost(cost: Cost) -> str:
    if not cost.moves:
        return "none"
    musts = f" ({cost.mandatory:,} must be made)" if cost.mandatory else ""
    size, time = gibibytes(cost.memory_mib), duration(cost.seconds)
    return f"{counted(cost.moves, 'move')}{musts}, {size}, {time}"


def _hosts(hosts: Sequence[HostChange], paper: Paper) -> list[str]:
    names = [paper.safe(host.name) for host in hosts]
    width = widest(names, least=4, most=max(paper.width - 66, 8))
    titles = "  ".join(f"{title:>{_COLUMN}}" for title in ("CPU", "memory", "held", "VMs"))
    heading = f"{'':<{width}}  {titles}"
    rows = [
        f"{fit(name, width)}  {_change(host, 'cpu_ratio')}  {_change(host, 'memory_ratio')}"
        f"  {_change(host, 'held_ratio')}  {_vms(host)}  {host.note}"
        for name, host in zip(names, hosts, strict=True)
    ]
    return [paper.paint(heading, Tone.FAINT), *capped(rows, MOST_LINES, indent="")]


def _change(host: HostChange, figure: str) -> str:
    before, after = (_share(load, figure) for load in (host.before, host.after))
    return fit_right(f"{before} -> {after}", _COLUMN)


def _share(load: Load | None, figure: str) -> str:
    return "-" if load is None else percent(getattr(load, figure))


def _vms(host: HostChange) -> str:
    before, after = ("-" if load is None else str(load.vms) for load in (host.before, host.after))
    return fit_right(f"{before} -> {after}", _COLUMN)


def _rest(answer: Answer, paper: Paper) -> Iterator[str]:
    yield f"room left        {_room(answer.room)}"
    yield f"{_without(answer):<{_LABEL}}{_room(answer.room_before)}"
    for label, found in (
        ("one more failure", answer.losses),
        (_without(answer), answer.losses_before),
    ):
        yield from paper.wrap(f"{label:<{_LABEL}}{_failures(found, answer)}", " " * _LABEL, "")


def _room(room: Room) -> str:
    cpu = f"CPU {room.cpu_mhz / 1000:,.0f} GHz ({percent(room.cpu_ratio)})"
    return f"{cpu}, memory {gibibytes(room.memory_mib)} ({percent(room.memory_ratio)})"


def _failures(found: Sequence[Loss], answer: Answer) -> str:
    if not found:
        return "any host may fail: its VMs find room on the others"
    hosts, vms = answer.snapshot.host_by_id, answer.snapshot.vm_by_id
    told = [f"{hosts[loss.host].name} ({vms[loss.vm].name} would find no host)" for loss in found]
    return f"not survived of {listed(told, _NAMES)}"
