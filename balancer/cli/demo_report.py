"""How a demo ended: the verdict that sets the exit code, one closing line, and the closing report.

Compares how the clusters stood at the start and at the end. Text only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from balancer.cli.demo_figures import Measured
from balancer.cli.demo_record import DemoRecord
from balancer.expose.figures import counted, duration, gibibytes, percent
from balancer.model.plan import Move
from balancer.model.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One run from its start to its end; `before` and `after` list the same clusters in one order."""

    before: tuple[Measured, ...]
    after: tuple[Measured, ...]
    record: DemoRecord
    simulated_s: Seconds

    @property
    def is_better(self) -> bool:
        """Whether every cluster is more level than it was and no must-rule is broken."""
        levelled = all(
            then.state.imbalance < first.state.imbalance
            for first, then in zip(self.before, self.after, strict=True)
        )
        return levelled and not _broken(self.after)

    @property
    def rules_fixed(self) -> int:
        """Return how many must-rules were broken at the start and hold now."""
        return len(_broken(self.before) - _broken(self.after))


def _broken(clusters: Iterable[Measured]) -> set[tuple[str, str]]:
    return {
        (one.snapshot.cluster.id, violation.rule)
        for one in clusters
        for violation in one.state.violations
        if violation.mandatory
    }


def _worst(clusters: Iterable[Measured]) -> float:
    return max(one.state.imbalance for one in clusters)


def closing_line(ending: Ending) -> str:
    """Return the run in one line; the imbalance is that of the worst cluster."""
    record = ending.record
    still = len(_broken(ending.after))
    return (
        f"imbalance {percent(_worst(ending.before), 1)} -> {percent(_worst(ending.after), 1)}, "
        f"{counted(record.done.total(), 'move')}, "
        f"{counted(len(record.failed), 'failure')} handled, "
        f"{counted(ending.rules_fixed, 'rule')} fixed, "
        f"{counted(still, 'must-rule')} broken"
    )


def closing_report(ending: Ending) -> str:
    """Return the run in some lines: clusters before and after, moves by reason, failures, verdict."""
    record = ending.record
    lines = [f"{duration(ending.simulated_s)} simulated, {counted(record.plans, 'plan')} made", ""]
    lines += [
        _cluster_line(first, then) for first, then in zip(ending.before, ending.after, strict=True)
    ]
    lines += ["", _moves_line(record)]
    lines += [f"  failed: {failure_words(ending, row)}" for row in range(len(record.failed))]
    lines += [
        f"  {counted(count, 'move')} put off before the call: {reason}"
        for reason, count in sorted(record.not_sent.items())
    ]
    return "\n".join([*lines, "", closing_line(ending)])


def _cluster_line(first: Measured, then: Measured) -> str:
    was, now = first.state, then.state
    return (
        f"  {first.snapshot.cluster.name}: imbalance {percent(was.imbalance, 1)} -> "
        f"{percent(now.imbalance, 1)}, fullest host CPU {percent(was.cpu.max)} -> "
        f"{percent(now.cpu.max)}, memory {percent(was.memory.max)} -> {percent(now.memory.max)}, "
        f"must-rules broken {was.broken_must_rules} -> {now.broken_must_rules}"
    )


def _moves_line(record: DemoRecord) -> str:
    done = sorted(record.done.items())
    kinds = [f"{count} {reason.value.replace('_', '-')}" for reason, count in done]
    by_reason = f" ({', '.join(kinds)})" if kinds else ""
    return (
        f"{counted(record.done.total(), 'move')}{by_reason}, {gibibytes(record.moved_mib)} copied"
    )


def failure_words(ending: Ending, row: int) -> str:
    """Return one of the failures: which VM, what happened, and where the VM is now."""
    outcome = ending.record.failed[row]
    what = outcome.fault or outcome.detail or outcome.state
    return f"{outcome.move.vm_name}, {what}; {_whereabouts(ending, outcome.move)}"


def _whereabouts(ending: Ending, move: Move) -> str:
    for one in ending.after:
        vm = one.snapshot.vm_by_id.get(move.vm)
        if vm is not None:
            name = one.snapshot.host_by_id[vm.host].name
            return "still on its source" if vm.host == move.source else f"moved later to {name}"
    return "gone"
