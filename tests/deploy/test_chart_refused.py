"""What the Helm chart refuses, and in which words: before anything is installed, not by a pod that crashes."""

from copy import deepcopy
from typing import Any

import pytest

from balancer.config import Config
from tests.support.helm import Refused, rendered, value_sets

MINIMAL = value_sets()["minimal"]


def minimal(**more: Any) -> dict[str, Any]:
    """Return the least values with more beside them."""
    return {**deepcopy(dict(MINIMAL)), **more}


def without(key: str, *path: str) -> dict[str, Any]:
    """Return the least values without one of them."""
    values = minimal()
    section = values
    for name in path:
        section = section[name]
    del section[key]
    return values


def with_vcenter(**more: object) -> dict[str, Any]:
    values = minimal()
    values["config"]["vcenters"][0] |= more
    return values


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no secret": (without("existingSecret"), "kubectl create secret generic"),
    "a password in the values": (minimal(password="x"), "'password' not allowed"),
    "a password of a vCenter": (with_vcenter(password="x"), "'password' not allowed"),
    "a misspelt value": (minimal(replica=1), "'replica' not allowed"),
    "a misspelt setting": (with_vcenter(hots="x"), "'hots' not allowed"),
    "two replicas": (minimal(replicas=2), "one process at a time may write"),
    "minus one replica": (minimal(replicas=-1), "/replicas"),
    "no vCenter": (without("vcenters", "config"), "config.vcenters is empty"),
    "no cluster": (without("clusters", "config"), "config.clusters is empty"),
    "a port out of range": (with_vcenter(port=70_000), "/config/vcenters/0/port"),
    "a mode that there is not": (
        minimal(
            config={
                **MINIMAL["config"],
                "clusters": [{"vcenter": "main", "name": "a", "mode": "auto"}],
            }
        ),  # type: ignore[dict-item]
        "/config/clusters/0/mode",
    ),
    "an address that no probe reaches": (
        minimal(config={**MINIMAL["config"], "http": {"listen": "127.0.0.1"}}),  # type: ignore[dict-item]
        "no probe and no scraper reaches",
    ),
    "tokens in clear": (
        minimal(
            config={
                **MINIMAL["config"],  # type: ignore[dict-item]
                "http": {"tokens": [{"name": "ann", "role": "viewer", "sha256": "0" * 64}]},
            }
        ),
        "tokens would cross the network in clear",
    ),
    "a token that is no digest": (
        minimal(
            config={
                **MINIMAL["config"],  # type: ignore[dict-item]
                "http": {"tokens": [{"name": "ann", "role": "viewer", "token": "x"}]},
            }
        ),
        "'token' not allowed",
    ),
    "a journal elsewhere": (
        minimal(config={**MINIMAL["config"], "journal": {"path": "/tmp/x"}}),  # type: ignore[dict-item]
        "'path' not allowed",
    ),
    "a misspelt key of a policy": (
        minimal(policies={"mine": {"apiVersion": "balancer/v1", "kind": "Policy", "limit": {}}}),
        "'limit' not allowed",
    ),
    "a policy that leaves its folder": (minimal(policies={"../x": {}}), "'../x' not allowed"),
    "a certificate in place of the configuration": (
        minimal(certificates={"config.yaml": "x"}),
        "Allowed: any other name",
    ),
    "a digest that is none": (minimal(image={"digest": "latest"}), "/image/digest"),
    "an interval in words": (
        minimal(serviceMonitor={"enabled": True, "interval": "often"}),
        "/serviceMonitor/interval",
    ),
    "an address without its length": (
        minimal(networkPolicy={"vcenterCidrs": ["192.0.2.10"]}),
        "/networkPolicy/vcenterCidrs/0",
    ),
}


if "notify" in Config.model_fields:
    NOTIFY = {**MINIMAL["config"], "notify": {"slack": [{"name": "ops", "url_file": "slack"}]}}  # type: ignore[dict-item]
    REFUSED["channels that no message reaches"] = (minimal(config=NOTIFY), "extraEgress")


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_values_are_refused_in_words(case: str) -> None:
    values, told = REFUSED[case]
    with pytest.raises(Refused) as refusal:
        rendered(values)
    assert told in str(refusal.value)
