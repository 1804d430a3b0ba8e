"""For each alert what lets it fire, and what must not: the tables behind `promtool test rules`.

Where an alert joins series, its firing case has two clusters (or instances) of which one fires.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Series = Mapping[str, str]
Firing = tuple[Mapping[str, str], str]
"""The labels of an alert that fires, without its severity, and how its value is shown in the summary."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is scraped each `step` (promtool's notation), when it is looked, and what fires then."""

    alert: str
    name: str
    series: Series
    at: str
    step: str = "1m"
    fires: tuple[Firing, ...] = field(default=())


def of(metric: str, cluster: str = "c1", more: str = "") -> str:
    """Return a series of a cluster."""
    return f'{metric}{{vcenter="v",cluster="{cluster}"{"," + more if more else ""}}}'


def labels(cluster: str = "c1", **more: str) -> dict[str, str]:
    return {"vcenter": "v", "cluster": cluster, **more}


C1 = labels()
LAST = "balancer_last_successful_cycle_timestamp_seconds"
EVERY = "balancer_cycle_interval_seconds"
PROGRESS = "balancer_last_progress_timestamp_seconds"
MIGRATIONS = "balancer_migrations_total"
IN_FORCE = "balancer_cluster_mode_in_force"
COMBINED = "balancer_cluster_imbalance_combined_ratio"
TRIGGER = "balancer_cluster_imbalance_trigger_ratio"
OLDEST = "balancer_oldest_migration_start_timestamp_seconds"
FLYING = "balancer_migrations_in_flight"
PLANS = "balancer_plans_total"
ONE = 'job="balancer",instance="one"'
TWO = 'job="balancer",instance="two"'


def pair(metric: str, first: str, second: str, more: str = "") -> Series:
    """Return a series of c1 and one of c2."""
    return {of(metric, "c1", more): first, of(metric, "c2", more): second}


def instances(metric: str, first: str, second: str, more: str = "") -> Series:
    """Return a series of two instances."""
    tail = f",{more}" if more else ""
    return {f"{metric}{{{ONE}{tail}}}": first, f"{metric}{{{TWO}{tail}}}": second}


def migrations(failed: str, succeeded: str, cluster: str) -> Series:
    more = 'kind="vmotion",reason="balance",outcome'
    return {
        of(MIGRATIONS, cluster, f'{more}="failed"'): failed,
        of(MIGRATIONS, cluster, f'{more}="succeeded"'): succeeded,
    }


def plans(result: str, first: str, second: str) -> Series:
    return pair(PLANS, first, second, f'trigger="interval",result="{result}"')


ABOUT_THE_LOOP = (
    Case(
        alert="BalancerAbsent",
        name="another job is scraped, no balancer",
        series={'up{job="other"}': "1x20"},
        at="11m",
        fires=(({}, ""),),
    ),
    Case(
        alert="BalancerAbsent",
        name="a balancer is scraped",
        series={"balancer_build_info{}": "1x20"},
        at="15m",
    ),
    Case(
        alert="BalancerCycleStale",
        name="c1 is thirty minutes behind all the time, c2 goes on",
        series=pair(LAST, "-1800+60x40", "0+60x40") | pair(EVERY, "300x40", "300x40"),
        at="30m",
        fires=((C1, "30m 0s"),),
    ),
    Case(
        alert="BalancerCycleStale",
        name="three intervals are not over for long enough",
        series=pair(LAST, "0x40", "0x40") | pair(EVERY, "300x40", "900x40"),
        at="19m",
    ),
    Case(
        alert="BalancerNoCycleYet",
        name="c2 has had a cycle, c1 has not",
        series=pair(EVERY, "300x60", "300x60") | {of(LAST, "c2"): "0+60x60"},
        at="31m",
        fires=((C1, ""),),
    ),
    Case(
        alert="BalancerNoCycleYet",
        name="the first cycle took a while",
        series={of(EVERY): "300x60", of(LAST): "_x10 600x50"},
        at="45m",
    ),
    Case(
        alert="BalancerLoopStuck",
        name="c1 is thirty minutes behind all the time, c2 goes on",
        series=pair(PROGRESS, "-1800+60x60", "0+60x60") | pair(EVERY, "300x60", "600x60"),
        at="30m",
        fires=((C1, "30m 0s"),),
    ),
    Case(
        alert="BalancerLoopStuck",
        name="a long plan is no standstill",
        series=pair(PROGRESS, "0x60", "0x60") | pair(EVERY, "300x60", "900x60"),
        at="18m",
    ),
    Case(
        alert="BalancerRestarting",
        name="one instance restarts, and so does a job that is no balancer",
        series=instances("process_start_time_seconds", "0x20 1x10 2x10 3x60", "0x100")
        | instances("balancer_build_info", "1x100", "1x100")
        | {'process_start_time_seconds{job="other",instance="o"}': "0x20 1x10 2x10 3x60"},
        at="50m",
        fires=(({"job": "balancer", "instance": "one"}, "3"),),
    ),
    Case(
        alert="BalancerRestarting",
        name="two starts within the hour are an upgrade",
        series=instances("process_start_time_seconds", "0x20 1x10 2x60", "0x100")
        | instances("balancer_build_info", "1x100", "1x100"),
        at="50m",
    ),
    Case(
        alert="BalancerLeaderCount",
        name="two instances lead c1, one leads c2",
        series={
            of("balancer_leader", "c1", 'instance="a"'): "1x10",
            of("balancer_leader", "c1", 'instance="b"'): "0 0 0 1x7",
            of("balancer_leader", "c2", 'instance="a"'): "1x10",
            of("balancer_leader", "c2", 'instance="b"'): "0x10",
        },
        at="6m",
        fires=((C1, "2"),),
    ),
    Case(
        alert="BalancerLeaderCount",
        name="two for a moment only, while a lease goes over",
        series={
            of("balancer_leader", "c1", 'instance="a"'): "1 1 1 1 0x10",
            of("balancer_leader", "c1", 'instance="b"'): "0 0 0 1x10",
        },
        at="4m",
    ),
    Case(
        alert="BalancerNotLeading",
        name="c1 acts and has lost its lease, c2 only observes",
        series=pair("balancer_leader", "0x60", "0x60")
        | {
            of(IN_FORCE, "c1", 'mode="automatic"'): "1x60",
            of(IN_FORCE, "c2", 'mode="automatic"'): "0x60",
        },
        at="31m",
        fires=((C1, ""),),
    ),
    Case(
        alert="BalancerNotLeading",
        name="one of two instances leads",
        series={
            of("balancer_leader", "c1", 'instance="a"'): "1x60",
            of("balancer_leader", "c1", 'instance="b"'): "0x60",
            of(IN_FORCE, "c1", 'mode="automatic"'): "1x60",
        },
        at="50m",
    ),
    Case(
        alert="BalancerCyclesMissed",
        name="c1 misses a cycle every ten minutes, c2 one in all",
        series=pair("balancer_cycles_missed_total", "0x9 1x9 2x9 3x9 4x9 5x50", "0x30 1x70"),
        at="60m",
        fires=((C1, "5"),),
    ),
    Case(
        alert="BalancerCyclesMissed",
        name="three in an hour are a long batch of moves",
        series=pair("balancer_cycles_missed_total", "0x20 1x20 2x60", "0x100"),
        at="60m",
    ),
    Case(
        alert="BalancerConfigReloadFailed",
        name="one instance refused it",
        series=instances("balancer_config_last_reload_successful", "0x20", "1x20"),
        at="6m",
        fires=(({"job": "balancer", "instance": "one"}, ""),),
    ),
    Case(
        alert="BalancerConfigReloadFailed",
        name="it was mended at once",
        series=instances("balancer_config_last_reload_successful", "0 0 1x20", "1x20"),
        at="10m",
    ),
    Case(
        alert="BalancerJournalErrors",
        name="one journal fails",
        series=instances("balancer_store_errors_total", "0x10 1x30", "0x40"),
        at="15m",
        fires=(({"job": "balancer", "instance": "one"}, ""),),
    ),
    Case(
        alert="BalancerJournalErrors",
        name="errors of earlier have ended",
        series=instances("balancer_store_errors_total", "0 4x60", "0x60"),
        at="40m",
    ),
    Case(
        alert="BalancerNotificationsFailing",
        name="mail fails, the other channel works",
        series={
            f'balancer_notifications_total{{{ONE},channel="mail",result="failed"}}': "0x10 2x60",
            f'balancer_notifications_total{{{ONE},channel="slack",result="delivered"}}': "0+1x70",
        },
        at="30m",
        fires=(({"job": "balancer", "instance": "one", "channel": "mail"}, ""),),
    ),
    Case(
        alert="BalancerNotificationsFailing",
        name="all arrive",
        series={
            f'balancer_notifications_total{{{ONE},channel="mail",result="delivered"}}': "0+1x70"
        },
        at="30m",
    ),
    Case(
        alert="BalancerRecordingFailing",
        name="the disk is full since a while",
        series={
            f'balancer_recorded_snapshots_total{{{ONE},result="written"}}': "0+1x10 10x60",
            f'balancer_recorded_snapshots_total{{{ONE},result="failed"}}': "0x10 0+1x60",
        },
        at="30m",
        fires=(({"job": "balancer", "instance": "one", "result": "failed"}, ""),),
    ),
    Case(
        alert="BalancerRecordingFailing",
        name="all are written",
        series={f'balancer_recorded_snapshots_total{{{ONE},result="written"}}': "0+1x70"},
        at="30m",
    ),
)
"""About the process and its loops."""
