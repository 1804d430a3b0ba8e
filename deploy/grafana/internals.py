"""The balancer itself: its cycles, planning, calls to vCenters, journal, process and configuration."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.board import Grid, put_together
from deploy.grafana.cluster import of
from deploy.grafana.migrations import RATE, quantiles
from deploy.grafana.parts import (
    BAD,
    EACH,
    GOOD,
    OF_VCENTER,
    WARN,
    YES_NO_BAD,
    YES_NO_GOOD,
    Ask,
    Column,
    figures,
    lines,
    number,
    states,
)

OURS = "and on (job, instance) balancer_build_info"
"""Narrows metrics of any process to those of balancers."""

NAMED = "{{vcenter}} / {{cluster}}"


def vc(metric: str, more: str = "") -> str:
    """Return a metric of the chosen vCenters."""
    return f"{metric}{{{OF_VCENTER}{',' + more if more else ''}}}"


def board() -> Dashboard:
    """Return the dashboard."""
    grid = Grid()
    grid.row("Now")
    _now(grid)
    grid.row("Cycles")
    _cycles(grid)
    grid.row("Planning")
    _planning(grid)
    grid.row("vCenters")
    _vcenters(grid)
    grid.row("Process, journal, configuration")
    _process(grid)
    return put_together(
        uid="balancer-internals",
        title="Balancer / Internals",
        meaning="Whether the balancer itself is well: cycles, planning, calls to vCenters, journal, process.",
        grid=grid,
        hours=6,
    )


def _now(grid: Grid) -> None:
    stale = f"time() - {of('balancer_last_successful_cycle_timestamp_seconds')}"
    progress = f"time() - {of('balancer_last_progress_timestamp_seconds')}"
    grid.add(
        4,
        4,
        number(
            "Instances",
            "Balancers that are scraped.",
            "count(balancer_build_info)",
            "short",
            steps=[(1, GOOD)],
            base=BAD,
        ),
        number(
            "Oldest last cycle",
            "Since the last complete cycle of the cluster that is worst off.",
            f"max({stale})",
            "s",
            none="none yet",
        ),
        number(
            "Longest silence",
            "Since the loop that is quietest last did anything; its watchdog counts this.",
            f"max({progress})",
            "s",
            none="none yet",
        ),
        number(
            "Newest configuration",
            "Whether the newest configuration is in force. No: it was refused, see the log.",
            "min(balancer_config_last_reload_successful)",
            "short",
            mappings=YES_NO_GOOD,
            none="not told",
        ),
        number(
            "Journal",
            "Size of the journal's file.",
            "max(balancer_store_size_bytes)",
            "bytes",
            none="not told",
        ),
        number(
            "Journal errors, 24 h",
            "Reads and writes of the journal that failed. Nothing is moved while it fails.",
            "sum(increase(balancer_store_errors_total[24h]))",
            "short",
            steps=[(1, BAD)],
        ),
    )


def _cycles(grid: Grid) -> None:
    grid.add(
        8,
        8,
        lines(
            "Cycles by result",
            "How many ended in each step of the graph. Skipped: what was read was not fit to act on.",
            [
                Ask(
                    expr=f"sum by (result) (increase({of('balancer_cycles_total')}{RATE}))",
                    legend="{{result}}",
                )
            ],
            "short",
            stacked=True,
        ),
        lines(
            "95 % of phases",
            "How long the phases of cycles take.",
            [
                Ask(
                    expr=f"histogram_quantile(0.95, sum by (phase, le) (rate({of('balancer_cycle_duration_seconds_bucket')}{RATE})))",
                    legend="{{phase}}",
                )
            ],
            "s",
        ),
        lines(
            "Age of the last cycle",
            "Since the last complete cycle; an alert fires at three times the interval.",
            [
                Ask(
                    expr=f"cluster:balancer_cycle_age_seconds:max{{{'vcenter=~' + chr(34) + '$vcenter' + chr(34) + ',cluster=~' + chr(34) + '$cluster' + chr(34)}}}",
                    legend=NAMED,
                ),
                Ask(
                    expr=f"max {EACH} ({of('balancer_cycle_interval_seconds')})",
                    legend="interval of {{cluster}}",
                ),
            ],
            "s",
            dashed="/^interval .*/",
        ),
        lines(
            "Cycles that did not start in time",
            "Within the hour before: the one before was still running.",
            [
                Ask(
                    expr=f"sum {EACH} (increase({of('balancer_cycles_missed_total')}[1h]))",
                    legend=NAMED,
                )
            ],
            "short",
            steps=[(3, WARN)],
        ),
        lines(
            "Time to the next cycle",
            "Until the next regular cycle begins; early ones come before it.",
            [Ask(expr=f"{of('balancer_next_cycle_timestamp_seconds')} - time()", legend=NAMED)],
            "s",
            least=None,
        ),
        states(
            "Configured mode",
            "1 for each cluster's configured mode; what is in force stands on the fleet's dashboard.",
            [
                Ask(
                    expr=f"max by (vcenter, cluster, mode) ({of('balancer_cluster_mode')}) == 1",
                    legend="{{cluster}} {{mode}}",
                )
            ],
            YES_NO_GOOD,
        ),
    )


def _planning(grid: Grid) -> None:
    grid.add(
        8,
        8,
        lines(
            "Plans by result",
            "How many in each step of the graph; approved plans that are carried out count again.",
            [
                Ask(
                    expr=f"sum by (result, trigger) (increase({of('balancer_plans_total')}{RATE})) > 0",
                    legend="{{result}} by {{trigger}}",
                    exemplars=True,
                )
            ],
            "short",
            stacked=True,
        ),
        lines(
            "Time of planning by stage",
            "Median and 95th percentile of the stages.",
            quantiles("balancer_plan_duration_seconds", "stage", "{{stage}}"),
            "s",
        ),
        lines(
            "Failures of the solver",
            "Contained ones: the plan goes on without the solver's answer.",
            [
                Ask(
                    expr=f"sum by (kind) (increase({of('balancer_solver_incidents_total')}{RATE}))",
                    legend="{{kind}}",
                )
            ],
            "short",
            steps=[(1, WARN)],
        ),
    )


def _vcenters(grid: Grid) -> None:
    calls = vc("balancer_vcenter_requests_total")
    grid.add(
        8,
        8,
        states(
            "Answers",
            "Whether each vCenter could be asked when a cycle last tried.",
            [Ask(expr=f"max by (vcenter) ({vc('balancer_vcenter_up')})", legend="{{vcenter}}")],
            YES_NO_GOOD,
        ),
        states(
            "Why not",
            "Yes for the cause for which it could not be asked.",
            [
                Ask(
                    expr=f"max by (vcenter, cause) ({vc('balancer_vcenter_failing')})",
                    legend="{{vcenter}} {{cause}}",
                )
            ],
            YES_NO_BAD,
        ),
        lines(
            "Clock offset",
            "The vCenter's clock minus ours, seen from the answers; much of either sign makes facts unfit to act on.",
            [Ask(expr=vc("balancer_vcenter_clock_offset_seconds"), legend="{{vcenter}}")],
            "s",
            least=None,
        ),
        lines(
            "Calls per second",
            "By the method's name on the wire.",
            [Ask(expr=f"sum by (method) (rate({calls}{RATE}))", legend="{{method}}")],
            "reqps",
            stacked=True,
        ),
        lines(
            "Calls that fail",
            "Share of all calls that end in anything but an answer.",
            [
                Ask(
                    expr=f"vcenter:balancer_vcenter_requests:ratio_failed5m{{{OF_VCENTER}}}",
                    legend="{{vcenter}}",
                )
            ],
            "percentunit",
            steps=[(0.05, WARN)],
        ),
        lines(
            "95 % of calls",
            "Seconds from a call to its answer, by method.",
            [
                Ask(
                    expr=f"histogram_quantile(0.95, sum by (method, le) (rate({vc('balancer_vcenter_request_duration_seconds_bucket')}{RATE})))",
                    legend="{{method}}",
                )
            ],
            "s",
        ),
        lines(
            "Logins",
            "Sessions that were opened or refused, within the hour before.",
            [
                Ask(
                    expr=f"sum by (vcenter, result) (increase({vc('balancer_vcenter_logins_total')}[1h]))",
                    legend="{{vcenter}} {{result}}",
                )
            ],
            "short",
        ),
        lines(
            "Changes told",
            "What vCenters tell between cycles, our own moves too, and whether they are heard.",
            [
                Ask(
                    expr=f"sum by (vcenter, kind) (increase({vc('balancer_vcenter_changes_total')}{RATE}))",
                    legend="{{vcenter}} {{kind}}",
                ),
                Ask(
                    expr=f"max by (vcenter) ({vc('balancer_vcenter_change_hints_up')})",
                    legend="{{vcenter}} heard",
                ),
            ],
            "short",
        ),
        lines(
            "Faulty samples",
            "Values of performance counters that were missing, negative or no numbers.",
            [
                Ask(
                    expr=f"sum by (vcenter, fault) (increase({vc('balancer_vcenter_faulty_samples_total')}{RATE}))",
                    legend="{{vcenter}} {{fault}}",
                )
            ],
            "short",
        ),
    )


def _process(grid: Grid) -> None:
    where = "{{instance}}"
    grid.add(
        6,
        7,
        lines(
            "Memory",
            "Resident memory of the process.",
            [Ask(expr=f"process_resident_memory_bytes {OURS}", legend=where)],
            "bytes",
        ),
        lines(
            "Processor",
            "Processor time of the process, in cores.",
            [Ask(expr=f"rate(process_cpu_seconds_total{RATE}) {OURS}", legend=where)],
            "short",
        ),
        lines(
            "File descriptors",
            "Open ones beside what the system allows.",
            [
                Ask(expr=f"process_open_fds {OURS}", legend=where),
                Ask(expr=f"process_max_fds {OURS}", legend="limit of " + where),
            ],
            "short",
            dashed="/^limit .*/",
        ),
        lines(
            "Age of the process",
            "Since its start: falls to 0 with each restart.",
            [Ask(expr=f"time() - process_start_time_seconds {OURS}", legend=where)],
            "s",
        ),
        lines(
            "Size of the journal",
            "Size of its file; what is old is dropped once a day.",
            [Ask(expr="balancer_store_size_bytes", legend="size, " + where)],
            "bytes",
        ),
        lines(
            "Journal errors",
            "Reads and writes that failed within the hour before.",
            [Ask(expr="increase(balancer_store_errors_total[1h])", legend=where)],
            "short",
            steps=[(1, BAD)],
        ),
        lines(
            "Size of the memory of demand",
            "Of the file in which demand over weeks is kept; see history.most_mib.",
            [Ask(expr="balancer_history_size_bytes", legend="size, " + where)],
            "bytes",
        ),
        lines(
            "VMs remembered",
            "Whose demand is remembered, of all clusters.",
            [Ask(expr="balancer_history_vms", legend=where)],
            "short",
        ),
        lines(
            "Reach of the memory of demand",
            "Age of the oldest step on disk.",
            [
                Ask(
                    expr="time() - (balancer_history_oldest_timestamp_seconds > 0)",
                    legend=where,
                )
            ],
            "s",
        ),
        lines(
            "Errors of the memory of demand",
            "Reads and writes of its file that failed within the hour before. Nothing else depends on it.",
            [Ask(expr="increase(balancer_history_errors_total[1h])", legend=where)],
            "short",
            steps=[(1, BAD)],
        ),
        lines(
            "Notifications and recordings",
            "By what came of notices, and of snapshots for the lab, within the hour before.",
            [
                Ask(
                    expr="sum by (channel, result) (increase(balancer_notifications_total[1h]))",
                    legend="{{channel}} {{result}}",
                ),
                Ask(
                    expr="sum by (result) (increase(balancer_recorded_snapshots_total[1h]))",
                    legend="recording {{result}}",
                ),
            ],
            "short",
        ),
        states(
            "Who leads",
            "Whether the newest lease of each cluster is the scraped instance's.",
            [
                Ask(
                    expr=f"max by (instance, vcenter, cluster) ({of('balancer_leader')})",
                    legend="{{cluster}} on {{instance}}",
                )
            ],
            YES_NO_GOOD,
        ),
    )
    grid.add(
        8,
        6,
        lines(
            "Leases that changed hands",
            "Within the hour before. Beyond a restart or a failover: somebody else acts on the cluster.",
            [
                Ask(
                    expr=f"sum {EACH} (increase({of('balancer_leader_transitions_total')}[1h]))",
                    legend=NAMED,
                )
            ],
            "short",
            steps=[(4, WARN)],
        ),
        figures(
            "Builds",
            "Version of each instance.",
            [
                Column(
                    heading="Running",
                    expr="max by (instance, version, revision, python, ortools) (balancer_build_info)",
                )
            ],
            {
                "instance": "Instance",
                "version": "Version",
                "revision": "Revision",
                "python": "Python",
                "ortools": "OR-Tools",
            },
        ),
        figures(
            "Configurations in force",
            "Digest of configuration and policies, and when it was taken up.",
            [
                Column(
                    heading="Taken up",
                    expr="max by (instance, hash) (balancer_config_hash_info) * on (instance) group_left () (1000 * max by (instance) (balancer_config_last_reload_success_timestamp_seconds))",
                    unit="dateTimeAsIso",
                )
            ],
            {"instance": "Instance", "hash": "Digest"},
        ),
    )
