"""The tables for alerts about vCenters, clusters, plans and migrations."""

from tests.deploy.alert_cases import (
    ABOUT_THE_LOOP,
    C1,
    COMBINED,
    FLYING,
    IN_FORCE,
    OLDEST,
    TRIGGER,
    Case,
    labels,
    migrations,
    pair,
    plans,
)

AUTOMATIC = pair(IN_FORCE, "1x200", "1x200", 'mode="automatic"')

ABOUT_VCENTERS = (
    Case(
        alert="BalancerVCenterUnreachable",
        name="one of two vCenters is down",
        series={
            'balancer_vcenter_up{vcenter="v"}': "0x20",
            'balancer_vcenter_up{vcenter="w"}': "1x20",
        },
        at="6m",
        fires=(({"vcenter": "v"}, ""),),
    ),
    Case(
        alert="BalancerVCenterUnreachable",
        name="it was restarted",
        series={'balancer_vcenter_up{vcenter="v"}': "1 0 0 0 1x20"},
        at="6m",
    ),
    Case(
        alert="BalancerLoginRefused",
        name="the password of one vCenter was changed",
        series={
            'balancer_vcenter_failing{vcenter="v",cause="login_refused"}': "1x20",
            'balancer_vcenter_failing{vcenter="w",cause="unreachable"}': "1x20",
        },
        at="1m",
        fires=(({"vcenter": "v", "cause": "login_refused"}, ""),),
    ),
    Case(
        alert="BalancerLoginRefused",
        name="it was mended",
        series={'balancer_vcenter_failing{vcenter="v",cause="login_refused"}': "1 1 0x20"},
        at="5m",
    ),
    Case(
        alert="BalancerCertificateUntrusted",
        name="the certificate of one vCenter was exchanged",
        series={
            'balancer_vcenter_failing{vcenter="v",cause="certificate"}': "1x20",
            'balancer_vcenter_failing{vcenter="w",cause="certificate"}': "0x20",
        },
        at="6m",
        fires=(({"vcenter": "v"}, ""),),
    ),
    Case(
        alert="BalancerCertificateUntrusted",
        name="another cause is another alert",
        series={'balancer_vcenter_failing{vcenter="v",cause="unreachable"}': "1x20"},
        at="10m",
    ),
)

ABOUT_MOVES = (
    Case(
        alert="BalancerMigrationsFailing",
        name="every second one fails in c1, none in c2",
        series=migrations("0+1x120", "0+1x120", "c1") | migrations("0x120", "0+1x120", "c2"),
        at="90m",
        fires=((C1, "50%"),),
    ),
    Case(
        alert="BalancerMigrationsFailing",
        name="half of very few",
        series=migrations("0x10 1x110", "0x10 1x110", "c1"),
        at="60m",
    ),
    Case(
        alert="BalancerMigrationStuck",
        name="one in c1 has run for long at any time, that in c2 has ended",
        series=pair(OLDEST, "-4199+60x100", "1x100")
        | pair(FLYING, "1x100", "0x100", 'kind="vmotion"'),
        at="70m",
        fires=((C1, "1h 9m 59s"),),
    ),
    Case(
        alert="BalancerMigrationStuck",
        name="an hour is not over",
        series=pair(OLDEST, "1x100", "1x100") | pair(FLYING, "1x100", "1x100", 'kind="vmotion"'),
        at="58m",
    ),
    Case(
        alert="BalancerCircuitOpen",
        name="the breaker of c1 opened",
        series=pair("balancer_circuit_open", "1x20", "0x20", 'reason="breaker_open"'),
        at="1m",
        fires=((labels(reason="breaker_open"), ""),),
    ),
    Case(
        alert="BalancerCircuitOpen",
        name="ten quiet minutes after a host came back are no alarm",
        series=pair("balancer_circuit_open", "1x20", "0x20", 'reason="quiet_time"'),
        at="5m",
    ),
    Case(
        alert="BalancerVerdictWorse",
        name="two batches made c1 worse, one made c2 worse",
        series=pair(
            "balancer_batch_verdicts_total", "0x60 1x60 2x300", "0x60 1x360", 'result="worse"'
        ),
        at="3h",
        fires=((C1, "2"),),
    ),
    Case(
        alert="BalancerVerdictWorse",
        name="it got better",
        series=pair("balancer_batch_verdicts_total", "0+1x400", "0+1x400", 'result="better"'),
        at="3h",
    ),
    Case(
        alert="BalancerUnclaimedMigrations",
        name="somebody uses the account in c1",
        series=pair("balancer_unclaimed_migrations_total", "0x10 1x60", "0x70"),
        at="30m",
        fires=((C1, ""),),
    ),
    Case(
        alert="BalancerUnclaimedMigrations",
        name="nobody does",
        series=pair("balancer_unclaimed_migrations_total", "3x70", "0x70"),
        at="30m",
    ),
)

ABOUT_CLUSTERS = (
    Case(
        alert="BalancerClusterImbalanced",
        name="c1 and c2 are uneven, c2 only observes",
        series=pair(COMBINED, "0.4x200", "0.4x200")
        | pair(TRIGGER, "0.1x200", "0.1x200")
        | pair(IN_FORCE, "1x200", "0x200", 'mode="automatic"'),
        at="2h",
        fires=((C1, "40%"),),
    ),
    Case(
        alert="BalancerClusterImbalanced",
        name="it becomes even within the hour, and the other one's trigger is high",
        series=pair(COMBINED, "0.4x50 0.05x150", "0.4x200")
        | pair(TRIGGER, "0.1x200", "0.5x200")
        | AUTOMATIC,
        at="2h",
    ),
    Case(
        alert="BalancerRuleViolated",
        name="a must-rule of c1 stays broken",
        series=pair(
            "balancer_rule_violations", "1x60", "0x60", 'rule_type="affinity",enforcement="hard"'
        ),
        at="31m",
        fires=((labels(rule_type="affinity"), "1"),),
    ),
    Case(
        alert="BalancerRuleViolated",
        name="should-rules may be broken",
        series=pair(
            "balancer_rule_violations", "2x60", "0x60", 'rule_type="affinity",enforcement="soft"'
        ),
        at="45m",
    ),
    Case(
        alert="BalancerPlanInfeasible",
        name="every plan of c1 leaves something undone",
        series=plans("infeasible", "0x9 1x5 2x5 3x5 4x60", "0x20 1x60"),
        at="30m",
        fires=((C1, ""),),
    ),
    Case(
        alert="BalancerPlanInfeasible",
        name="plans that are made and carried out",
        series=plans("planned", "0+1x60", "0+1x60"),
        at="30m",
    ),
    Case(
        alert="BalancerPlanningFailed",
        name="planning c1 fails once",
        series=plans("error", "0x10 1x60", "0x70"),
        at="20m",
        fires=((C1, ""),),
    ),
    Case(
        alert="BalancerPlanningFailed",
        name="a stale snapshot is no failure of planning",
        series=plans("stale", "0+1x60", "0+1x60"),
        at="20m",
    ),
    Case(
        alert="BalancerSolverFailing",
        name="the solver of c1 crashes again and again",
        series=pair(
            "balancer_solver_incidents_total",
            "0x5 1x5 2x5 3x5 4x5 5x60",
            "0x9 1x80",
            'kind="crashed"',
        ),
        at="60m",
        fires=((C1, "5"),),
    ),
    Case(
        alert="BalancerSolverFailing",
        name="twice in an hour",
        series=pair("balancer_solver_incidents_total", "0x5 1x5 2x80", "0x90", 'kind="hung"'),
        at="60m",
    ),
    Case(
        alert="BalancerSnapshotUnfit",
        name="samples of c1 stay old",
        series=pair("balancer_snapshot_unfit", "1x60", "0x60", 'reason="snapshot_stale"'),
        at="31m",
        fires=((labels(reason="snapshot_stale"), ""),),
    ),
    Case(
        alert="BalancerSnapshotUnfit",
        name="old for one cycle",
        series=pair("balancer_snapshot_unfit", "1x6 0x60", "0x60", 'reason="snapshot_stale"'),
        at="31m",
    ),
    Case(
        alert="BalancerActingWithheld",
        name="the own DRS of c1 acts",
        series=pair("balancer_cluster_acting_withheld", "1x60", "0x60", 'reason="drs_automated"'),
        at="16m",
        fires=((labels(reason="drs_automated"), ""),),
    ),
    Case(
        alert="BalancerActingWithheld",
        name="nothing is withheld",
        series=pair("balancer_cluster_acting_withheld", "0x60", "0x60", 'reason="drs_automated"'),
        at="30m",
    ),
    Case(
        alert="BalancerNoFailoverRoom",
        name="memory of c1 is overcommitted",
        series=pair("balancer_cluster_headroom_ratio", "-0.1x60", "0.2x60", 'resource="memory"'),
        at="31m",
        fires=((labels(resource="memory"), ""),),
    ),
    Case(
        alert="BalancerNoFailoverRoom",
        name="a host was away for a while",
        series=pair(
            "balancer_cluster_headroom_ratio", "-0.1x20 0.1x60", "0.2x60", 'resource="memory"'
        ),
        at="31m",
    ),
    Case(
        alert="BalancerApprovalWaiting",
        name="nobody says yes to c1",
        series=pair("balancer_plan_approvals_pending", "1x30", "0x30"),
        at="4h10m",
        step="10m",
        fires=((C1, ""),),
    ),
    Case(
        alert="BalancerApprovalWaiting",
        name="somebody said yes after an hour",
        series=pair("balancer_plan_approvals_pending", "1x6 0x30", "0x30"),
        at="4h10m",
        step="10m",
    ),
    Case(
        alert="BalancerPausedLong",
        name="c1 was forgotten",
        series=pair("balancer_paused", "1x150", "0x150", 'reason="operator"'),
        at="24h10m",
        step="10m",
        fires=((labels(reason="operator"), ""),),
    ),
    Case(
        alert="BalancerPausedLong",
        name="paused for a night",
        series=pair("balancer_paused", "1x60 0x90", "0x150", 'reason="operator"'),
        at="24h10m",
        step="10m",
    ),
)

CASES = (*ABOUT_THE_LOOP, *ABOUT_VCENTERS, *ABOUT_MOVES, *ABOUT_CLUSTERS)
"""All of them."""
