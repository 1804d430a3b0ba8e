"""A property collector in memory: pages, unreadable objects and vanished ones, without a wire.

It answers on the level of pyVmomi's stub, so that the code under test makes its real calls. An object
named in `poison` makes every answer that holds it unreadable; one in `gone` faults a call that names it.
"""
# ruff: noqa: N802, N803 -- the names are the wire's

import io
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pyVmomi import vim, vmodl
from pyVmomi.SoapAdapter import SerializeToStr, SoapStubAdapterBase
from pyVmomi.VmomiSupport import GetVmodlType, Object

from balancer.adapters.vsphere.session import Opened
from balancer.adapters.vsphere.stub import Unreadable

REFERENCES = GetVmodlType("vmodl.ManagedObject[]")
QUERY = vmodl.query.PropertyCollector
VERSION = "vim.version.v8_0_3_0"
_PREFIXES = {
    "http://schemas.xmlsoap.org/soap/envelope/": "soapenv",
    "http://www.w3.org/2001/XMLSchema": "xsd",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi",
    "urn:vim25": "",
}
_SPACES = " ".join(f"xmlns:{prefix}='{space}'" for space, prefix in _PREFIXES.items() if prefix)


def answer_of(method: str, page: Any) -> bytes:
    """Return the SOAP answer that holds a page."""
    kind = QUERY.RetrieveResult
    field = Object(name="returnval", type=kind, version=kind._version, flags=0)
    body = SerializeToStr(page, field, VERSION, dict(_PREFIXES))
    return (
        f"<?xml version='1.0' encoding='UTF-8'?><soapenv:Envelope {_SPACES}><soapenv:Body>"
        f"<{method}Response xmlns='urn:vim25'>{body}</{method}Response>"
        "</soapenv:Body></soapenv:Envelope>"
    ).encode()


class FakeStub(SoapStubAdapterBase):
    def __init__(
        self,
        vms: Iterable[str],
        *,
        poison: Iterable[str] = (),
        gone: Iterable[str] = (),
        fault: vmodl.MethodFault | None = None,
    ) -> None:
        super().__init__(VERSION)
        self.vms = list(vms)
        self.poison, self.gone, self.fault = set(poison), set(gone), fault
        self.calls: Counter[str] = Counter()
        self._rest: dict[str, list[str]] = {}

    def opened(self) -> Opened:
        content = vim.ServiceInstanceContent(
            propertyCollector=QUERY("collector", self),
            viewManager=vim.view.ViewManager("views", self),
        )
        return Opened(
            stub=self,
            content=content,
            sessions=vim.SessionManager("sessions", self),
            version=VERSION,
            instance_uuid="uuid",
            api_version="8.0.3.0",
        )

    def InvokeMethod(self, mo: Any, info: Any, args: Any, outerStub: Any = None) -> Any:
        self.calls[info.wsdlName] += 1
        return getattr(self, info.wsdlName)(*args)

    def parsed(self, target: Any, info: Any, args: Any, parse: Any) -> Any:
        """Serialise the answer as a server does and have it parsed."""
        return parse(io.BytesIO(answer_of(info.wsdlName, self.InvokeMethod(target, info, args))))

    def CreateContainerView(self, container: Any, kinds: Any, recursive: Any) -> Any:
        return vim.view.ContainerView("view-1", self)

    def DestroyView(self) -> None:
        pass

    def RetrievePropertiesEx(self, filters: Any, options: Any) -> Any:
        if self.fault is not None:
            raise self.fault
        (spec,) = filters
        if spec.propSet[0].pathSet == ["view"]:
            refs = REFERENCES([vim.VirtualMachine(key, self) for key in self.vms])
            return self._result([(spec.objectSet[0].obj, "view", refs)], "")
        through_view = bool(spec.objectSet[0].selectSet)
        named = [entry.obj._GetMoId() for entry in spec.objectSet]
        if not through_view and self.gone & set(named):
            raise vmodl.fault.ManagedObjectNotFound()
        return self._page(self.vms if through_view else named, options.maxObjects)

    def ContinueRetrievePropertiesEx(self, token: str) -> Any:
        return self._page(self._rest.pop(token), int(token))

    def _page(self, keys: list[str], size: int) -> Any:
        page, rest = keys[:size], keys[size:]
        token = str(size) if rest else ""
        self._rest[token] = rest
        if self.poison & set(page):
            raise Unreadable("RetrievePropertiesEx", AttributeError("an unknown word"))
        return self._result([(vim.VirtualMachine(k, self), "name", f"n-{k}") for k in page], token)

    def _result(self, rows: list[tuple[Any, str, Any]], token: str) -> Any:
        return QUERY.RetrieveResult(
            token=token or None,
            objects=[
                QUERY.ObjectContent(obj=obj, propSet=[vmodl.DynamicProperty(name=path, val=value)])
                for obj, path, value in rows
            ],
        )
