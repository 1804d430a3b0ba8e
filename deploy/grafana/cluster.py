"""One cluster (or a few): hosts over time, balance and what was done for it, the newest plan, rules and data."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.board import Grid, put_together
from deploy.grafana.parts import (
    BAD,
    EACH,
    GOOD,
    MODE_IN_FORCE,
    MODES,
    OF_CLUSTER,
    WARN,
    YES_NO_BAD,
    Ask,
    Column,
    bars,
    figures,
    heat,
    lines,
    number,
    states,
)

LOAD = [(0.7, WARN), (0.9, BAD)]
PLANNED = f"balancer_plan_predicted_imbalance_ratio{{{OF_CLUSTER}"


def of(metric: str, more: str = "") -> str:
    """Return a metric of the chosen clusters."""
    return f"{metric}{{{OF_CLUSTER}{',' + more if more else ''}}}"


def board() -> Dashboard:
    """Return the dashboard."""
    grid = Grid()
    grid.row("Now")
    _now(grid)
    grid.row("Hosts")
    _hosts(grid)
    grid.row("Balance")
    _balance(grid)
    grid.row("Plan")
    _plan(grid)
    grid.row("Rules and what is left alone")
    _rules(grid)
    grid.row("What was read")
    _data(grid)
    return put_together(
        uid="balancer-cluster",
        title="Balancer / Cluster",
        meaning="One cluster: load of its hosts, balance with every migration marked, the newest plan and why not more.",
        grid=grid,
        hours=6,
    )


def _now(grid: Grid) -> None:
    grid.add(
        3,
        4,
        number(
            "Mode",
            "The mode in force when the newest plan was made.",
            MODE_IN_FORCE,
            "short",
            mappings=MODES,
            none="none yet",
        ),
        number(
            "Imbalance",
            "Over all resources; balance is sought above the trigger.",
            f"max {EACH} ({of('balancer_cluster_imbalance_combined_ratio')})",
            "percentunit",
            none="none yet",
        ),
        number(
            "Demand met",
            "Share of the VMs' demand that their hosts can meet, of the scarcer resource.",
            f"min {EACH} ({of('balancer_cluster_demand_satisfied_ratio')})",
            "percentunit",
            steps=[(0.99, GOOD)],
            base=WARN,
            none="none yet",
        ),
        number(
            "Headroom",
            "Capacity left after demand and what HA reserves, of the scarcer resource.",
            f"min {EACH} ({of('balancer_cluster_headroom_ratio')})",
            "percentunit",
            steps=[(0, GOOD)],
            base=BAD,
            none="none yet",
        ),
        number(
            "Hosts that serve",
            "Hosts that are connected and may run VMs.",
            f"sum({of('balancer_cluster_hosts', 'state=' + chr(34) + 'connected' + chr(34))})",
            "short",
        ),
        number(
            "Hard rules broken",
            "Must-rules that are broken now.",
            f"sum({of('balancer_rule_violations', 'enforcement=' + chr(34) + 'hard' + chr(34))})",
            "short",
            steps=[(1, WARN)],
        ),
        number(
            "Running now",
            "Migrations of the balancer that run now.",
            f"sum({of('balancer_migrations_in_flight')})",
            "short",
        ),
        number(
            "Age of what was read",
            "Since the snapshot in use was taken. More than a few intervals: cycles fail.",
            f"max(time() - {of('balancer_snapshot_timestamp_seconds')})",
            "s",
            none="none yet",
        ),
    )


def _hosts(grid: Grid) -> None:
    demand = "Demand of its VMs over what the host can give them. Grey cells: nothing was read."
    for resource, title in (("cpu", "CPU of hosts"), ("memory", "Memory of hosts")):
        expr = of("balancer_host_utilization_ratio", f'resource="{resource}"')
        grid.add(
            12,
            11,
            heat(title, demand, Ask(expr=expr, legend="{{host}}"), "percentunit", steps=LOAD),
        )
    grid.add(
        24,
        9,
        figures(
            "Hosts in figures",
            "Capacity that VMs can use and what they demand of it, for each host of the newest snapshot.",
            (
                Column(
                    heading="CPU capacity",
                    expr=of("balancer_host_cpu_capacity_hertz"),
                    unit="hertz",
                ),
                Column(
                    heading="CPU demand", expr=of("balancer_host_cpu_demand_hertz"), unit="hertz"
                ),
                Column(
                    heading="CPU",
                    expr=f"max by (vcenter, cluster, host) ({of('balancer_host_utilization_ratio', 'resource=' + chr(34) + 'cpu' + chr(34))})",
                    unit="percentunit",
                    steps=LOAD,
                ),
                Column(
                    heading="Memory capacity",
                    expr=of("balancer_host_memory_capacity_bytes"),
                    unit="bytes",
                ),
                Column(
                    heading="Memory demand",
                    expr=of("balancer_host_memory_demand_bytes"),
                    unit="bytes",
                ),
                Column(
                    heading="Memory",
                    expr=f"max by (vcenter, cluster, host) ({of('balancer_host_utilization_ratio', 'resource=' + chr(34) + 'memory' + chr(34))})",
                    unit="percentunit",
                    steps=LOAD,
                ),
                Column(heading="VMs", expr=of("balancer_host_vms")),
            ),
            {"host": "Host", "cluster": "Cluster"},
        ),
    )
    grid.add(
        12,
        7,
        lines(
            "Hosts by state",
            "Hosts of the cluster by their state; states that no host is in are left out.",
            [Ask(expr=f"sum by (state) ({of('balancer_cluster_hosts')}) > 0", legend="{{state}}")],
            "short",
            stacked=True,
        ),
        lines(
            "Running VMs by class",
            "Whether VMs may be moved: movable, pinned (migrating), excluded (by their owner), cooling down, immovable.",
            [Ask(expr=f"sum by (class) ({of('balancer_cluster_vms')})", legend="{{class}}")],
            "short",
            stacked=True,
        ),
    )


def _balance(grid: Grid) -> None:
    grid.add(
        12,
        9,
        lines(
            "Imbalance and its limits",
            "Spread of the hosts' load. Balance is sought above the trigger, down to the target. Migrations are marked.",
            [
                Ask(
                    expr=f"max {EACH} ({of('balancer_cluster_imbalance_combined_ratio')})",
                    legend="{{cluster}} combined",
                ),
                Ask(expr=of("balancer_cluster_imbalance_ratio"), legend="{{cluster}} {{resource}}"),
                Ask(
                    expr=f"max {EACH} ({of('balancer_cluster_imbalance_trigger_ratio')})",
                    legend="{{cluster}} trigger",
                ),
                Ask(
                    expr=f"max {EACH} ({of('balancer_cluster_imbalance_target_ratio')})",
                    legend="{{cluster}} target",
                ),
            ],
            "percentunit",
            dashed="/.* (trigger|target)$/",
        ),
        lines(
            "Plan against what came of it",
            "What the newest plan expects the spread to be after all of its moves, beside what is measured.",
            [
                Ask(expr=f'{PLANNED},when="after"}}', legend="{{cluster}} {{resource}} planned"),
                Ask(
                    expr=f'{PLANNED},when="before"}}',
                    legend="{{cluster}} {{resource}} before the plan",
                ),
                Ask(
                    expr=of("balancer_cluster_imbalance_ratio"),
                    legend="{{cluster}} {{resource}} measured",
                ),
            ],
            "percentunit",
            dashed="/.* planned$/",
        ),
        lines(
            "Demand met over time",
            "Share of the VMs' demand that their hosts can meet, by resource.",
            [
                Ask(
                    expr=of("balancer_cluster_demand_satisfied_ratio"),
                    legend="{{cluster}} {{resource}}",
                )
            ],
            "percentunit",
            least=None,
        ),
        lines(
            "Headroom after host failures",
            "Share of capacity left after demand and what HA reserves, by resource; below 0 there is none.",
            [Ask(expr=of("balancer_cluster_headroom_ratio"), legend="{{cluster}} {{resource}}")],
            "percentunit",
            least=None,
            steps=[(0, GOOD)],
        ),
    )


def _plan(grid: Grid) -> None:
    rejected = (
        f"topk(12, sum by (reason) (increase({of('balancer_candidates_rejected_total')}[1h])))"
    )
    grid.add(
        8,
        9,
        lines(
            "Moves in the newest plan",
            "By reason. Moves that this run's budgets do not admit count too.",
            [Ask(expr=f"sum by (reason) ({of('balancer_plan_moves')})", legend="{{reason}}")],
            "short",
            stacked=True,
        ),
        bars(
            "Why not more, last hour",
            "VMs and pairs of VM and host that plans left out, by the reason's word (docs/reference/reasons.md).",
            Ask(expr=rejected, legend="{{reason}}"),
            "short",
        ),
        lines(
            "Proven gaps of the newest plan",
            "How far the plan may be from the best: time of its moves beyond the least proven, and, where bounds were asked for, cost.",
            [
                Ask(expr=of("balancer_plan_makespan_gap_ratio"), legend="{{cluster}} time"),
                Ask(expr=of("balancer_plan_optimality_gap_ratio"), legend="{{cluster}} cost"),
            ],
            "percentunit",
        ),
    )
    grid.add(
        12,
        6,
        lines(
            "Plans waiting for approval",
            "Different plans that wait for a person's yes or no.",
            [Ask(expr=of("balancer_plan_approvals_pending"), legend="{{cluster}}")],
            "short",
        ),
        states(
            "What keeps plans from being carried out",
            "Yes for each reason that held: paused by people, stopped by what was learnt, withheld until a person changes something.",
            [
                Ask(
                    expr=f"max by (cluster, reason) ({of('balancer_paused')})",
                    legend="{{cluster}} paused: {{reason}}",
                ),
                Ask(
                    expr=f"max by (cluster, reason) ({of('balancer_circuit_open')})",
                    legend="{{cluster}} stopped: {{reason}}",
                ),
                Ask(
                    expr=f"max by (cluster, reason) ({of('balancer_cluster_acting_withheld')})",
                    legend="{{cluster}} withheld: {{reason}}",
                ),
            ],
            YES_NO_BAD,
        ),
    )


def _rules(grid: Grid) -> None:
    grid.add(
        8,
        7,
        lines(
            "Broken rules",
            "Rules that are broken, by type; hard ones are must-rules.",
            [
                Ask(
                    expr=f"sum by (rule_type, enforcement) ({of('balancer_rule_violations')})",
                    legend="{{enforcement}} {{rule_type}}",
                )
            ],
            "short",
        ),
        lines(
            "Left alone by experience",
            "VMs, and hosts as targets, that are left alone for a while after failures or returns.",
            [
                Ask(expr=f"sum by (kind) ({of('balancer_quarantined')})", legend="{{kind}}"),
                Ask(expr=f"sum({of('balancer_contended_vms')})", legend="moved back by others"),
            ],
            "short",
        ),
        lines(
            "Moves that others undid",
            "Within the last day, and not acknowledged yet.",
            [Ask(expr=of("balancer_foreign_moves_against"), legend="{{cluster}}")],
            "short",
            steps=[(3, WARN)],
        ),
    )


def _data(grid: Grid) -> None:
    grid.add(
        6,
        7,
        lines(
            "Objects read",
            "Hosts, VMs and rules in the snapshot in use.",
            [Ask(expr=f"sum by (kind) ({of('balancer_snapshot_objects')})", legend="{{kind}}")],
            "short",
        ),
        lines(
            "Objects left out",
            "Not, or not whole, in the snapshot, by cause; and those of which a property is hidden from the account.",
            [
                Ask(
                    expr=f"sum by (kind, cause) ({of('balancer_snapshot_rejected_objects')})",
                    legend="{{kind}} {{cause}}",
                ),
                Ask(expr=of("balancer_snapshot_denied_objects"), legend="{{cluster}} hidden"),
            ],
            "short",
            steps=[(1, WARN)],
        ),
        lines(
            "Statistics",
            "Objects by what came of asking for real-time statistics; all but fresh are judged by quickStats.",
            [
                Ask(
                    expr=f"sum by (kind, outcome) ({of('balancer_snapshot_statistics_objects')})",
                    legend="{{kind}} {{outcome}}",
                )
            ],
            "short",
            stacked=True,
        ),
        states(
            "Not fit to act on",
            "Yes for each reason for which the snapshot in use is not acted on.",
            [
                Ask(
                    expr=f"max by (cluster, reason) ({of('balancer_snapshot_unfit')})",
                    legend="{{cluster}} {{reason}}",
                )
            ],
            YES_NO_BAD,
        ),
    )
