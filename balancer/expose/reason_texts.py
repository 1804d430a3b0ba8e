"""What each `Reason` means, for people: a short phrase, a sentence, and what can be done about it.

The report prints the phrase beside the stable word; `docs/reference/reasons.md` is generated from all
three. Owns words only: which reason applies is decided by the judges and the other stages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from balancer.expose.reason_rows_vm import VM_AND_PAIR_ROWS, Row
from balancer.model.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonText:
    """A reason in words. `phrase` fits behind "12 VMs:"; `mend` is empty where nothing is wrong."""

    phrase: str
    sentence: str
    mend: str = ""


def reason_text(reason: Reason) -> ReasonText:
    """Return the words for a reason; a reason without an entry speaks through its own word."""
    plain = reason.value.replace("_", " ")
    return REASON_TEXTS.get(reason) or ReasonText(phrase=plain, sentence=plain)


_WAIT = "Nothing: it passes by itself."

_RUN_ROWS: tuple[Row, ...] = (
    # time and limits
    (
        Reason.RECENTLY_MOVED,
        "moved a short while ago",
        "The VM has not yet stayed on its host for the time that the policy asks for.",
        _WAIT,
    ),
    (
        Reason.VM_FAILED_RECENTLY,
        "failed to move a short while ago",
        "A move of the VM failed, so that it is left alone for a time.",
        "See the fault in the journal; the hold ends by itself.",
    ),
    (
        Reason.TARGET_FAILED_RECENTLY,
        "target refused moves a short while ago",
        "Moves to the target failed, so that it takes none for a time.",
        "See the fault in the journal; the hold ends by itself.",
    ),
    (
        Reason.IN_FLIGHT,
        "is being migrated",
        "A migration of the VM is running, or its end is not known yet.",
        _WAIT,
    ),
    (
        Reason.CONTENDED,
        "somebody moved it back",
        "We moved the VM and somebody else moved it back: it is left to them for a while.",
        "Exclude the VM in the policy, or find who moves it.",
    ),
    (
        Reason.HOST_SLOTS,
        "host has its full number of migrations",
        "As many migrations run on the host as may run at a time.",
        _WAIT,
    ),
    (
        Reason.DATASTORE_SLOTS,
        "datastore busy",
        "As many VMs of one of its datastores are being migrated as vCenter allows at once.",
        _WAIT,
    ),
    (
        Reason.CLUSTER_SLOTS,
        "cluster has its full number of migrations",
        "As many migrations run in the cluster as may run at a time.",
        _WAIT,
    ),
    (
        Reason.RUN_BUDGET,
        "waits: budget of this run is used",
        "This run may make so many moves; the rest is planned anew next time.",
        "Raise moves_per_run in the policy.",
    ),
    (
        Reason.HOUR_BUDGET,
        "waits: budget of this hour is used",
        "So many moves may be made in an hour; the rest is planned anew later.",
        "Raise moves_per_hour in the policy.",
    ),
    (
        Reason.VM_BUDGET,
        "moved often enough today",
        "The VM has been moved as often as it may be in a day.",
        "Raise moves_per_vm_per_day in the policy.",
    ),
    (
        Reason.ON_TRIAL,
        "first moves must stand",
        "Whether others move VMs here too is not known at first: moves that stood for 15 minutes allow more.",
        _WAIT,
    ),
    # the plan and its steps
    (
        Reason.NO_TARGET,
        "no host can take it",
        "Every other host is ruled out for the VM.",
        "See the reasons given for each host.",
    ),
    (
        Reason.NOT_NEEDED,
        "not needed",
        "The goals are met without moving the VM, or nothing calls for them.",
        "",
    ),
    (
        Reason.UNREACHABLE,
        "no safe order of moves found",
        "The goal is sound, but no order of moves leads there without breaking a law on the way.",
        "Free room on some host.",
    ),
    (
        Reason.DEPENDENCY_FAILED,
        "an earlier move failed",
        "A move that had to end before this one did not succeed.",
        "The next cycle plans anew.",
    ),
    (
        Reason.PLAN_TOO_OLD,
        "plan too old",
        "The plan's age passed the limit before the move was started.",
        "The next cycle plans anew.",
    ),
    (
        Reason.SOURCE_CHANGED,
        "stands on another host than planned",
        "The VM has left the host that the plan found it on.",
        "The next cycle plans anew.",
    ),
    (Reason.VM_VANISHED, "VM is gone", "The VM is no longer in the cluster.", ""),
    (Reason.HOST_VANISHED, "host is gone", "The host is no longer in the cluster.", ""),
    (
        Reason.FACT_CHANGED,
        "a fact that the plan rests on has changed",
        "Something is not as it was when the plan was made, so that the plan is not carried out.",
        "Make a new plan; the detail names the fact.",
    ),
    (
        Reason.GOAL_OFF,
        "goal switched off",
        "The policy does not seek the goal that would move the VM, or the state of the cluster forbids it.",
        "Switch the goal on in the policy.",
    ),
    # the whole cluster
    (
        Reason.OBSERVE_MODE,
        "held back by the mode",
        "The mode in force is observe (nothing is moved) or partial (only evacuations and rule repairs are).",
        "Set the mode of the cluster, the policy or the VM to partial or automatic.",
    ),
    (
        Reason.NOT_APPROVED,
        "not approved",
        "The mode in force is manual: plans are made and shown, nothing is moved that nobody approved.",
        "Set the mode of the cluster, the policy or the VM to partial or automatic.",
    ),
    (
        Reason.WINDOW_CLOSED,
        "outside of the policy's windows",
        "The policy's windows do not allow it now; the detail names the window and when that changes.",
        "Wait, or change the windows of the policy.",
    ),
    (
        Reason.PAUSED,
        "paused by a person",
        "Somebody paused the cluster, or all of them: nothing is started.",
        "balancer resume ends it; balancer journal shows who paused, and why.",
    ),
    (
        Reason.STOP_FILE,
        "the stop file is there",
        "As long as the stop file exists nothing is started on any cluster.",
        "Remove the file that the configuration names as stop_file.",
    ),
    (
        Reason.LEASE_HELD,
        "another process acts on this cluster",
        "Only the process that holds the cluster's lease may start moves; this one does not hold it.",
        "Wait until the other one has ended; run one daemon per cluster.",
    ),
    (
        Reason.BREAKER_OPEN,
        "too many moves failed",
        "After a run of failures nothing is started for a while; then one move tries whether it works again.",
        "See the faults of the last moves: balancer journal --state failed.",
    ),
    (
        Reason.VERDICTS_WORSE,
        "moves made it worse",
        "Three of the last five batches made the cluster worse, as measured: it is only observed.",
        "See what happened, then acknowledge with balancer resume.",
    ),
    (
        Reason.VERDICTS_AWAITED,
        "what was done is not measured yet",
        "Some batches of moves have not been measured yet; until then no further move for the load's sake.",
        _WAIT,
    ),
    (
        Reason.QUIET_TIME,
        "something happened a short while ago",
        "After failures of hosts, and when hosts come or go, the cluster is left in peace for a while.",
        _WAIT,
    ),
    (
        Reason.CLUSTER_CONTENDED,
        "somebody else moves VMs back",
        "Moves of ours were undone by another scheduler or a person: two balancers must not fight.",
        "Find who moved them (another balancer, DRS, a script), end it, then acknowledge with balancer resume.",
    ),
    (
        Reason.DRS_AUTOMATED,
        "the cluster's own DRS is fully automated",
        "DRS moves VMs by itself, and two balancers would fight.",
        "Set DRS to manual or partially automated.",
    ),
    (
        Reason.EXCESS_PRIVILEGES,
        "the account is an administrator",
        "The account may change permissions or roles, or it was not told whether it may: nothing is moved.",
        "Use an account with the role balancer-executor, or set the vCenter's allow_excess_privileges.",
    ),
    (
        Reason.SNAPSHOT_STALE,
        "facts too old",
        "The snapshot or too many of its samples are older than the limit.",
        "See whether vCenter's statistics are current.",
    ),
    (
        Reason.SNAPSHOT_PARTIAL,
        "facts incomplete",
        "Too many hosts or VMs have no fresh sample.",
        "See which hosts do not report.",
    ),
    (
        Reason.OBJECTS_MISSING,
        "objects gone since the last cycle",
        "Too many of the hosts or VMs that the last cycle saw are not in the snapshot.",
        "See whether the account still has its role on every folder; if they are gone for good, wait.",
    ),
    (
        Reason.PERMISSION_HOLES,
        "properties hidden from the account",
        "vCenter does not show the account every property of some hosts or VMs.",
        "Give the account the Read-only role on the vCenter's root, propagating.",
    ),
    (
        Reason.FACTS_UNKNOWN,
        "rules that cannot be told",
        "A must of the policy speaks of tags or guest systems that are not known: only evacuations are made.",
        "Let the account read tags, or set read_tags: false where none are in use; or write the rule without them.",
    ),
    (
        Reason.CLOCK_OFF,
        "clocks disagree",
        "vCenter's clock and ours are too far apart, or one of them has jumped since the last cycle.",
        "See whether both machines keep their time by NTP.",
    ),
    (
        Reason.HOSTS_LOST,
        "too many hosts lost",
        "So many hosts are not connected that only evacuations and rule repairs are made.",
        "Bring the hosts back.",
    ),
    (
        Reason.STOPPING,
        "the program is stopping",
        "A stop was asked for; nothing new is started.",
        "",
    ),
    (
        Reason.CONNECTION_LOST,
        "connection to vCenter lost",
        "vCenter could not be asked, so that nothing is started.",
        "See whether vCenter can be reached.",
    ),
    (
        Reason.RUN_STOPPED,
        "the run was stopped",
        "An earlier move failed in a way that would stop the others too, so that none was started.",
        "See the fault of the failed move; it often names a missing right or licence.",
    ),
    (
        Reason.JOURNAL_UNAVAILABLE,
        "journal cannot be written",
        "What cannot be written down is not done.",
        "See whether the disk of the journal is full or read-only.",
    ),
)

REASON_TEXTS: Mapping[Reason, ReasonText] = MappingProxyType(
    {
        reason: ReasonText(phrase=phrase, sentence=sentence, mend=mend)
        for reason, phrase, sentence, mend in (*VM_AND_PAIR_ROWS, *_RUN_ROWS)
    }
)
