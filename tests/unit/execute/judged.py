"""Batches to be judged: moves that were made on a stage, and what is seen of the cluster afterwards."""

from dataclasses import replace
from typing import Any

from balancer.execute import execute
from balancer.execute.judging import judge_batches, note_batch
from balancer.model.outcome import MoveOutcome
from balancer.model.past import Past, Verdict
from balancer.model.plan import Move
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Limits
from tests.support.builders import NOON, host, snapshot, vm
from tests.unit.execute.stage import Stage, plan, vm_id

AFTER_S = Limits().verdict_after_s


def uneven(hot: int = 8, hosts: int = 3, **facts: Any) -> Snapshot:
    """Return a cluster whose VMs, of 2,000 MHz each, all stand on host-1."""
    machines = [vm(n, on=1, uuid=f"uuid-{n}", cpu_demand_mhz=2000.0) for n in range(1, hot + 1)]
    return snapshot([host(n) for n in range(1, hosts + 1)], machines, **facts)


class Court:
    """A stage whose batches are judged. Each `send` is one cycle."""

    def __init__(self, base: Snapshot | None = None, **stage: Any) -> None:
        self.stage = Stage(base=base or uneven(), **stage)
        self.cycles = 0

    def send(self, *moves: Move, noted: bool = True) -> dict[str, MoveOutcome]:
        """Carry out moves as the next cycle, and note the batch unless the process dies before."""
        self.cycles += 1
        stage, cycle_id = self.stage, f"c-{self.cycles}"
        base = replace(stage.vcenter.truth, taken_at=stage.clock.now())
        made = plan(*moves, created_at=base.taken_at, id=f"plan-{self.cycles}")
        outcomes = execute(made, base, stage.policy, stage.tools, cycle_id=cycle_id)
        if noted:
            note_batch(made, outcomes, stage.tools, cycle_id=cycle_id)
        return {outcome.move.id: outcome for outcome in outcomes}

    def demand(self, **mhz: float) -> None:
        """Let VMs want so many MHz from now on: `vm1=500`."""
        for name, value in mhz.items():
            self.stage.vcenter.put_vm(vm_id(int(name.removeprefix("vm"))), cpu_demand_mhz=value)

    def judge(self, after_s: float = AFTER_S, *, unfit: tuple[Refusal, ...] = ()) -> Past:
        """Let time pass, and look."""
        stage = self.stage
        stage.clock.sleep(after_s)
        seen = replace(stage.vcenter.truth, taken_at=stage.clock.now())
        return judge_batches(seen, stage.policy, stage.tools, self.past(), unfit=unfit)

    def past(self) -> Past:
        """Return what the store remembers."""
        return self.stage.store.past("vc1", self.stage.base.cluster.id, NOON.replace(year=2000))

    def verdict(self, number: int = -1) -> Verdict:
        """Return the verdict of a batch as the store has it; by default of the last."""
        return self.past().verdicts[number]
