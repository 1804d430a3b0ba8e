"""Recorded answers of real vCenters, read as the client's own deserialiser reads them from the wire.

Owns the two cassette formats and the way from a request to the type of its answer. The answers stand in
tests/data/vcenter-soap; a folder named by BALANCER_CASSETTES is read instead where it is set.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import gzip
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pyVmomi import (
    VmomiSupport,
    pbm,  # noqa: F401 -- makes the types of storage policies known
)
from pyVmomi.SoapAdapter import SoapResponseDeserializer, SoapStubAdapterBase

COMMITTED = Path(__file__).parents[1] / "data" / "vcenter-soap"
FOLDER = Path(os.environ.get("BALANCER_CASSETTES") or COMMITTED)

_INTERFACES = {"vim25": "vim", "pbm": "pbm"}

_METHOD = re.compile(r"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)[^>]*?xmlns=\"urn:(\w+)\"")
_TARGET = re.compile(r"<_this[^>]*type=\"(\w+)\"")
_PROPERTY = re.compile(r"<prop[^>]*>(\w+)</prop>")


class _Loader(yaml.CSafeLoader):
    """The safe loader, which also takes the text that an older Python wrote."""


_Loader.add_constructor("tag:yaml.org,2002:python/unicode", lambda _, node: str(node.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer. `method` is the wire name, empty for what is no SOAP."""

    cassette: str
    number: int
    method: str
    namespace: str
    request: str
    answer: str

    def __str__(self) -> str:
        return f"{self.cassette}-{self.number}-{self.method}"

    def parsed(self) -> Any:
        """Return the answer as pyVmomi's deserialiser makes it."""
        version = VmomiSupport.newestVersions.GetName(_INTERFACES[self.namespace])
        stub = SoapStubAdapterBase(version)
        return SoapResponseDeserializer(stub).Deserialize(self.answer.encode(), self._type())

    @property
    def target(self) -> str:
        """Return the wire name of the class of the object that is asked."""
        found = _TARGET.search(self.request)
        return found[1] if found else ""

    @property
    def fetched(self) -> str:
        """Return the property that a `Fetch` asks for."""
        found = _PROPERTY.search(self.request)
        return found[1][0].lower() + found[1][1:] if found else ""

    def _type(self) -> Any:
        if self.method != "Fetch":
            method = VmomiSupport.GetWsdlMethod(f"urn:{self.namespace}", self.method)
            return method.info.result
        kind = VmomiSupport.GetWsdlType("urn:vim25", self.target)
        return kind._GetPropertyInfo(self.fetched).type


def cassettes() -> list[Path]:
    """Return every cassette of the folder."""
    return sorted(FOLDER.glob("*.yaml.gz"))


def exchanges(path: Path) -> Iterator[Exchange]:
    """Yield the SOAP exchanges of a cassette in their order."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        tape = yaml.load(file, _Loader)
    for number, entry in enumerate(tape.get("interactions") or tape["http_interactions"]):
        request, answer = _text(entry["request"]["body"]), _text(entry["response"]["body"])
        found = _METHOD.search(request)
        if found is not None:
            yield Exchange(
                cassette=path.name.removesuffix(".yaml.gz"),
                number=number,
                method=found[1],
                namespace=found[2],
                request=request,
                answer=answer,
            )


def _text(body: Any) -> str:
    text = body.get("string") if isinstance(body, dict) else body
    return text.decode() if isinstance(text, bytes) else text or ""
