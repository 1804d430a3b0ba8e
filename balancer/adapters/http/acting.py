"""The routes of `/api/v1` that change something: each a POST with a JSON body, under the name of the token."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from balancer.adapters.http.described import ANSWERS, DONE, for_role
from balancer.adapters.http.forms import LISTED, Form, respond, wanted_form
from balancer.adapters.http.gate import require
from balancer.adapters.http.problems import Problem, Refused
from balancer.adapters.http.workers import Workers
from balancer.api import evacuating, pausing, plans
from balancer.api.answer import Answer
from balancer.api.scene import Scene
from balancer.control import By
from balancer.model.access import Role

LONGEST = 300
MOST_REASON = 2000

ClusterName = Annotated[
    str | None,
    Field(max_length=LONGEST, description="NAME or VCENTER/NAME. Default: all, or the only one."),
]
Reason = Annotated[str, Field(max_length=MOST_REASON, description="Why, for those who look later.")]
PlanName = Annotated[
    str,
    Path(max_length=LONGEST, description="Number of a kept plan, its digest, or its beginning."),
]


class Body(BaseModel):
    """What a change is given."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Approving(Body):
    """A yes to a plan."""

    reason: Reason = ""


class Rejecting(Body):
    """A no to a plan."""

    reason: Annotated[Reason, Field(min_length=1)]


class Pausing(Body):
    """What is to be paused."""

    cluster: ClusterName = None
    reason: Reason = ""


class Resuming(Body):
    """What is to go on. `acknowledge` is for admins; not given: as far as the role reaches."""

    cluster: ClusterName = None
    reason: Reason = ""
    acknowledge: Annotated[
        bool | None,
        Field(description="Close the breaker, and let verdicts and moves by others count no more."),
    ] = None


class Evacuating(Body):
    """The host that is meant."""

    host: Annotated[str, Field(min_length=1, max_length=LONGEST, description="Name or id.")]
    cluster: ClusterName = None
    reason: Reason = ""


class Changers:
    """The routes, over a scene."""

    def __init__(self, scene: Scene, workers: Workers) -> None:
        self._scene, self._workers = scene, workers
        self.router = APIRouter(responses=ANSWERS)
        self._add("/plans/{plan}/approve", self.approve, "Approve one plan, once")
        self._add("/plans/{plan}/reject", self.reject, "Reject one plan")
        self._add("/pause", self.pause, "Let nothing be sent")
        self._add("/resume", self.resume, "Let moves be sent again")
        self._add("/evacuations", self.evacuate, "Have a host emptied")
        self._add("/evacuations/end", self.end_evacuation, "Let a host take VMs again")

    def _add(self, path: str, endpoint: Callable[..., Any], summary: str) -> None:
        self.router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            summary=summary,
            response_class=Response,
            responses=DONE,
            operation_id=f"post_{endpoint.__name__}",
            openapi_extra=for_role(Role.OPERATOR),
        )

    async def _done(self, request: Request, reason: str, work: Callable[[By], Answer]) -> Response:
        """Do it in the name of whoever asks, and tell what was done."""
        caller = require(request.scope, Role.OPERATOR)
        form = wanted_form(request, LISTED) if request.headers.get("accept") else Form.JSON

        def act() -> Response:
            by = By(actor=caller.name, at=self._scene.now(), reason=reason.strip())
            return respond(work(by), form)

        return await self._workers.run(act)

    async def approve(
        self, request: Request, plan: PlanName, body: Approving | None = None
    ) -> Response:
        """Have the daemon carry it out at once, as far as it still fits. Counts once, for this plan alone."""
        reason = body.reason if body else ""
        return await self._done(
            request, reason, lambda by: plans.approve(self._scene, by, plan=plan)
        )

    async def reject(self, request: Request, plan: PlanName, body: Rejecting) -> Response:
        """Let nobody approve or apply it."""
        return await self._done(
            request, body.reason, lambda by: plans.reject(self._scene, by, plan=plan)
        )

    async def pause(self, request: Request, body: Pausing | None = None) -> Response:
        """Send nothing new once this is answered. What runs goes on; plans are still made."""
        asked = body or Pausing()
        work = partial(pausing.pause, self._scene, cluster=asked.cluster)
        return await self._done(request, asked.reason, work)

    async def resume(self, request: Request, body: Resuming | None = None) -> Response:
        """End pauses; an admin also acknowledges what the balancer stopped itself for."""
        asked, caller = body or Resuming(), require(request.scope, Role.OPERATOR)
        may = caller.role.includes(Role.ADMIN)
        if asked.acknowledge and not may:
            raise Refused(_only_admins(caller.name, str(caller.role)))
        acknowledges = may if asked.acknowledge is None else asked.acknowledge

        def work(by: By) -> Answer:
            return pausing.resume(self._scene, by, cluster=asked.cluster, acknowledge=acknowledges)

        return await self._done(request, asked.reason, work)

    async def evacuate(self, request: Request, body: Evacuating) -> Response:
        """Have it emptied and kept empty until that is ended. vSphere is told nothing."""

        def work(by: By) -> Answer:
            return evacuating.evacuate(self._scene, by, host=body.host, cluster=body.cluster)

        return await self._done(request, body.reason, work)

    async def end_evacuation(self, request: Request, body: Evacuating) -> Response:
        """Take the request back."""

        def work(by: By) -> Answer:
            return evacuating.end_evacuation(self._scene, by, host=body.host, cluster=body.cluster)

        return await self._done(request, body.reason, work)


def _only_admins(name: str, role: str) -> Problem:
    return Problem(
        kind="role",
        found=f"acknowledge: true, and the token of {name} has the role {role}",
        where="acknowledge in the body",
        allowed="the role admin; without acknowledge an operator ends pauses",
        mend="Leave acknowledge out, or have an admin look at why the balancer stopped itself.",
    )
