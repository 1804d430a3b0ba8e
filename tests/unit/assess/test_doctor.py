"""What the doctor makes of a vCenter's facts: certificate, login, clock, rights, DRS, EVC."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from balancer.assess.doctor import Wishes, not_examined
from balancer.assess.doctor_cluster import ClusterWish
from balancer.assess.doctor_rights import judge_rights
from balancer.model.checkup import ClockReading, ObjectKind, Rights, Server, Trust, Unread
from balancer.model.finding import Check, Finding, Outcome
from balancer.model.host import HostState
from balancer.model.privileges import Role, needed_ids
from balancer.model.snapshot import Datastore, Drs, Source, TagsState
from balancer.model.vm import Automation
from tests.support import builders, checkups
from tests.support.checkups import EVERY_ID, diagnosis, of

FULL = Automation.FULLY_AUTOMATED
READER, EXECUTOR = needed_ids(Role.READER), needed_ids(Role.EXECUTOR)


def only(check: Check, **facts: Any) -> Finding:
    (finding,) = of(check, diagnosis(**facts))
    return finding


def test_where_everything_is_right_every_check_is_ok() -> None:
    found = diagnosis()
    assert {finding.outcome for finding in found.every} == {Outcome.OK}
    assert not any(finding.blocks for finding in found.every)
    assert only(Check.AUTOMATIC_MODE).found == "nothing stands against it; configured is automatic"


def test_a_complaint_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="without a mend"):
        Finding(check=Check.CLOCK, outcome=Outcome.ADVICE, found="it is late")


@pytest.mark.parametrize(
    ("facts", "outcome", "words"),
    [
        ({}, Outcome.OK, "200 days left"),
        ({"not_after": builders.NOON + timedelta(days=30, hours=1)}, Outcome.OK, "30 days left"),
        ({"not_after": builders.NOON + timedelta(days=30)}, Outcome.OK, "30 days left"),
        ({"not_after": builders.NOON + timedelta(days=29, hours=23)}, Outcome.ADVICE, "29 days"),
        ({"not_after": builders.NOON + timedelta(hours=30)}, Outcome.ADVICE, "(1 day left)"),
        (
            {"not_after": builders.NOON - timedelta(hours=1), "trust": Trust.PIN},
            Outcome.ADVICE,
            "expired 1 day ago",
        ),
        ({"refused": "self-signed certificate"}, Outcome.PROBLEM, "self-signed certificate"),
    ],
    ids=["far", "30 days and more", "30 days", "29 days", "tomorrow", "over, pinned", "untrusted"],
)
def test_a_certificate_is_told_with_its_days(
    facts: dict[str, Any], outcome: Outcome, words: str
) -> None:
    finding = only(Check.CERTIFICATE, certificate=checkups.certificate(**facts))
    assert finding.outcome is outcome
    assert words in finding.found
    assert "CN=vc1.example.com" in finding.found


def test_an_untrusted_certificate_is_shown_with_its_thumbprint_to_compare() -> None:
    shown = checkups.certificate(refused="unable to get local issuer certificate")
    finding = only(Check.CERTIFICATE, certificate=shown)
    assert finding.found.endswith("for the names vc1.example.com")
    assert shown.thumbprint_sha256 in finding.mend
    assert "https://vc1.example.com/certs/download.zip" in finding.mend


def test_another_certificate_than_the_pinned_one_is_not_simply_accepted() -> None:
    shown = checkups.certificate(refused="another thumbprint is pinned", trust=Trust.PIN)
    assert "find out who answers" in only(Check.CERTIFICATE, certificate=shown).mend


def test_without_a_connection_nothing_else_is_judged() -> None:
    gone = Unread("there was no connection", is_consequence=True)
    found = diagnosis(
        certificate=Unread("connection refused", "Check the address."),
        server=gone,
        clock=gone,
        rights=gone,
        cluster_names=gone,
        snapshot=gone,
        setups=gone,
    )
    assert [f.check for f in found.every if f.outcome is Outcome.PROBLEM] == [
        Check.REACH,
        Check.AUTOMATIC_MODE,
    ]
    assert {f.outcome for f in found.every} == {Outcome.PROBLEM, Outcome.UNCHECKED}
    assert {Check.LOGIN, Check.API_VERSION, Check.CLOCK, Check.PRIVILEGES_MISSING} <= {
        f.check for f in found.every if f.outcome is Outcome.UNCHECKED
    }


def test_a_refused_login_is_a_problem_with_its_mend() -> None:
    finding = only(Check.LOGIN, server=Unread("the server refused", "Check the password."))
    assert (finding.outcome, finding.mend) == (Outcome.PROBLEM, "Check the password.")


@pytest.mark.parametrize(
    ("api", "spoken", "outcome", "words"),
    [
        ("8.0.3.0", "8.0.3.0", Outcome.OK, "API 8.0.3.0"),
        ("7.0.0.0", "7.0.0.0", Outcome.OK, "API 7.0.0.0"),
        ("6.7.3", "6.7.3", Outcome.ADVICE, "API 6.7.3"),
        ("99.0", "9.1.0.0", Outcome.OK, "API 99.0, spoken as 9.1.0.0"),
        ("odd", "8.0.3.0", Outcome.ADVICE, "API odd"),
    ],
)
def test_the_api_version_is_told(api: str, spoken: str, outcome: Outcome, words: str) -> None:
    server = Server(product="vCenter", api_version=api, negotiated=spoken)
    finding = only(Check.API_VERSION, server=server)
    assert finding.outcome is outcome
    assert words in finding.found


@pytest.mark.parametrize(
    ("ahead_s", "uncertain_s", "outcome", "words"),
    [
        (-4.9, 0.1, Outcome.OK, "4.9 s behind"),
        (6.0, 0.1, Outcome.ADVICE, "6.0 s ahead of"),
        (6.0, 2.0, Outcome.OK, "to within 2.0 s"),
        (-61.0, 0.1, Outcome.PROBLEM, "stale from 60 s on"),
    ],
)
def test_clocks_may_differ_a_little(
    ahead_s: float, uncertain_s: float, outcome: Outcome, words: str
) -> None:
    reading = ClockReading(ahead_s=ahead_s, uncertain_s=uncertain_s)
    finding = only(Check.CLOCK, clock=reading)
    assert finding.outcome is outcome
    assert words in finding.found
    assert finding.blocks is (outcome is Outcome.PROBLEM)


def test_a_missing_privilege_is_told_with_the_objects_that_lack_it() -> None:
    held = checkups.rights(EXECUTOR, {"vm2": READER})
    finding = only(Check.PRIVILEGES_MISSING, rights=held)
    assert finding.outcome is Outcome.PROBLEM
    assert finding.found == ("Resource.ColdMigrate, Resource.HotMigrate are missing on 1 of 2 VMs")
    assert finding.objects == ("vm2",)
    assert "balancer-executor" in finding.mend
    assert "by their cluster or folder" in finding.mend


def test_a_host_that_may_not_be_read_is_told_with_the_readers_role() -> None:
    held = checkups.rights(EXECUTOR, {"esx1": ["System.View", "System.Anonymous"]})
    finding = only(Check.PRIVILEGES_MISSING, rights=held)
    assert finding.found == "System.Read is missing on 1 of 2 hosts"
    assert "balancer-reader" in finding.mend


def test_an_observer_needs_no_more_than_to_read_and_is_told_what_acting_would_need() -> None:
    found = diagnosis(mode="observe", rights=checkups.rights(READER))
    (finding,) = of(Check.PRIVILEGES_MISSING, found)
    assert finding.outcome is Outcome.OK
    assert finding.found.endswith("to act it lacks Resource.ColdMigrate, Resource.HotMigrate")
    (verdict,) = of(Check.AUTOMATIC_MODE, found)
    assert (verdict.outcome, "privileges_missing" in verdict.found) == (Outcome.ADVICE, True)


def test_vms_of_a_cluster_that_is_only_observed_need_not_be_moved() -> None:
    held = checkups.rights(EXECUTOR)
    spared = checkups.holding(ObjectKind.VM, "vm9", READER)
    watched = replace(spared, cluster="watched")
    both = Rights(holdings=(*held.holdings, watched))
    assert only(Check.PRIVILEGES_MISSING, rights=both).outcome is Outcome.OK
    moved = Rights(holdings=(*held.holdings, spared))
    assert only(Check.PRIVILEGES_MISSING, rights=moved).objects == ("vm9",)


def test_objects_of_which_the_server_does_not_tell_are_unchecked() -> None:
    held = replace(checkups.rights(EXECUTOR), unread=("VM vm9: NoPermission",))
    first, second = of(Check.PRIVILEGES_MISSING, diagnosis(rights=held))
    assert (first.outcome, first.objects) == (Outcome.UNCHECKED, held.unread)
    assert second.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("mode", "held", "outcome", "blocks"),
    [
        ("automatic", EVERY_ID, Outcome.PROBLEM, True),
        ("observe", EVERY_ID, Outcome.ADVICE, True),
        ("automatic", EXECUTOR | {"VirtualMachine.Config.Memory"}, Outcome.ADVICE, False),
        ("observe", EXECUTOR, Outcome.ADVICE, False),
        ("automatic", EXECUTOR, Outcome.OK, False),
        ("observe", READER, Outcome.OK, False),
    ],
    ids=[
        "an administrator acts",
        "an administrator observes",
        "one more",
        "an observer that could act",
        "exactly the executor",
        "exactly the reader",
    ],
)
def test_privileges_in_excess_are_told(
    mode: str, held: frozenset[str], outcome: Outcome, blocks: bool
) -> None:
    finding = only(Check.PRIVILEGES_EXCESS, mode=mode, rights=checkups.rights(held))
    assert (finding.outcome, finding.blocks) == (outcome, blocks)


def test_an_administrator_that_is_meant_is_advice_and_blocks_nothing() -> None:
    held = checkups.rights(EVERY_ID)
    found = judge_rights(held, frozenset({"prod"}), allows_excess=True)
    (finding,) = (each for each in found if each.check is Check.PRIVILEGES_EXCESS)
    assert (finding.outcome, finding.blocks) == (Outcome.ADVICE, False)


def test_excess_names_the_objects_where_it_is_held() -> None:
    held = checkups.rights(EXECUTOR, {"prod": EXECUTOR | {"VirtualMachine.Config.Memory"}})
    finding = only(Check.PRIVILEGES_EXCESS, rights=held)
    assert finding.found == "beyond balancer-executor: VirtualMachine.Config.Memory"
    assert finding.objects == ("cluster prod",)


def test_without_a_list_of_all_privileges_excess_is_unchecked() -> None:
    held = checkups.rights(EXECUTOR)
    narrow = tuple(replace(holding, asked=EXECUTOR) for holding in held.holdings)
    finding = only(Check.PRIVILEGES_EXCESS, rights=Rights(holdings=narrow))
    assert finding.outcome is Outcome.UNCHECKED


@pytest.mark.parametrize(
    ("drs", "mode", "outcome", "words"),
    [
        (Drs(), "automatic", Outcome.OK, "DRS is off"),
        (Drs(enabled=True, automation=Automation.MANUAL), "automatic", Outcome.OK, "manual"),
        (
            Drs(enabled=True, automation=FULL, vmotion_rate=5),
            "automatic",
            Outcome.OK,
            "mandatory moves only",
        ),
        (
            Drs(enabled=True, automation=FULL, vmotion_rate=3),
            "automatic",
            Outcome.PROBLEM,
            "vmotionRate 3",
        ),
        (Drs(enabled=True, automation=FULL), "partial", Outcome.PROBLEM, "fully automated"),
        (Drs(enabled=True), "observe", Outcome.ADVICE, "of unknown level"),
    ],
    ids=["off", "manual", "rate 5", "rate 3", "partial mode", "observed"],
)
def test_drs_that_acts_alone_stands_against_acting(
    drs: Drs, mode: str, outcome: Outcome, words: str
) -> None:
    found = diagnosis(mode=mode, snapshot=checkups.small_cluster(cluster={"drs": drs}))
    (finding,) = of(Check.DRS, found)
    assert finding.outcome is outcome
    assert words in finding.found
    (verdict,) = of(Check.AUTOMATIC_MODE, found)
    assert ("drs" in verdict.found) is drs.acts_alone


def hosts_with(*modes: str | None, **facts: Any) -> dict[str, Any]:
    hosts = [
        builders.host(n, **({"cpu_vendor": "intel", "max_evc_mode": mode} | facts))
        for n, mode in enumerate(modes, start=1)
    ]
    return {"hosts": hosts, "vms": []}


@pytest.mark.parametrize(
    ("mode", "hosts", "outcome", "words"),
    [
        ("intel-skylake", ("intel-icelake", "intel-skylake"), Outcome.OK, "on at intel-skylake"),
        ("intel-skylake", ("intel-icelake", "intel-haswell"), Outcome.ADVICE, "1 host cannot"),
        ("intel-skylake", ("intel-icelake", None), Outcome.ADVICE, "1 host cannot"),
        (None, ("intel-icelake", "intel-icelake"), Outcome.OK, "every host could do intel-icelake"),
        (None, ("intel-icelake", "intel-haswell"), Outcome.ADVICE, "hosts differ"),
        (None, (None, None), Outcome.ADVICE, "unknown"),
    ],
)
def test_evc_is_judged_by_what_hosts_can_do(
    mode: str | None, hosts: tuple[str | None, ...], outcome: Outcome, words: str
) -> None:
    snapshot = checkups.small_cluster(cluster={"evc_mode": mode}, **hosts_with(*hosts))
    finding = only(Check.EVC, snapshot=snapshot)
    assert finding.outcome is outcome
    assert words in finding.found


def test_processors_of_two_makers_are_advised_against() -> None:
    hosts = [
        builders.host(1, cpu_vendor="intel", max_evc_mode="intel-icelake"),
        builders.host(2, cpu_vendor="amd", max_evc_mode="amd-zen"),
    ]
    snapshot = checkups.small_cluster(hosts=hosts, vms=[], cluster={"evc_mode": None})
    first, _ = of(Check.EVC, diagnosis(snapshot=snapshot))
    assert "amd and intel" in first.found


def test_what_could_not_be_read_of_a_cluster_is_told() -> None:
    hosts = [builders.host(1), builders.host(2, state=HostState.NOT_RESPONDING)]
    snapshot = checkups.small_cluster(hosts=hosts, source=Source(rejected_objects=3))
    first, second = of(Check.INVENTORY, diagnosis(snapshot=snapshot))
    assert "3 objects could not be read whole" in first.found
    assert second.objects == ("esx2",)


def test_words_that_are_not_known_are_told_and_block_nothing() -> None:
    words = ("vm config.migrateEncryption: quantum",)
    snapshot = checkups.small_cluster(source=Source(unknown_words=words))
    _, finding = of(Check.INVENTORY, diagnosis(snapshot=snapshot))
    assert (finding.outcome, finding.blocks) == (Outcome.ADVICE, False)
    assert "1 word that this version does not know" in finding.found
    assert finding.found.endswith("vm config.migrateEncryption: quantum")


@pytest.mark.parametrize("state", [TagsState.REFUSED, TagsState.INCOMPLETE, TagsState.UNREACHABLE])
def test_tags_that_are_not_known_are_told_for_rules_may_be_hidden_in_them(state: TagsState) -> None:
    snapshot = checkups.small_cluster(source=Source(tags=state))
    _, finding = of(Check.INVENTORY, diagnosis(snapshot=snapshot))
    assert (finding.outcome, finding.blocks) == (Outcome.ADVICE, False)
    assert f"({state.value})" in finding.found
    assert "read_tags: false" in finding.mend


@pytest.mark.parametrize("state", [TagsState.KNOWN, TagsState.OFF, TagsState.UNSUPPORTED])
def test_tags_that_nobody_uses_are_not_spoken_of(state: TagsState) -> None:
    snapshot = checkups.small_cluster(source=Source(tags=state))
    assert len(of(Check.INVENTORY, diagnosis(snapshot=snapshot))) == 1


def test_datastores_and_networks_that_are_not_shown_are_told() -> None:
    vms = [builders.vm(1, 1, datastores=frozenset({"ds-1", "ds-2"}), networks=frozenset({"net-1"}))]
    stores = (Datastore(id="ds-1", name="vmfs"),)
    snapshot = checkups.small_cluster(vms=vms, datastores=stores)
    _, finding = of(Check.INVENTORY, diagnosis(snapshot=snapshot))
    assert (finding.outcome, finding.objects) == (Outcome.ADVICE, ("ds-2", "net-1"))


def test_the_clusters_that_can_be_seen_are_named() -> None:
    finding = only(Check.CLUSTERS, cluster_names=("prod", "test"))
    assert (finding.outcome, finding.objects) == (Outcome.OK, ("prod", "test"))
    blind = only(Check.CLUSTERS, cluster_names=())
    assert (blind.outcome, blind.blocks) == (Outcome.PROBLEM, True)


def test_a_cluster_that_is_not_there_is_a_problem_of_its_own() -> None:
    gone = Unread("the vCenter shows no cluster of that name")
    found = diagnosis(snapshot=gone, setups=gone)
    (finding,) = of(Check.CLUSTER, found)
    assert (finding.outcome, finding.found) == (Outcome.PROBLEM, gone.why)
    (verdict,) = of(Check.AUTOMATIC_MODE, found)
    assert verdict.found == "stands against it: cluster; configured is automatic"


def test_a_vcenter_without_its_files_is_not_asked() -> None:
    wish = ClusterWish(name="prod", mode="observe", acts=False)
    wishes = Wishes(clusters=(wish,), snapshot_age_s=60.0)
    found = not_examined("vc1", "vc1:443", "balancer", ["there is no password"], wishes)
    assert [(f.check, f.outcome) for f in found.every] == [
        (Check.SETTINGS, Outcome.PROBLEM),
        (Check.CLUSTER, Outcome.UNCHECKED),
    ]
