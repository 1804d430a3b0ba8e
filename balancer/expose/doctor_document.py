"""The findings of `balancer doctor` as a JSON document, format `balancer/doctor/v1`.

The published schema is `balancer/schemas/doctor.v1.schema.json`. Names stand there as they are, all of
them; what to make of an outcome is the reader's.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from balancer.model.finding import Diagnosis, Finding, Outcome
from balancer.version import VERSION

SCHEMA = "balancer/doctor/v1"

Json = dict[str, object]


def doctor_document(diagnoses: Sequence[Diagnosis], *, checked_at: datetime) -> Json:
    """Return the report as plain JSON values."""
    outcomes = [finding.outcome for diagnosis in diagnoses for finding in diagnosis.every]
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "checked_at": checked_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "summary": {outcome.value: outcomes.count(outcome) for outcome in Outcome},
        "vcenters": [_vcenter(diagnosis) for diagnosis in diagnoses],
    }


def _vcenter(diagnosis: Diagnosis) -> Json:
    return {
        "name": diagnosis.vcenter,
        "address": diagnosis.address,
        "user": diagnosis.user,
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "clusters": [
            {
                "name": cluster.name,
                "mode": cluster.mode,
                "findings": [_finding(finding) for finding in cluster.findings],
            }
            for cluster in diagnosis.clusters
        ],
    }


def _finding(finding: Finding) -> Json:
    document: Json = {
        "check": finding.check.value,
        "outcome": finding.outcome.value,
        "found": finding.found,
        "blocks_automatic": finding.blocks,
    }
    if finding.mend:
        document["mend"] = finding.mend
    if finding.objects:
        document["objects"] = list(finding.objects)
    return document
