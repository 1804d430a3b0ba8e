"""The routes of `/api/v1` that read. None of them changes anything, and none asks a vCenter."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from balancer.adapters.files import snapshot_document
from balancer.adapters.http.described import (
    ANSWERS,
    EXPLANATIONS,
    OF_PLANS,
    OF_REPORTS,
    OF_SNAPSHOTS,
    TEXTS,
    Described,
    for_role,
)
from balancer.adapters.http.forms import (
    EVERY,
    EXPLAINED,
    LISTED,
    SUFFIXES,
    Form,
    document,
    respond,
    wanted_form,
    written,
)
from balancer.adapters.http.gate import require
from balancer.adapters.http.parameters import (
    LAST_ROW,
    LONGEST,
    About,
    Cluster,
    Last,
    Name,
    Past,
    Shape,
    Shaped,
    about_of,
    past_of,
    wanted_of,
)
from balancer.adapters.http.workers import Workers
from balancer.api import auditing, evacuating, explaining, journal, plans, reporting, status
from balancer.api.answer import Answer
from balancer.api.plan_report import html_report, markdown_report
from balancer.api.scene import Scene
from balancer.approvals import find_plan
from balancer.model.access import Role

_NO_WIDTH = 100
"""Columns of a text where nobody says how wide it may be."""


class Readers:
    """The routes, over a scene."""

    def __init__(self, scene: Scene, workers: Workers) -> None:
        self._scene, self._workers = scene, workers
        self.router = APIRouter(responses=ANSWERS)
        self._add("/status", self.status, "How each cluster stands", TEXTS)
        self._add("/clusters", self.clusters, "The clusters that are watched", TEXTS)
        self._add("/clusters/{vcenter}/{name}", self.cluster, "How one cluster stands", TEXTS)
        self._add(
            "/clusters/{vcenter}/{name}/snapshot", self.snapshot, "What was read last of a cluster"
        )
        self._add(
            "/clusters/{vcenter}/{name}/explain",
            self.explain,
            "Why a VM moves or stays, and what a host gives and takes, by the last plan",
            EXPLANATIONS,
        )
        self._add("/plans", self.plans, "The kept plans, newest first", TEXTS)
        self._add("/plans/{plan}", self.plan, "One kept plan, as document or report", OF_PLANS)
        self._add("/report", self.report, "What was done, predicted beside measured", OF_REPORTS)
        self._add("/evacuations", self.evacuations, "Hosts that are to be emptied", TEXTS)
        self._add("/journal", self.moves, "Moves, oldest first", TEXTS)
        self._add("/journal/verdicts", self.verdicts, "What batches did, as measured", TEXTS)
        self._add("/journal/quarantines", self.quarantines, "What is left alone, and why", TEXTS)
        self._add("/journal/{row}", self.move, "One move with all around it", TEXTS)
        self._add("/audit", self.audit, "Who did what, the last entries", TEXTS, Role.ADMIN)
        self._add(
            "/audit/verify",
            self.audit_verify,
            "Whether the audit log's chain holds",
            TEXTS,
            Role.ADMIN,
        )

    def _add(
        self,
        path: str,
        endpoint: Callable[..., Any],
        summary: str,
        answers: Described = OF_SNAPSHOTS,
        role: Role = Role.VIEWER,
    ) -> None:
        self.router.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            summary=summary,
            response_class=Response,
            responses=answers,
            operation_id=f"get_{endpoint.__name__}",
            openapi_extra=for_role(role),
        )

    async def _listed(
        self,
        request: Request,
        work: Callable[[], Answer],
        shape: Shape,
        role: Role = Role.VIEWER,
    ) -> Response:
        require(request.scope, role)
        form = wanted_form(request, LISTED, asked=shape.form)
        return await self._workers.run(lambda: respond(work(), form, width=shape.width))

    async def status(self, request: Request, shape: Shaped, cluster: Cluster = None) -> Response:
        """Tell mode and why, cycles, newest plan, what runs, what waits for approval, what holds it."""
        work = partial(status.status, self._scene, cluster=cluster)
        return await self._listed(request, work, shape)

    async def clusters(self, request: Request, shape: Shaped) -> Response:
        """List them with their modes."""
        return await self._listed(request, partial(status.clusters, self._scene), shape)

    async def cluster(self, request: Request, shape: Shaped, vcenter: Name, name: Name) -> Response:
        """Tell the same as status, of one."""
        work = partial(status.status, self._scene, cluster=f"{vcenter}/{name}")
        return await self._listed(request, work, shape)

    async def snapshot(self, request: Request, vcenter: Name, name: Name) -> Response:
        """Return the snapshot in the form of snapshot files: balancer plan --snapshot reads it."""
        require(request.scope, Role.VIEWER)

        def work() -> Response:
            found = explaining.last_snapshot(self._scene, cluster=f"{vcenter}/{name}")
            return document(snapshot_document(found))

        return await self._workers.run(work)

    async def explain(
        self,
        request: Request,
        shape: Shaped,
        vcenter: Name,
        name: Name,
        about: Annotated[About, Depends(about_of)],
    ) -> Response:
        """Explain the plan that the daemon made last, from the facts that it was made from."""
        require(request.scope, Role.VIEWER)
        form = wanted_form(request, EXPLAINED, asked=shape.form)

        def work() -> Response:
            found = explaining.explain(
                self._scene, cluster=f"{vcenter}/{name}", vm=about.vm, host=about.host
            )
            if form is Form.MARKDOWN:
                return written(found.markdown, form)
            return respond(found, form, width=shape.width)

        return await self._workers.run(work)

    async def plans(
        self,
        request: Request,
        shape: Shaped,
        cluster: Cluster = None,
        last: Last = 20,
        waiting: Annotated[
            bool, Query(description="Those alone that can be approved now.")
        ] = False,
    ) -> Response:
        """List plans and how they stand with people."""
        work = partial(plans.list_plans, self._scene, cluster=cluster, last=last, waiting=waiting)
        return await self._listed(request, work, shape)

    async def plan(
        self,
        request: Request,
        shape: Shaped,
        plan: Annotated[
            str,
            Path(
                max_length=LONGEST,
                description="Number, digest, or the beginning of one; .json, .txt, .md or .html may follow.",
            ),
        ],
    ) -> Response:
        """Return the plan document, or its report as text, Markdown or HTML."""
        require(request.scope, Role.VIEWER)
        suffix = next((known for known in SUFFIXES if plan.endswith(known)), "")
        form = wanted_form(request, EVERY, asked=shape.form, suffix=suffix)
        key = plan.removesuffix(suffix)
        return await self._workers.run(lambda: self._plan(key, form, shape.width))

    def _plan(self, key: str, form: Form, width: int | None) -> Response:
        if form in (Form.JSON, Form.TEXT):
            return respond(plans.show_plan(self._scene, plan=key), form, width=width)
        kept = find_plan(self._scene.store, key, lasts_s=0.0).plan
        seen = self._scene.seen(kept.shard)
        render = html_report if form is Form.HTML else markdown_report
        return written(render(kept, seen), form)

    async def report(
        self, request: Request, shape: Shaped, asked: Annotated[Past, Depends(past_of)]
    ) -> Response:
        """Report moves made, failed and not sent, and whether they helped: by batch, plan or span."""
        require(request.scope, Role.VIEWER)
        form = wanted_form(request, EVERY, asked=shape.form)
        return await self._workers.run(lambda: self._report(asked, form, shape.width))

    def _report(self, asked: Past, form: Form, width: int | None) -> Response:
        done = reporting.report(
            self._scene,
            cluster=asked.cluster,
            batch=asked.batch,
            plan=asked.plan,
            since=asked.since,
        )
        match form:
            case Form.JSON:
                return document(reporting.report_document(done))
            case Form.TEXT:
                return written(reporting.text_report(done, width or _NO_WIDTH), form)
            case Form.MARKDOWN:
                return written(reporting.markdown_report(done), form)
            case Form.HTML:
                return written(reporting.html_report(done), form)

    async def evacuations(
        self, request: Request, shape: Shaped, cluster: Cluster = None
    ) -> Response:
        """List the hosts that people want emptied and kept empty."""
        work = partial(evacuating.list_evacuations, self._scene, cluster=cluster)
        return await self._listed(request, work, shape)

    async def moves(
        self,
        request: Request,
        shape: Shaped,
        wanted: Annotated[journal.Wanted, Depends(wanted_of)],
    ) -> Response:
        """List moves with what became of them."""
        work = partial(journal.list_moves, self._scene, wanted)
        return await self._listed(request, work, shape)

    async def verdicts(
        self,
        request: Request,
        shape: Shaped,
        cluster: Cluster = None,
        moves: Annotated[
            bool, Query(description="With the moves of each batch, in the form text.")
        ] = False,
    ) -> Response:
        """List what the batches of the last 30 days did."""
        work = partial(journal.list_verdicts, self._scene, cluster=cluster, moves=moves)
        return await self._listed(request, work, shape)

    async def quarantines(
        self, request: Request, shape: Shaped, cluster: Cluster = None
    ) -> Response:
        """List VMs and hosts that are left alone for a while."""
        work = partial(journal.list_quarantines, self._scene, cluster=cluster)
        return await self._listed(request, work, shape)

    async def move(
        self,
        request: Request,
        shape: Shaped,
        row: Annotated[int, Path(ge=1, le=LAST_ROW, description="Number of a row.")],
    ) -> Response:
        """Show every state it went through, its plan and approval, its verdict, what was learnt from it."""
        work = partial(journal.show_move, self._scene, row=row)
        return await self._listed(request, work, shape)

    async def audit(self, request: Request, shape: Shaped, last: Last = 50) -> Response:
        """List decisions, refusals and human actions, oldest first."""
        work = partial(auditing.list_entries, self._scene, last=last)
        return await self._listed(request, work, shape, Role.ADMIN)

    async def audit_verify(
        self,
        request: Request,
        shape: Shaped,
        head: Annotated[
            list[str] | None,
            Query(
                max_length=16,
                description="NUMBER:DIGEST of a line `audit head` of the log that must still be there.",
            ),
        ] = None,
    ) -> Response:
        """Read the whole chain and tell whether it holds."""
        work = partial(auditing.verify, self._scene, head=head or ())
        return await self._listed(request, work, shape, Role.ADMIN)
