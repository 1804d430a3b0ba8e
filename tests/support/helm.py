"""The chart rendered by real Helm: as a library here, through the command where the library is not there."""

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart
from helm_python.chart import lint
from helm_python.errors import HelmError

from tests.support.chart import CHART

Values = Mapping[str, object]
Kubernetes = dict[str, Any]
"""An object of Kubernetes, as YAML gives it."""


class Refused(Exception):
    """Helm does not render these values; the message is what the user reads."""


def rendered(values: Values, *, name: str = "balancer") -> list[Kubernetes]:
    """Return the objects that Helm makes of the chart, in the order of its files.

    Raises:
        Refused: The schema or a template refuses the values.
    """
    texts = {
        path: text
        for path, text in _texts(json.dumps(values), name).items()
        if path.endswith(".yaml")
    }
    every = [each for text in texts.values() for each in yaml.safe_load_all(text)]
    return [each for each in every if each]


def notes(values: Values, *, name: str = "balancer") -> str:
    """Return what Helm prints after an installation."""
    (text,) = (
        text
        for path, text in _texts(json.dumps(values), name).items()
        if path.endswith("NOTES.txt")
    )
    return text


@cache
def _chart() -> Chart:
    return Chart.load(CHART)


@lru_cache(maxsize=64)
def _texts(values: str, name: str) -> dict[str, str]:
    given = json.loads(values)
    try:
        _chart().validate_schema(given)
        return _chart().render(given, name=name, namespace="balancing")
    except HelmError as error:
        raise Refused(str(error)) from error


def complaints(values: Values) -> list[str]:
    """Return what `helm lint --strict` has against the chart with these values; hints are not counted."""
    report = lint(CHART, dict(values), strict=True)
    worse = [str(told) for told in report["messages"] if told["severity"] > 1]
    return [*worse, *map(str, report["errors"])]


def value_sets() -> dict[str, Values]:
    """Return the sets of values that come with the chart, by name."""
    files: list[Path] = sorted((CHART / "ci").glob("*-values.yaml"))
    return {
        path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text("utf-8"))
        for path in files
    }
