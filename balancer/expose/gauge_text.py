"""Gauges as lines of the metrics page, written once when their values come and not at each scrape. Pure.

The lines are the same in the text and in the OpenMetrics format.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from prometheus_client.utils import floatToGoString

from balancer.expose.metric_catalog import CATALOGUE, MetricSpec
from balancer.expose.metric_samples import Sample

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_SPECS = {spec.name: spec for spec in CATALOGUE}


def gauge_lines(cluster: tuple[str, str], samples: Iterable[Sample]) -> Mapping[str, str]:
    """Return the lines of a cluster's samples by the metric's name; `cluster` is its vCenter and name."""
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for sample in samples:
        names = _SPECS[sample.name].labels
        values = (*cluster, *sample.labels)
        labels = ",".join(
            f'{n}="{v.translate(_ESCAPES)}"' for n, v in sorted(zip(names, values, strict=True))
        )
        lines[sample.name].append(f"{sample.name}{{{labels}}} {_number(sample.value)}\n")
    return {name: "".join(each) for name, each in lines.items()}


def gauge_header(spec: MetricSpec) -> str:
    """Return the two lines above a gauge's samples."""
    meaning = spec.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {spec.name} {meaning}\n# TYPE {spec.name} gauge\n"


def _number(value: float) -> str:
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return text
