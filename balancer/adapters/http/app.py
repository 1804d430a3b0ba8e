"""The HTTP application: `/metrics` for the scraper, `/healthz` and `/readyz` for whoever runs the daemon.

Reads what others told; changes nothing and needs no login, so it shows no secret and is bound to
loopback unless the operator says otherwise.
"""

from typing import Protocol

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from balancer.adapters.http.limits import LimitBody
from balancer.expose.escape import visible
from balancer.expose.health import HealthProblem, HealthReport
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


def build_app(metrics: MetricsView, health: HealthView) -> FastAPI:
    """Return the application over the given views. No pages of documentation, but `/openapi.json`."""
    app = FastAPI(title="vsphere-balancer", version=VERSION, docs_url=None, redoc_url=None)
    app.add_middleware(LimitBody)

    @app.get("/metrics", summary="Metrics in the text or the OpenMetrics format")
    def read_metrics(request: Request) -> Response:
        page, content_type = metrics.page(request.headers.get("accept", ""))
        return Response(page, headers={"content-type": content_type})

    @app.get("/healthz", summary="Whether every loop makes progress", response_model=ProbeAnswer)
    def read_health() -> Response:
        return _answer(health.liveness(), fine="alive", wrong="stuck")

    @app.get("/readyz", summary="Whether every vCenter answers", response_model=ProbeAnswer)
    def read_readiness() -> Response:
        return _answer(health.readiness(), fine="ready", wrong="not ready")

    return app


def _answer(report: HealthReport, *, fine: str, wrong: str) -> Response:
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
