"""Migrations: how many, how long, what failed, and whether what was predicted came true."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.board import Grid, put_together
from deploy.grafana.cluster import of
from deploy.grafana.parts import (
    BAD,
    EACH,
    OF_CLUSTER,
    WARN,
    Ask,
    Column,
    bars,
    buckets,
    figures,
    lines,
    number,
)

SENT = of("balancer_migrations_total", 'outcome!="skipped"')
DONE = of("balancer_migrations_total", 'outcome="succeeded"')
FAILED = of("balancer_migrations_total", 'outcome=~"failed|timed_out"')
RATE = "[$__rate_interval]"


def quantiles(metric: str, by: str = "", legend: str = "") -> list[Ask]:
    """Return median and 95th percentile of a histogram, with exemplars that name plans."""
    groups = f"le, {by}" if by else "le"
    inside = f"sum by ({groups}) (rate({of(metric + '_bucket')}{RATE}))"
    name = f"{legend} " if legend else ""
    return [
        Ask(expr=f"histogram_quantile({q}, {inside})", legend=f"{name}{word}", exemplars=q == 0.95)
        for q, word in ((0.5, "median"), (0.95, "95 %"))
    ]


def board() -> Dashboard:
    """Return the dashboard."""
    grid = Grid()
    grid.row("Now")
    _now(grid)
    grid.row("Rate and errors")
    _rate(grid)
    grid.row("Time")
    _time(grid)
    grid.row("Predicted against measured")
    _decided(grid)
    _predicted(grid)
    return put_together(
        uid="balancer-migrations",
        title="Balancer / Migrations",
        meaning="Every migration of the balancer: rate, failures by fault, duration, waiting, and how good predictions were.",
        grid=grid,
        hours=24,
    )


def _now(grid: Grid) -> None:
    oldest = f"max(time() - {of('balancer_oldest_migration_start_timestamp_seconds')})"
    grid.add(
        4,
        4,
        number(
            "Running",
            "Migrations of the balancer that run now.",
            f"sum({of('balancer_migrations_in_flight')})",
            "short",
        ),
        number(
            "Waiting",
            "Admitted moves that wait for their start.",
            f"sum({of('balancer_migrations_queued')})",
            "short",
        ),
        number(
            "Oldest running",
            "Since the oldest running migration was started; above an hour an alert fires.",
            oldest,
            "s",
            steps=[(1800, WARN), (3600, BAD)],
            none="none runs",
        ),
        number(
            "Moves, 24 h",
            "Migrations that succeeded within a day.",
            f"sum(increase({DONE}[24h]))",
            "short",
        ),
        number(
            "Failed, 24 h",
            "Migrations within a day that failed, or whose end is not known.",
            f"sum(increase({FAILED}[24h]))",
            "short",
            steps=[(1, WARN), (10, BAD)],
        ),
        number(
            "Not ours",
            "Migrations by the balancer's account within a day that its journal does not know.",
            f"sum(increase({of('balancer_unclaimed_migrations_total')}[24h]))",
            "short",
            steps=[(1, BAD)],
        ),
    )


def _rate(grid: Grid) -> None:
    grid.add(
        12,
        8,
        lines(
            "Migrations by outcome",
            "How many ended in each step of the graph. Skipped: never sent, or never became a migration.",
            [
                Ask(
                    expr=f"sum by (outcome) (increase({of('balancer_migrations_total')}{RATE}))",
                    legend="{{outcome}}",
                    exemplars=True,
                )
            ],
            "short",
            stacked=True,
        ),
        lines(
            "Migrations by reason",
            "Why VMs were moved, those never sent left out.",
            [Ask(expr=f"sum by (reason) (increase({SENT}{RATE}))", legend="{{reason}}")],
            "short",
            stacked=True,
        ),
    )
    faults = f"sum by (kind, fault) (increase({of('balancer_migration_faults_total')}[$__range]))"
    grid.add(
        8,
        8,
        figures(
            "Faults",
            "Failures within the time shown, by vSphere fault (docs/reference/faults.md says what each leads to).",
            [Column(heading="Failures", expr=faults)],
            {"fault": "Fault", "kind": "Kind"},
        ),
        lines(
            "Share that fails",
            "Of the migrations of the last hour; an alert fires above the line for ten minutes.",
            [
                Ask(
                    expr=f"cluster:balancer_migration_failures:ratio_increase1h{{{OF_CLUSTER}}}",
                    legend="{{vcenter}} / {{cluster}}",
                )
            ],
            "percentunit",
            steps=[(0.2, BAD)],
        ),
        lines(
            "Memory moved",
            "Memory of the VMs that were moved, per second.",
            [
                Ask(
                    expr=f"sum {EACH} (rate({of('balancer_migration_memory_bytes_total')}{RATE}))",
                    legend="{{vcenter}} / {{cluster}}",
                )
            ],
            "Bps",
        ),
    )


def _time(grid: Grid) -> None:
    limits = f"max by (scope) ({of('balancer_concurrency_limit')})"
    grid.add(
        12,
        8,
        lines(
            "Duration",
            "From the request to the end, of migrations that succeeded. Points are single ones and name their plan.",
            quantiles("balancer_migration_duration_seconds"),
            "s",
        ),
        buckets(
            "Duration, all",
            "How many migrations took how long.",
            f"sum by (le) (increase({of('balancer_migration_duration_seconds_bucket')}{RATE}))",
            "s",
        ),
        lines(
            "Wait for the start",
            "From when a move could begin to when it was sent: slots on hosts and in the cluster.",
            quantiles("balancer_migration_queue_wait_seconds", "priority", "{{priority}}"),
            "s",
        ),
        lines(
            "Running against the limit",
            "Migrations that run and wait, beside how many may run in a cluster.",
            [
                Ask(
                    expr=f"sum {EACH} ({of('balancer_migrations_in_flight')})",
                    legend="{{cluster}} running",
                ),
                Ask(
                    expr=f"sum {EACH} ({of('balancer_migrations_queued')})",
                    legend="{{cluster}} waiting",
                ),
                Ask(expr=limits, legend="limit per {{scope}}"),
            ],
            "short",
            dashed="/^limit .*/",
        ),
        lines(
            "95 % of durations, last hour",
            "For each cluster, as the recording rule keeps it.",
            [
                Ask(
                    expr=f"cluster:balancer_migration_duration_seconds:p95_1h{{{OF_CLUSTER}}}",
                    legend="{{vcenter}} / {{cluster}}",
                )
            ],
            "s",
        ),
    )


def _decided(grid: Grid) -> None:
    grid.add(
        6,
        8,
        lines(
            "Decisions",
            "What the newest plan decided for contention and for balance: the answer that is shown is 1.",
            [
                Ask(
                    expr=f"max by (cluster, aim, answer) ({of('balancer_plan_decision')}) == 1",
                    legend="{{cluster}} {{aim}}: {{answer}}",
                )
            ],
            "none",
        ),
        lines(
            "Above the trigger lately",
            "Share of late looks in which contention or imbalance was above its trigger.",
            [
                Ask(
                    expr=f"max by (cluster, aim) ({of('balancer_trigger_sustained_ratio')})",
                    legend="{{cluster}} {{aim}}",
                )
            ],
            "percentunit",
        ),
        lines(
            "Relief that plans expect",
            "Unmet CPU demand that the newest plan's moves would spare, on average over the horizon.",
            [
                Ask(
                    expr=f"sum by (cluster) ({of('balancer_plan_predicted_relief_hertz')})",
                    legend="{{cluster}}",
                )
            ],
            "hertz",
        ),
        lines(
            "Gain over price of plans",
            "Of the newest plan's moves for the load; 1 is what they cost.",
            [
                Ask(
                    expr=f"max by (cluster) ({of('balancer_plan_gain_price_ratio')})",
                    legend="{{cluster}}",
                )
            ],
            "none",
        ),
    )


def _predicted(grid: Grid) -> None:
    grid.add(
        6,
        8,
        lines(
            "Duration: measured over predicted",
            "1 is exact, 2 is twice as long as predicted.",
            quantiles("balancer_migration_duration_error_ratio"),
            "none",
        ),
        lines(
            "Gain: measured over predicted",
            "Of batches of moves, once settled; 1 is exact, harm counts as 0.",
            quantiles("balancer_plan_realized_benefit_ratio"),
            "none",
        ),
        lines(
            "Demand: error of the forecast",
            "Errors of all VMs over what they wanted, by how far ahead; 0 is exact. Median of the time step.",
            [
                Ask(
                    expr=f"histogram_quantile(0.5, sum by (le, resource, horizon) (rate({of('balancer_forecast_error_ratio_bucket')}{RATE})))",
                    legend="{{resource}} {{horizon}}",
                )
            ],
            "percentunit",
        ),
        bars(
            "Verdicts in the time shown",
            "Batches by what they were measured to have done. Three worse of the last five stop the cluster.",
            Ask(
                expr=f"sum by (result) (increase({of('balancer_batch_verdicts_total')}[$__range]))",
                legend="{{result}}",
            ),
            "short",
        ),
    )
