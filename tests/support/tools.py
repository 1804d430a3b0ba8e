"""What an execution works with, over a scripted vCenter: the ports as tests of whole cycles put them together."""

from balancer.assess.demand import demand_of
from balancer.execute import Tools
from balancer.ports import Store
from tests.support.fakes import RecordingEvents, ScriptedVCenter


def tools_over(vcenter: ScriptedVCenter, store: Store) -> Tools:
    """Return tools that read and move in a scripted vCenter, in its virtual time, with nothing to stop them."""
    return Tools(
        vcenter="vc1",
        cluster_name="prod",
        holder="test",
        inventory=vcenter,
        migrator=vcenter,
        store=store,
        clock=vcenter.clock,
        events=RecordingEvents(),
        may_submit=lambda: None,
        demand_of=demand_of,
    )
