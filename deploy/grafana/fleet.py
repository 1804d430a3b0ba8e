"""The fleet: every cluster at a glance, and which of them to look at."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.board import Grid, put_together
from deploy.grafana.parts import (
    BAD,
    EACH,
    GOOD,
    MODE_IN_FORCE,
    MODES,
    OF_CLUSTER,
    OF_VCENTER,
    WARN,
    Ask,
    Column,
    figures,
    lines,
    number,
    states,
)

ENDED = f'balancer_migrations_total{{{OF_CLUSTER},outcome="succeeded"}}'
FAILED = f'balancer_migrations_total{{{OF_CLUSTER},outcome=~"failed|timed_out"}}'
COMBINED = f"balancer_cluster_imbalance_combined_ratio{{{OF_CLUSTER}}}"
TRIGGER = f"balancer_cluster_imbalance_trigger_ratio{{{OF_CLUSTER}}}"
SATISFIED = f"balancer_cluster_demand_satisfied_ratio{{{OF_CLUSTER}}}"
HEADROOM = f"balancer_cluster_headroom_ratio{{{OF_CLUSTER}}}"
NAMED = "{{vcenter}} / {{cluster}}"
CLUSTER_LINK = (
    "/d/balancer-cluster?var-datasource=${datasource}"
    "&var-vcenter=${__data.fields.vCenter}&var-cluster=${__data.fields.Cluster}&${__url_time_range}"
)


def board() -> Dashboard:
    """Return the dashboard."""
    grid = Grid()
    grid.row("Now")
    _now(grid)
    grid.row("Clusters")
    _clusters(grid)
    grid.row("Balance")
    _balance(grid)
    grid.row("Moves")
    _moves(grid)
    return put_together(
        uid="balancer-fleet",
        title="Balancer / Fleet",
        meaning="Every cluster that the balancer works on: mode, balance, what was moved, what needs a person.",
        grid=grid,
        hours=24,
    )


def _now(grid: Grid) -> None:
    stopped = f'max {EACH} (balancer_circuit_open{{{OF_CLUSTER},reason!="quiet_time"}})'
    grid.add(
        3,
        4,
        number(
            "Clusters",
            "Clusters that the balancer works on.",
            f"count(max {EACH} (balancer_cycle_interval_seconds{{{OF_CLUSTER}}}))",
            "short",
        ),
        number(
            "Automatic",
            "Clusters whose mode in force is automatic.",
            f'sum(max {EACH} (balancer_cluster_mode_in_force{{{OF_CLUSTER},mode="automatic"}}))',
            "short",
        ),
        number(
            "vCenters down",
            "vCenters that could not be asked when a cycle last tried.",
            f"sum(1 - max by (vcenter) (balancer_vcenter_up{{{OF_VCENTER}}}))",
            "short",
            steps=[(1, BAD)],
        ),
        number(
            "Clusters stopped",
            "Clusters on which nothing is started until a person or time ends it: breaker, verdicts, somebody else's moves.",
            f"sum({stopped})",
            "short",
            steps=[(1, BAD)],
        ),
        number(
            "Hard rules broken",
            "Must-rules that are broken now, over all clusters.",
            f'sum(max by (vcenter, cluster, rule_type) (balancer_rule_violations{{{OF_CLUSTER},enforcement="hard"}}))',
            "short",
            steps=[(1, WARN)],
        ),
        number(
            "Plans waiting",
            "Plans that wait for a person's yes or no.",
            f"sum(max {EACH} (balancer_plan_approvals_pending{{{OF_CLUSTER}}}))",
            "short",
            steps=[(1, "blue")],
        ),
        number(
            "Moves, 24 h",
            "Migrations that succeeded within a day.",
            f"sum(increase({ENDED}[24h]))",
            "short",
        ),
        number(
            "Failures, 24 h",
            "Migrations within a day that failed, or whose end is not known.",
            f"sum(increase({FAILED}[24h]))",
            "short",
            steps=[(1, WARN), (10, BAD)],
        ),
    )


def _clusters(grid: Grid) -> None:
    columns = (
        Column(heading="Mode", expr=f"max {EACH} ({MODE_IN_FORCE})"),
        Column(heading="Imbalance", expr=f"max {EACH} ({COMBINED})", unit="percentunit"),
        Column(heading="Trigger", expr=f"max {EACH} ({TRIGGER})", unit="percentunit"),
        Column(
            heading="Demand met",
            expr=f"min {EACH} ({SATISFIED})",
            unit="percentunit",
            steps=[(0.99, GOOD)],
        ),
        Column(
            heading="Headroom",
            expr=f"min {EACH} ({HEADROOM})",
            unit="percentunit",
            steps=[(0, GOOD)],
        ),
        Column(
            heading="Hosts",
            expr=f'max {EACH} (balancer_snapshot_objects{{{OF_CLUSTER},kind="host"}})',
        ),
        Column(
            heading="VMs", expr=f'max {EACH} (balancer_snapshot_objects{{{OF_CLUSTER},kind="vm"}})'
        ),
        Column(heading="Moves 24 h", expr=f"sum {EACH} (increase({ENDED}[24h]))"),
        Column(
            heading="Failures 24 h", expr=f"sum {EACH} (increase({FAILED}[24h]))", steps=[(1, WARN)]
        ),
        Column(
            heading="Since last cycle",
            expr=f"max {EACH} (time() - balancer_last_successful_cycle_timestamp_seconds{{{OF_CLUSTER}}})",
            unit="s",
        ),
    )
    grid.add(
        16,
        10,
        figures(
            "All clusters",
            "One row for each cluster. Mode: 0 observe, 1 manual, 2 partial, 3 automatic. Demand met and headroom "
            "are those of the scarcer resource. A click on the cluster opens its dashboard.",
            columns,
            {"cluster": "Cluster", "vcenter": "vCenter"},
            link=CLUSTER_LINK,
        ),
    )
    grid.add(
        8,
        10,
        figures(
            "Alerts that fire",
            "Alerts of the balancer's rules that fire now; empty when all is well. The runbooks say what to do.",
            [
                Column(
                    heading="Firing",
                    expr='sum by (alertname, severity, cluster) (ALERTS{alertname=~"Balancer.+",alertstate="firing"})',
                )
            ],
            {"alertname": "Alert", "severity": "Severity", "cluster": "Cluster"},
        ),
    )


def _balance(grid: Grid) -> None:
    grid.add(
        12,
        8,
        lines(
            "Imbalance",
            "Imbalance of each cluster over all resources: the figure that is held against trigger and target. Lower is more even.",
            [Ask(expr=f"max {EACH} ({COMBINED})", legend=NAMED)],
            "percentunit",
        ),
        states(
            "Mode in force",
            "Which mode held when the newest plan was made: policy, windows and verdicts can make it more careful than configured.",
            [Ask(expr=MODE_IN_FORCE, legend=NAMED)],
            MODES,
        ),
        lines(
            "Demand met",
            "Share of the VMs' demand that their hosts can meet, of the scarcer resource. Below 100 % VMs wait.",
            [Ask(expr=f"min {EACH} ({SATISFIED})", legend=NAMED)],
            "percentunit",
            least=None,
        ),
        lines(
            "Headroom after host failures",
            "Share of capacity left after demand and after what HA reserves, of the scarcer resource. Below 0 a host may not fail.",
            [Ask(expr=f"min {EACH} ({HEADROOM})", legend=NAMED)],
            "percentunit",
            least=None,
            steps=[(0, GOOD)],
        ),
    )


def _moves(grid: Grid) -> None:
    grid.add(
        8,
        8,
        lines(
            "Moves per hour",
            "Migrations that ended within the hour before, those never sent left out.",
            [Ask(expr=f"cluster:balancer_migrations:increase1h{{{OF_CLUSTER}}}", legend=NAMED)],
            "short",
            stacked=True,
        ),
        lines(
            "Share of moves that fail",
            "Of the migrations of the last hour. Empty while nothing is moved.",
            [
                Ask(
                    expr=f"cluster:balancer_migration_failures:ratio_increase1h{{{OF_CLUSTER}}}",
                    legend=NAMED,
                )
            ],
            "percentunit",
            steps=[(0.2, BAD)],
        ),
        lines(
            "Verdicts per day",
            "Batches of moves by what they were measured to have done once they had settled.",
            [
                Ask(
                    expr=f"sum by (result) (increase(balancer_batch_verdicts_total{{{OF_CLUSTER}}}[24h]))",
                    legend="{{result}}",
                )
            ],
            "short",
            stacked=True,
        ),
    )
