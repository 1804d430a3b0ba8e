"""The reference page of faults: what each of vCenter's faults makes the program do, from the table itself."""

from collections.abc import Iterable, Mapping

from balancer.model.faults import KEY_FAMILIES, KEYS, KIND_OF, TOLD_BY_TEXT
from balancer.model.outcome import FailureKind

MEANINGS: Mapping[FailureKind, str] = {
    FailureKind.SKIP_VM: "lies in the VM and does not pass by itself: the VM is left alone for long",
    FailureKind.SKIP_TARGET: "lies in the target host: this run sends nothing more there",
    FailureKind.PAIR: "this VM cannot go to that host: another host is planned for",
    FailureKind.CAPACITY: "there was less room than thought: the next cycle plans again",
    FailureKind.TRANSIENT: "passes by itself: a later cycle may plan the move again",
    FailureKind.CANCELLED: "a person cancelled the task: not tried again in this run",
    FailureKind.STOP: "session or login: this cycle sends nothing more",
    FailureKind.STOP_CLUSTER: "rights or licences: nothing more is sent to the cluster until a person has"
    " mended it",
    FailureKind.UNMAPPED: "in no table: like `stop_cluster`, and worth a report to this project",
}


def faults_page(generated: str) -> str:
    """Return the page of all faults; `generated` says how it was made."""
    return "\n".join(
        [
            generated,
            "# Faults",
            "",
            "What a refused call or a failed task makes the program do. A call is never sent again, whatever the",
            "fault is: the next cycle plans anew from what it finds. The words stand in the journal (`kind`), in",
            "the log and in reports; the fault's own name stands beside them.",
            "",
            "| kind | what it means |",
            "| --- | --- |",
            *(f"| `{kind.value}` | {MEANINGS[kind]} |" for kind in FailureKind),
            "",
            "## Told by the fault's class",
            "",
            "| kind | faults of the vSphere API |",
            "| --- | --- |",
            *_classes(),
            "",
            "## Told by the message",
            "",
            f"{_list(TOLD_BY_TEXT)} say only that something went wrong. The key of the fault's message decides,",
            "which is the same in every language of a vCenter. Where no key is known, an English text that tells",
            "of time-outs, of the switch-over or of the network counts as `transient`, any other as `skip_vm`.",
            "",
            "| key | kind | described in |",
            "| --- | --- | --- |",
            *(f"| `{key}` | `{told.kind.value}` | {told.source} |" for key, told in KEYS.items()),
            *(
                f"| `{start}…` | `{kind.value}` | the family, for keys that are not above |"
                for start, kind in KEY_FAMILIES.items()
            ),
            "",
        ]
    )


def _classes() -> Iterable[str]:
    for kind in FailureKind:
        names = [name for name, asked in KIND_OF.items() if asked is kind]
        if names:
            yield f"| `{kind.value}` | {_list(names)} |"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
