"""The EVC report as a JSON document, format `balancer/evc/v1` (`balancer/schemas/evc.v1.schema.json`)."""

from balancer.expose.figures import timestamp
from balancer.model.evc_report import EvcReport, ModeAnswer
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Vm
from balancer.version import VERSION

SCHEMA = "balancer/evc/v1"

Json = dict[str, object]


def evc_document(report: EvcReport, snapshot: Snapshot) -> Json:
    """Return the report as plain JSON values; what is not known is left out."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "snapshot_taken_at": timestamp(snapshot.taken_at),
        "cluster": {
            "id": snapshot.cluster.id,
            "name": snapshot.cluster.name,
            "evc_mode": report.current,
        },
        "can_be_set": list(report.possible),
        "modes": [_mode(answer) for answer in report.modes],
        "hosts": [
            _told({"id": h.id, "name": h.name, "max_evc_mode": h.max_evc_mode})
            for h in snapshot.hosts
        ],
        "vms": [_vm(vm) for vm in snapshot.vms],
    }


def _mode(answer: ModeAnswer) -> Json:
    document: Json = {
        "key": answer.mode.key,
        "vendor": answer.mode.vendor,
        "state": answer.state.value,
        "hosts": list(answer.hosts),
        "vms": list(answer.vms),
    }
    if answer.unknown_hosts:
        document["unknown_hosts"] = list(answer.unknown_hosts)
    if answer.unknown_vms:
        document["unknown_vms"] = list(answer.unknown_vms)
    return document


def _vm(vm: Vm) -> Json:
    return _told(
        {
            "id": vm.id,
            "name": vm.name,
            "host": vm.host,
            "power": vm.power.value,
            "hardware_version": vm.hardware_version,
            "min_evc_mode": vm.min_evc_mode,
            "evc_mode": vm.evc_mode,
        }
    )


def _told(entry: Json) -> Json:
    return {key: value for key, value in entry.items() if value is not None}
