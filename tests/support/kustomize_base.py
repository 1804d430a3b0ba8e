"""Writes deploy/kubernetes/base from the chart: `python -m tests.support.kustomize_base` (`make docs`).

What the chart makes of its least values, without what is Helm's. So the two ways of installing cannot differ.
"""

from pathlib import Path

import yaml

from tests.support.chart import ROOT
from tests.support.helm import Kubernetes, rendered, value_sets

BASE = ROOT / "deploy" / "kubernetes" / "base"
FILE = BASE / "balancer.yaml"
NAME = "balancer"
HEAD = "# Made from the Helm chart by `make docs`. Do not change it here; an overlay may change anything.\n"
OF_HELM = (
    "helm.sh/chart",
    "app.kubernetes.io/managed-by",
    "helm.sh/resource-policy",
    "checksum/config",
)


def base_objects() -> list[Kubernetes]:
    """Return the objects of the base; its ConfigMap is kustomize's to make."""
    values = {**value_sets()["minimal"], "fullnameOverride": NAME}
    return [_bare(each) for each in rendered(values, name=NAME) if each["kind"] != "ConfigMap"]


def _bare(node: Kubernetes) -> Kubernetes:
    """Return an object without the labels and annotations that are Helm's."""
    kept = {key: _bare_part(part) for key, part in node.items() if key not in OF_HELM}
    return {key: part for key, part in kept.items() if key != "annotations" or part}


def _bare_part(part: object) -> object:
    if isinstance(part, dict):
        return _bare(part)
    if isinstance(part, list):
        return [_bare_part(each) for each in part]
    return part


def base_text() -> str:
    """Return the file as it is written."""
    return HEAD + yaml.safe_dump_all(base_objects(), sort_keys=False, width=120)


def main(file: Path = FILE) -> None:
    """Write it."""
    file.write_text(base_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
