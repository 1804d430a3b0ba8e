"""The HTTP application: `/metrics` for the scraper, `/healthz` and `/readyz` for probes, `/api/v1` for people.

The first three are open, as Prometheus and probes need them, and show no secret. What is under `/api/` takes a
token; see `gate`. Knows no vCenter: it answers from what others told, and asks the store.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from balancer.adapters.http.acting import Changers
from balancer.adapters.http.described import SCHEMAS, SECURITY_SCHEMES
from balancer.adapters.http.gate import API, Gate, Guard
from balancer.adapters.http.limits import LimitBody, LimitRequests
from balancer.adapters.http.problems import Problem, Refused, problem_of, shown
from balancer.adapters.http.reading import Readers
from balancer.adapters.http.workers import PROBE_THREADS, Workers
from balancer.api.operations import PREFIX
from balancer.api.scene import Scene
from balancer.expose.escape import visible
from balancer.expose.health import HealthProblem, HealthReport
from balancer.model.errors import BalancerError
from balancer.version import VERSION


class HealthView(Protocol):
    """What the probes ask. `balancer.expose.health.Health` is one."""

    def liveness(self) -> HealthReport:
        """Return what has stopped making progress."""

    def readiness(self) -> HealthReport:
        """Return what keeps the daemon from working."""


class MetricsView(Protocol):
    """What the scraper asks. `balancer.expose.metrics.Metrics` is one."""

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """Return the page and its content type."""


class ProbeProblem(BaseModel):
    """One thing that is not as it should be."""

    subject: str
    why: str


class ProbeAnswer(BaseModel):
    """The answer to a probe; with problems the status code is 503, with notes alone it is not."""

    status: str
    problems: list[ProbeProblem]
    notes: list[ProbeProblem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """What `/api/v1` is answered from, and who may ask."""

    scene: Scene
    gate: Gate
    metrics_need_token: bool = False
    workers: Workers = field(default_factory=Workers)


class _Application(FastAPI):
    """An application whose description says how to get in."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        components = document.setdefault("components", {})
        components["securitySchemes"] = SECURITY_SCHEMES
        components.setdefault("schemas", {}).update(SCHEMAS)
        return document


def build_app(
    metrics: MetricsView, health: HealthView, interface: Interface | None = None
) -> FastAPI:
    """Return the application over the given views; without an interface there is no `/api/v1`.

    No pages of documentation, but `/openapi.json`.
    """
    app = _Application(
        title="vsphere-balancer",
        summary="Load balancing for vSphere clusters: what it plans, and a person's word on it",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(_open_routes(metrics, health, Workers(PROBE_THREADS)))
    app.add_middleware(LimitBody)  # what is added later comes before it
    if interface is not None:
        for routes in (Readers, Changers):
            made = routes(interface.scene, interface.workers)
            app.include_router(made.router, prefix=PREFIX, tags=["api"])
        app.add_middleware(
            Guard, gate=interface.gate, metrics_need_token=interface.metrics_need_token
        )
    app.add_middleware(LimitRequests, api=API)
    _say_no_in_problems(app)
    return app


def _open_routes(metrics: MetricsView, health: HealthView, workers: Workers) -> APIRouter:
    router = APIRouter()

    @router.get(
        "/metrics",
        summary="Metrics in the text or the OpenMetrics format",
        response_class=PlainTextResponse,
    )
    async def read_metrics(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        page, content_type = await workers.run(lambda: metrics.page(accept), where="/metrics")
        return Response(page, headers={"content-type": content_type})

    @router.get("/healthz", summary="Whether every loop makes progress", response_model=ProbeAnswer)
    async def read_health() -> Response:
        return _probe(health.liveness(), fine="alive", wrong="stuck")

    @router.get("/readyz", summary="Whether every vCenter answers", response_model=ProbeAnswer)
    async def read_readiness() -> Response:
        return _probe(health.readiness(), fine="ready", wrong="not ready")

    return router


def _probe(report: HealthReport, *, fine: str, wrong: str) -> Response:
    answer = ProbeAnswer(
        status=fine if report.is_fine else wrong,
        problems=[_shown(problem) for problem in report.problems],
        notes=[_shown(note) for note in report.notes],
    )
    return Response(
        answer.model_dump_json() + "\n",
        status_code=200 if report.is_fine else 503,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


def _shown(told: HealthProblem) -> ProbeProblem:
    return ProbeProblem(subject=visible(told.subject), why=visible(told.why))


def _say_no_in_problems(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return error.problem.response()

    @app.exception_handler(BalancerError)
    async def said_no(request: Request, error: BalancerError) -> Response:
        return problem_of(error, path=request.url.path).response()

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        return _malformed(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def no_such_route(request: Request, error: HTTPException) -> Response:
        return _no_route(request, error).response()

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return UNEXPECTED.response()


def _malformed(mistakes: Iterable[dict[str, object]]) -> Problem:
    """Return what is wrong with parameters and body: each place, and what was expected there."""
    told = [(_place(mistake), str(mistake.get("msg", ""))) for mistake in mistakes]
    return Problem(
        kind="malformed",
        found=shown("; ".join(f"{where}: {what}" for where, what in told)),
        where=shown(", ".join(where for where, _ in told)),
        allowed="what /openapi.json says of it; a body is JSON, with content-type: application/json",
        mend="Mend what is named and ask again. Nothing was changed.",
    )


def _place(mistake: dict[str, object]) -> str:
    place = mistake.get("loc")
    return ".".join(map(str, place)) if isinstance(place, tuple | list) else "body"


def _no_route(request: Request, error: HTTPException) -> Problem:
    where, methods = shown(request.url.path), Headers(error.headers).get("allow", "")
    if error.status_code == METHOD_NOT_ALLOWED:
        return Problem(
            kind="method",
            found=shown(request.method),
            where=where,
            allowed=methods,
            mend="Read with GET, change with POST; /openapi.json lists both.",
            headers={"allow": methods},
        )
    if error.status_code == NOT_FOUND:
        return Problem(
            kind="no-such-path",
            found=where,
            where="the path",
            allowed="the paths of /openapi.json",
            mend="Look the path up there. Nothing was changed.",
        )
    return _malformed([{"loc": ["request"], "msg": str(error.detail)}])


METHOD_NOT_ALLOWED, NOT_FOUND = 405, 404

UNEXPECTED = Problem(
    kind="internal",
    found="something that nobody expected",
    where="the daemon",
    allowed="nothing of the kind",
    mend="Look at the daemon's log, and please report it.",
)
