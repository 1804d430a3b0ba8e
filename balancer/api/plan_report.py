"""The report of a kept plan as text, Markdown or HTML, by the renderers that every plan is shown with.

The document says by itself what its reports say. One of an older version does not: then the plan comes from the
document, and names from what the daemon saw last of the cluster and, for hosts that are gone, from the plan itself.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from balancer.adapters.files.plan_file import parse_plan
from balancer.adapters.files.plan_values import plan_of
from balancer.board import Seen
from balancer.expose.document import view_of
from balancer.expose.report_html import html_of
from balancer.expose.report_markdown import markdown_of
from balancer.expose.report_rows import ReportView
from balancer.expose.report_text import LEAST_WIDTH, text_of
from balancer.expose.report_view import report_view
from balancer.expose.text_layout import Paper
from balancer.model.control import StoredPlan
from balancer.model.host import Host
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Cluster, Snapshot
from balancer.model.units import HostId, Mhz, Mib, VmId
from balancer.policy.unchecked import entries, text, texts

_REASONS = frozenset(reason.value for reason in Reason)


def text_report(kept: StoredPlan, seen: Seen, width: int) -> str:
    """Return it for a terminal of so many columns, without colours. Raises `InputError` for a damaged document."""
    return text_of(_view(kept, seen), Paper(width=max(width, LEAST_WIDTH)))


def markdown_report(kept: StoredPlan, seen: Seen) -> str:
    """Return it for a ticket. Raises as `text_report`."""
    return markdown_of(_view(kept, seen))


def html_report(kept: StoredPlan, seen: Seen) -> str:
    """Return it as one HTML file. Raises as `text_report`."""
    return html_of(_view(kept, seen))


def _view(kept: StoredPlan, seen: Seen) -> ReportView:
    document = json.loads(kept.document)
    if isinstance(document, dict) and "report" in document:
        return view_of(document)
    return report_view(*_read(kept, seen))


def _read(kept: StoredPlan, seen: Seen) -> tuple[Plan, Snapshot]:
    ours = (seen.plan, seen.ended.plan if seen.ended else None)
    known = next((plan for plan in ours if plan and _is_same(plan, kept)), None)
    document = json.loads(kept.document)
    plan = known or _from_document(kept, document)
    return plan, _with_names(seen.snapshot or _bare(plan), document)


def _is_same(plan: Plan, kept: StoredPlan) -> bool:
    return plan.id == kept.plan_id and plan.created_at == kept.made_at


def _from_document(kept: StoredPlan, document: object) -> Plan:
    plan = plan_of(parse_plan(kept.document.encode(), name=f"plan {kept.id}"))
    return plan if plan.refusals else replace(plan, refusals=tuple(_refusals(document)))


def _refusals(document: object) -> Iterator[Refusal]:
    """Yield what a document lists as left out; a word that is not known any more is passed over."""
    for _, entry in entries(document, "refusals"):
        word = text(entry, "reason")
        if word not in _REASONS:
            continue
        host = HostId(text(entry, "host")) or None
        for vm in [VmId(text(entry, "vm"))] if "vm" in entry else map(VmId, texts(entry, "vms")):
            yield Refusal(reason=Reason(word), detail=text(entry, "detail"), vm=vm, host=host)
        if "vm" not in entry and "vms" not in entry:
            yield Refusal(
                reason=Reason(word), detail=text(entry, "detail"), host=host, count=_count(entry)
            )


def _count(entry: Mapping[str, object]) -> int:
    count = entry.get("count")
    return count if isinstance(count, int) and count > 0 else 1


def _bare(plan: Plan) -> Snapshot:
    """Return a snapshot that knows nothing but which cluster it is."""
    cluster = Cluster(id=plan.cluster_id, name=plan.cluster_name)
    return Snapshot(cluster=cluster, taken_at=plan.snapshot_taken_at, hosts=(), vms=())


def _with_names(snapshot: Snapshot, document: object) -> Snapshot:
    """Return a snapshot that knows the names of the plan's hosts, too."""
    before = document.get("before") if isinstance(document, dict) else None
    named = {text(load, "id"): text(load, "name") for _, load in entries(before, "hosts")}
    lost = [
        Host(
            id=HostId(host),
            name=name or host,
            cpu_capacity_mhz=Mhz(0.0),
            memory_capacity_mib=Mib(0.0),
        )
        for host, name in named.items()
        if host and HostId(host) not in snapshot.host_by_id
    ]
    return replace(snapshot, hosts=(*snapshot.hosts, *lost)) if lost else snapshot
