"""deploy/kubernetes/base, for those without Helm: the same objects as the chart's, rendered by kubectl."""

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import yaml

from balancer.config import load_config
from tests.support.helm import Kubernetes
from tests.support.kustomize_base import BASE, FILE, base_objects, base_text
from tests.support.programs import program

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "install-kubernetes.md"
(OVERLAY,) = re.findall(
    r"^```yaml\n(apiVersion: kustomize.*?)^```", PAGE.read_text("utf-8"), re.M | re.S
)


def kustomized(folder: Path) -> list[Kubernetes]:
    """Return what kubectl makes of a folder; it asks no cluster."""
    command = [program("kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def by_kind(objects: list[Kubernetes]) -> dict[str, Kubernetes]:
    return {each["kind"]: each for each in objects}


def test_the_base_is_up_to_date() -> None:
    assert FILE.read_text("utf-8") == base_text()


def test_the_base_has_nothing_of_helm_s() -> None:
    assert "helm" not in FILE.read_text("utf-8").partition("\n")[2].lower()


def test_kubectl_renders_the_objects_of_the_chart() -> None:
    made = by_kind(kustomized(BASE))
    config = made.pop("ConfigMap")
    for kind, expected in by_kind(base_objects()).items():
        if kind == "Deployment":
            (volume,) = (
                v for v in expected["spec"]["template"]["spec"]["volumes"] if v["name"] == "config"
            )
            volume["configMap"]["name"] = config["metadata"]["name"]
        assert made.pop(kind) == expected
    assert made == {}


def test_each_object_is_what_kubernetes_takes() -> None:
    for each in kustomized(BASE):
        for version in ("1.25", "1.37"):
            kubernetes_validate.validate(each, version, strict=True)


def test_an_overlay_brings_image_namespace_and_configuration(tmp_path: Path) -> None:
    shutil.copytree(BASE, tmp_path / "base")
    overlay = tmp_path / "mine"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(OVERLAY, encoding="utf-8")
    config = (BASE / "config.yaml").read_text("utf-8").replace("prod-a", "prod-z")
    (overlay / "config.yaml").write_text(config, encoding="utf-8")
    made = by_kind(kustomized(overlay))
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example.com/infra/vsphere-balancer:0.1.0"
    assert {each["metadata"]["namespace"] for each in made.values()} == {"balancing"}
    seen = tmp_path / "config.yaml"
    seen.write_text(made["ConfigMap"]["data"]["config.yaml"], encoding="utf-8")
    assert [each.name for each in load_config(seen).clusters] == ["prod-z"]
