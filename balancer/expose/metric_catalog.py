"""Every metric of this program: name, type, labels, help. The page of reference is generated from here.

One prefix, base units (seconds, bytes, hertz, ratios 0..1), `_total` for counters, label values from
enumerations. `metrics` and `metric_samples` fill these; a name that is not here cannot be exposed.
"""

from balancer.expose.metric_spec import MetricSpec, counter, gauge, histogram, info

PROCESS: tuple[str, ...] = ()
VCENTER = ("vcenter",)
CLUSTER = ("vcenter", "cluster")

DURATION_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
REQUEST_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
PLANNING_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)
MIGRATION_BUCKETS_S = (
    *(5.0, 10.0, 20.0, 40.0, 80.0, 160.0),
    *(320.0, 640.0, 1280.0, 2560.0, 5120.0),
)
FORECAST_RATIO_BUCKETS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 2.0)
BENEFIT_RATIO_BUCKETS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0, 4.0)
ERROR_RATIO_BUCKETS = (0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0, 4.0, 8.0)


_PROCESS_SPECS = (
    info("build_info", ("version", "revision", "python", "ortools"), "Build of this program."),
    gauge(
        "config_last_reload_successful",
        PROCESS,
        "1 if the last load of the configuration was accepted.",
    ),
    gauge(
        "config_last_reload_success_timestamp_seconds",
        PROCESS,
        "When the configuration was last accepted.",
    ),
    info("config_hash_info", ("hash",), "Digest of the active configuration and policies."),
    gauge("store_size_bytes", PROCESS, "Size of the journal's database."),
    counter("store_errors_total", PROCESS, "Reads and writes of the journal that failed."),
    gauge("history_size_bytes", PROCESS, "Size of the file in which demand over weeks is kept."),
    gauge(
        "history_oldest_timestamp_seconds",
        PROCESS,
        "When the oldest step of demand on disk begins; 0 where there is none.",
    ),
    gauge("history_vms", PROCESS, "VMs whose demand is remembered, of all clusters."),
    counter(
        "history_errors_total",
        PROCESS,
        "Reads and writes of the file with demand over weeks that failed.",
    ),
    counter(
        "notifications_total",
        ("channel", "result"),
        "Notices by what became of them: delivered, failed, dropped (too many waited), repeated.",
    ),
    counter(
        "recorded_snapshots_total",
        ("result",),
        "Snapshots for the lab by what became of them: written, failed, dropped (too many waited).",
    ),
)

_VCENTER_SPECS = (
    gauge("vcenter_up", VCENTER, "1 if the vCenter answered when it was last asked."),
    gauge(
        "vcenter_failing",
        (*VCENTER, "cause"),
        "1 for the cause for which the vCenter could not be asked when a cycle last tried, 0 for the others.",
    ),
    counter("vcenter_requests_total", (*VCENTER, "method", "result"), "Calls to the vCenter."),
    histogram(
        "vcenter_request_duration_seconds",
        (*VCENTER, "method"),
        REQUEST_BUCKETS_S,
        "Seconds from a call to its answer.",
    ),
    counter("vcenter_logins_total", (*VCENTER, "result"), "Sessions opened, or not."),
    gauge(
        "vcenter_change_hints_up", VCENTER, "1 while the vCenter tells of changes between cycles."
    ),
    counter("vcenter_changes_total", (*VCENTER, "kind"), "Changes told by the vCenter, ours too."),
    gauge("vcenter_clock_offset_seconds", VCENTER, "The vCenter's clock minus ours."),
    counter(
        "vcenter_faulty_samples_total",
        (*VCENTER, "fault"),
        "Values of performance counters that were missing, negative or no numbers.",
    ),
)

_LOOP_SPECS = (
    gauge("cluster_mode", (*CLUSTER, "mode"), "1 for the configured mode, 0 for the others."),
    gauge(
        "cluster_mode_in_force",
        (*CLUSTER, "mode"),
        "1 for the mode in force when the last plan was made (policy, windows), 0 for the others.",
    ),
    gauge(
        "cluster_acting_withheld",
        (*CLUSTER, "reason"),
        "1 for the reason why the last plan was only shown although the mode acts, 0 for the others.",
    ),
    gauge(
        "paused",
        (*CLUSTER, "reason"),
        "1 while nothing is sent because of a pause (operator) or of the stop file, by reason.",
    ),
    counter("cycles_total", (*CLUSTER, "result"), "Cycles by how they ended."),
    histogram(
        "cycle_duration_seconds",
        (*CLUSTER, "phase"),
        DURATION_BUCKETS_S,
        "Seconds of a cycle's phases.",
    ),
    gauge("cycle_interval_seconds", CLUSTER, "Configured time from one cycle to the next."),
    gauge(
        "last_successful_cycle_timestamp_seconds",
        CLUSTER,
        "When a cycle last ended without an error.",
    ),
    gauge("next_cycle_timestamp_seconds", CLUSTER, "When the next cycle is to start."),
    counter("cycles_missed_total", CLUSTER, "Cycles that did not start in time."),
    gauge(
        "last_progress_timestamp_seconds",
        CLUSTER,
        "When the cluster's loop last did something: a cycle that began, went on, ended or failed.",
    ),
    gauge(
        "leader",
        CLUSTER,
        "1 while the cluster's newest lease in the journal is this instance's, 0 while it is another's;"
        " absent before the first.",
    ),
    counter(
        "leader_transitions_total",
        CLUSTER,
        "Times the cluster's newest lease was seen to be another holder's than before.",
    ),
)

_SNAPSHOT_SPECS = (
    gauge(
        "snapshot_timestamp_seconds", CLUSTER, "Time of the snapshot in use, by vCenter's clock."
    ),
    gauge("snapshot_objects", (*CLUSTER, "kind"), "Objects in the snapshot in use."),
    gauge(
        "snapshot_rejected_objects",
        (*CLUSTER, "kind", "cause"),
        "Objects that are not, or not whole, in the snapshot in use; kind tags: their tags are not known;"
        " cause unknown_word: a word that is not known was taken for the stricter side.",
    ),
    gauge(
        "snapshot_denied_objects",
        CLUSTER,
        "Hosts and VMs in the snapshot in use of which a property is hidden from the account.",
    ),
    gauge(
        "snapshot_unfit",
        (*CLUSTER, "reason"),
        "1 for each reason why the snapshot in use is not fit to act on, 0 for the others.",
    ),
    gauge(
        "snapshot_statistics_objects",
        (*CLUSTER, "kind", "outcome"),
        "Objects asked for real-time statistics in the snapshot in use; all but fresh have quickStats.",
    ),
    gauge(
        "cluster_imbalance_ratio",
        (*CLUSTER, "resource"),
        "Standard deviation of load over usable capacity, over the hosts that may run VMs.",
    ),
    gauge(
        "cluster_imbalance_combined_ratio",
        CLUSTER,
        "Imbalance over all resources, the figure that is compared with trigger and target.",
    ),
    gauge("cluster_imbalance_trigger_ratio", CLUSTER, "Balance is sought above this imbalance."),
    gauge("cluster_imbalance_target_ratio", CLUSTER, "Balance is sought down to this imbalance."),
    gauge(
        "cluster_demand_satisfied_ratio", (*CLUSTER, "resource"), "Share of VM demand that is met."
    ),
    gauge(
        "cluster_headroom_ratio",
        (*CLUSTER, "resource"),
        "Share of capacity left after demand and after what HA reserves; negative where none is.",
    ),
    gauge("cluster_hosts", (*CLUSTER, "state"), "Hosts by state."),
    gauge("cluster_vms", (*CLUSTER, "class"), "Running VMs by whether they may be moved."),
    gauge("host_cpu_capacity_hertz", (*CLUSTER, "host"), "CPU that VMs can use."),
    gauge("host_cpu_demand_hertz", (*CLUSTER, "host"), "CPU that VMs demand."),
    gauge("host_memory_capacity_bytes", (*CLUSTER, "host"), "Memory that VMs can use."),
    gauge("host_memory_demand_bytes", (*CLUSTER, "host"), "Memory that VMs demand."),
    gauge(
        "host_utilization_ratio",
        (*CLUSTER, "host", "resource"),
        "Demand over usable capacity; may exceed 1.",
    ),
    gauge("host_vms", (*CLUSTER, "host"), "VMs that are powered on."),
    gauge("rule_violations", (*CLUSTER, "rule_type", "enforcement"), "Rules that are broken now."),
)

_FORECAST_SPECS = (
    histogram(
        "forecast_error_ratio",
        (*CLUSTER, "resource", "horizon"),
        FORECAST_RATIO_BUCKETS,
        "Errors of demand forecast so long ahead, once known: sum over the VMs by what these wanted; 0: none.",
    ),
)

_LEARNT_SPECS = (
    gauge(
        "circuit_open",
        (*CLUSTER, "reason"),
        "1 for each reason why nothing is started on the cluster until time or a person ends it.",
    ),
    gauge("quarantined", (*CLUSTER, "kind"), "VMs, and hosts as targets, that are left alone now."),
    gauge("contended_vms", CLUSTER, "VMs left alone because somebody else moves them back."),
    gauge(
        "foreign_moves_against",
        CLUSTER,
        "Moves of ours that others undid within the last day and that nobody has acknowledged.",
    ),
)

_PLAN_SPECS = (
    counter(
        "candidates_rejected_total",
        (*CLUSTER, "reason"),
        "VMs and pairs of VM and host that plans left out, by the reason's stable word.",
    ),
    counter("plans_total", (*CLUSTER, "trigger", "result"), "Plans by what came of them."),
    histogram(
        "plan_duration_seconds",
        (*CLUSTER, "stage"),
        PLANNING_BUCKETS_S,
        "Seconds of planning by stage.",
    ),
    counter(
        "solver_incidents_total",
        (*CLUSTER, "kind"),
        "Failures of the solver that were contained while plans were made.",
    ),
    gauge("plan_moves", (*CLUSTER, "reason"), "Moves in the newest plan."),
    gauge(
        "plan_optimality_gap_ratio",
        CLUSTER,
        "Share of the possible fall in cost that the newest plan is not proven to reach;"
        " absent where the plan carries no bound.",
    ),
    gauge(
        "plan_makespan_gap_ratio",
        CLUSTER,
        "Time of the newest plan's moves beyond the least that is proven for them, as a share of that; 0: none.",
    ),
    gauge(
        "plan_approvals_pending",
        CLUSTER,
        "Different plans that wait for a person's yes or no and have not expired.",
    ),
    gauge(
        "plan_predicted_imbalance_ratio",
        (*CLUSTER, "resource", "when"),
        "Standard deviation of host load before and after the newest plan.",
    ),
    gauge(
        "plan_decision",
        (*CLUSTER, "aim", "answer"),
        "1 for what the newest plan decided for contention and for balance, 0 for the other answers.",
    ),
    gauge("trigger_sustained_ratio", (*CLUSTER, "aim"), "Share of late looks above the trigger."),
    gauge(
        "plan_predicted_relief_hertz",
        CLUSTER,
        "Unmet CPU demand that the newest plan's moves are expected to spare, on average over the horizon.",
    ),
    gauge(
        "plan_gain_price_ratio", CLUSTER, "Gain of the newest plan's load moves over their price."
    ),
)

_VERDICT_SPECS = (
    counter(
        "batch_verdicts_total",
        (*CLUSTER, "result"),
        "Batches of moves by what they were measured to have done.",
    ),
    histogram(
        "plan_realized_benefit_ratio",
        CLUSTER,
        BENEFIT_RATIO_BUCKETS,
        "Measured over predicted gain of batches, once settled; 1 is exact, harm counts as 0.",
    ),
)

_MIGRATION_SPECS = (
    counter("migrations_total", (*CLUSTER, "kind", "reason", "outcome"), "Moves that ended."),
    counter(
        "migration_faults_total",
        (*CLUSTER, "kind", "fault"),
        "Moves that failed, by vSphere fault.",
    ),
    histogram(
        "migration_duration_seconds",
        (*CLUSTER, "kind"),
        MIGRATION_BUCKETS_S,
        "Seconds of migrations that succeeded.",
    ),
    histogram(
        "migration_queue_wait_seconds",
        (*CLUSTER, "priority"),
        DURATION_BUCKETS_S,
        "Seconds from ready to started.",
    ),
    histogram(
        "migration_duration_error_ratio",
        (*CLUSTER, "kind"),
        ERROR_RATIO_BUCKETS,
        "Measured over predicted duration of migrations that succeeded; 1 is exact.",
    ),
    counter("migration_memory_bytes_total", (*CLUSTER, "kind"), "Memory of VMs that were moved."),
    gauge("migrations_in_flight", (*CLUSTER, "kind"), "Migrations of ours that run now."),
    gauge("migrations_queued", (*CLUSTER, "priority"), "Admitted moves that wait for their start."),
    gauge(
        "oldest_migration_start_timestamp_seconds",
        CLUSTER,
        "When the oldest running migration of ours was started; absent while none runs.",
    ),
    counter(
        "unclaimed_migrations_total",
        CLUSTER,
        "Migrations of our own account that no row of the journal knows, as of a second balancer.",
    ),
    gauge("concurrency_limit", (*CLUSTER, "scope"), "Migrations that may run at a time."),
)

CATALOGUE: tuple[MetricSpec, ...] = (
    *_PROCESS_SPECS,
    *_VCENTER_SPECS,
    *_LOOP_SPECS,
    *_SNAPSHOT_SPECS,
    *_FORECAST_SPECS,
    *_LEARNT_SPECS,
    *_PLAN_SPECS,
    *_VERDICT_SPECS,
    *_MIGRATION_SPECS,
)
"""All metrics, in the order of the page of reference."""
