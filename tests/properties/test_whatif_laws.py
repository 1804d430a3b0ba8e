"""Whatever is assumed of whatever cluster: no VM is lost from sight, none starts against a law, verdicts agree."""

from hypothesis import assume as only_where
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.expose.text_layout import Paper
from balancer.lab.whatif import NotFit, what_if
from balancer.lab.whatif_change import Change, NewHosts, NewVms, Size
from balancer.lab.whatif_document import what_if_document
from balancer.lab.whatif_text import what_if_text
from balancer.model.errors import InputError
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from tests.support.clusters import POLICY, clusters

LAW = settings(max_examples=15, deadline=None, derandomize=True)
SETTINGS = PlanSettings(time_limit_s=0.5, polish_windows=0, refine_rounds=20)

hosts = st.lists(st.sampled_from(("host-1", "host-2", "host-3")), unique=True, max_size=2)
changes = st.builds(
    Change,
    remove_hosts=hosts.map(tuple),
    fail_hosts=hosts.map(tuple),
    add_hosts=st.lists(st.builds(NewHosts, count=st.integers(1, 2)), max_size=1).map(tuple),
    add_vms=st.lists(
        st.builds(
            NewVms,
            count=st.integers(1, 3),
            size=st.just(Size(vcpus=1, memory_mib=3000.0, cpu_mhz=500.0)),
        ),
        max_size=1,
    ).map(tuple),
)


@LAW
@given(clusters(most_hosts=4, most_vms=8), changes)
def test_every_vm_is_accounted_for_and_the_verdict_says_the_same_as_the_lists(
    snapshot: Snapshot, change: Change
) -> None:
    try:
        answer = what_if(snapshot, POLICY, change, settings=SETTINGS)
    except (InputError, NotFit):
        only_where(False)
        return
    failed, removed = answer.change.failed, answer.change.removed
    running = {vm.id for vm in snapshot.running_vms} | {vm.id for vm in answer.change.new_vms}
    lost = {one.vm for one in answer.unplaced}
    after = {vm.id: vm.host for vm in answer.snapshot.running_vms}
    assert after.keys() == running - lost
    assert not failed & set(after.values())
    for seat in answer.seats:
        assert after[seat.vm] == seat.target
        assert answer.snapshot.host_by_id[seat.target].takes
        assert seat.target not in removed | failed
        for rule in snapshot.active_rules(RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE):
            assert not (rule.mandatory and seat.vm in rule.vms) or rule.allows_host(seat.target)
    untouched = {vm.id: vm.host for vm in snapshot.running_vms if vm.host not in failed}
    assert untouched.items() <= after.items()
    document = what_if_document(answer)
    troubles = (document["unplaced"], document["left"], document["conflicts"])
    assert document["fits"] is not (any(troubles) or answer.unmet_cpu_mhz > 0.0)
    assert ("It fits." in what_if_text(answer, Paper())) is answer.fits
