"""Answers of the property collector, parsed as they arrive.

Owns the streaming parser on expat; structures among the values are built by `structures`. Memory is bounded
by one object and the values kept. An object with a value that cannot be read is named and left out, its page
goes on; what is no answer of the property collector, or carries a document type (the only place where entities
can be defined), is refused whole. Sits between the stub and `retrieve`.

The answer, as the vSphere API's WSDL has it:
`returnval(token?, objects*(obj, propSet*(name, val), missingSet*(path, fault(fault))))`.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Protocol
from xml.parsers import expat

from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts, Link
from balancer.adapters.vsphere.leaves import Convert, shape_of, types_of
from balancer.adapters.vsphere.structures import Structure

CHUNK_BYTES = 64 * 1024
_SEPARATOR = " "
_ANSWERS = ("RetrievePropertiesExResponse", "ContinueRetrievePropertiesExResponse")
_CONTAINERS = ("propSet", "name", "returnval")


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, amount: int, /) -> bytes:
        """Return the next bytes, none at the end."""


class Refused(HTTPException):
    """It is not the answer that was asked for."""


class Malformed(ValueError):
    """The answer's order is not the one that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafPage:
    """One page: the objects that could be read, the ids of the others, and where it goes on."""

    objects: tuple[Facts, ...]
    unreadable: frozenset[str]
    token: str


def read_page(
    stream: Stream, paths: Iterable[str], structures: Container[str] = frozenset()
) -> LeafPage:
    """Parse one answer to the end. `paths` are the ones asked for, `structures` those that end in one.

    Raises:
        Refused: it is no answer of a property collector, or has a document type.
        Malformed: an object has no id, or elements are where none may be.
        xml.parsers.expat.ExpatError: it is not well-formed XML.
        vim.fault.NotAuthenticated: the session ended while the answer was made.
    """
    answer = _Answer(paths, structures)
    while chunk := stream.read(CHUNK_BYTES):
        answer.feed(chunk)
    return answer.page()


class _Answer:
    """The parser's state. Handlers are exchanged where another part of the answer begins."""

    def __init__(self, paths: Iterable[str], structures: Container[str]) -> None:
        self._structures = structures
        self._paths: Mapping[str, str] = {path: path for path in paths}
        self._links: dict[str, _Links] = {}
        self._scalars: dict[str, Convert] = {}
        self._objects: list[Facts] = []
        self._unreadable: set[str] = set()
        self._token = ""
        self._text = ""
        self._is_answer = False
        self._is_in_object = False
        self._begin_object()
        self._item: Convert = str
        self._items: list[Any] = []
        self._fault_depth = 0
        self._parser = expat.ParserCreate("utf-8", _SEPARATOR)
        self._parser.buffer_text = True
        self._parser.ordered_attributes = True
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartElementHandler = self._start_around
        self._end_value_now = self._end_value  # made once, not for each value

    def feed(self, chunk: bytes) -> None:
        self._parser.Parse(chunk)

    def page(self) -> LeafPage:
        self._parser.Parse(b"", True)
        if not self._is_answer:
            raise Refused("the answer is not one of the property collector")
        self._end_object()
        return LeafPage(
            objects=tuple(self._objects),
            unreadable=frozenset(self._unreadable),
            token=self._token,
        )

    def _begin_object(self) -> None:
        self._id = ""
        self._kind = ""
        self._name = ""
        self._values: dict[str, Any] = {}
        self._denied: list[str] = []
        self._is_good = True
        self._convert: Convert = str

    def _end_object(self) -> None:
        if not self._is_in_object:
            return
        if not self._id or not self._kind:
            raise Malformed("an object has no id")
        if self._is_good and "" not in self._values:
            facts = Facts(
                id=self._id, kind=self._kind, values=self._values, denied=frozenset(self._denied)
            )
            self._objects.append(facts)
        else:
            self._unreadable.add(self._id)

    def _characters(self, data: str) -> None:
        self._text += data

    # Around the answer: the envelope, whose namespace the answer's elements do not share.

    def _start_around(self, tag: str, attributes: list[str]) -> None:
        space, _, name = tag.rpartition(_SEPARATOR)
        if name not in _ANSWERS:
            return
        self._is_answer = True
        prefix = f"{space}{_SEPARATOR}" if space else ""
        self._val, self._object, self._obj = prefix + "val", prefix + "objects", prefix + "obj"
        self._token_tag, self._missing = prefix + "token", prefix + "missingSet"
        self._path_tag, self._fault = prefix + "path", prefix + "fault"
        self._plain = frozenset(prefix + word for word in _CONTAINERS)
        self._back_to_objects()

    def _back_to_objects(self) -> None:
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = None

    # Objects and their values, nearly all of an answer. Calls from expat are what costs, so ends are listened
    # to only where a text is wanted: an object ends where the next begins, a name where its value begins.

    def _start(self, tag: str, attributes: list[str]) -> None:
        if tag == self._val:
            name = self._paths.get(self._text)
            # A scalar has one attribute, its type, and nearly all types were met before.
            convert = self._scalars.get(attributes[1]) if len(attributes) == 2 else None
            if name is None or convert is None:
                self._start_another(attributes)
            else:
                self._name, self._convert = name, convert
                self._parser.EndElementHandler = self._end_value_now
        elif tag in self._plain:
            pass
        elif tag == self._object:
            self._end_object()
            self._begin_object()
            self._is_in_object = True
        elif tag == self._obj:
            self._kind = types_of(attributes)[1]
            self._parser.EndElementHandler = self._end_text
        elif tag == self._token_tag:
            self._parser.EndElementHandler = self._end_text
        elif tag == self._missing:
            self._parser.StartElementHandler = self._start_missing
            self._parser.EndElementHandler = self._end_missing
        else:
            self._is_good = False
        self._text = ""

    def _end_text(self, tag: str) -> None:
        if tag == self._obj:
            self._id = self._text
        elif tag == self._token_tag:
            self._token = self._text
        self._parser.EndElementHandler = None

    # One value.

    def _end_value(self, tag: str) -> None:
        if tag != self._val:
            return
        try:
            self._values[self._name] = self._convert(self._text)
        except (ValueError, LookupError):
            self._is_good = False
        self._parser.EndElementHandler = None

    def _start_another(self, attributes: list[str]) -> None:
        self._name = self._paths.get(self._text.strip(), "")
        word, kind = types_of(attributes)
        if self._name in self._structures:
            self._begin_structure(word)
            return
        try:
            shape = shape_of(word)
        except ValueError:
            self._is_good = False
            self._parser.StartElementHandler = None
            self._parser.EndElementHandler = self._end_skipped
            return
        convert = shape.convert or self._linking(kind)
        if shape.is_list:
            self._item, self._items = convert, []
            self._by_reference = shape.convert is None
            self._parser.StartElementHandler = self._start_item
            self._parser.EndElementHandler = self._end_item
            return
        if shape.convert is not None:
            self._scalars[word] = shape.convert
        self._convert = convert
        self._parser.EndElementHandler = self._end_value_now

    # A structure: its elements are collected without a call into Python for their starts and texts.

    def _begin_structure(self, word: str) -> None:
        structure = Structure(word, linking=self._linking, done=self._end_structure)
        self._structure = structure
        parser = self._parser
        parser.ordered_attributes = False
        parser.StartElementHandler = structure.start
        parser.CharacterDataHandler = structure.data
        parser.EndElementHandler = structure.end

    def _end_structure(self) -> None:
        try:
            self._values[self._name] = self._structure.value()
        except (ValueError, LookupError):
            self._is_good = False
        self._parser.ordered_attributes = True
        self._parser.CharacterDataHandler = self._characters
        self._back_to_objects()

    def _linking(self, kind: str) -> Convert:
        """Return the conversion of an id to a link of a class."""
        if kind not in self._links:
            self._links[kind] = _Links(kind)
        return self._links[kind].__getitem__

    def _start_item(self, tag: str, attributes: list[str]) -> None:
        self._text = ""
        if self._by_reference:
            self._item = self._linking(types_of(attributes)[1])

    def _end_item(self, tag: str) -> None:
        if tag == self._val:
            self._values[self._name] = self._items
            self._back_to_objects()
            return
        try:
            self._items.append(self._item(self._text))
        except (ValueError, LookupError):
            self._is_good = False

    def _end_skipped(self, tag: str) -> None:
        if tag == self._val:
            self._back_to_objects()

    # What the server would not show. A fault has fields of its own, hence the depth.

    def _start_missing(self, tag: str, attributes: list[str]) -> None:
        self._text = ""
        if tag == self._fault:
            self._fault_depth += 1
            word = types_of(attributes)[0].rsplit(":", 1)[-1]
            if word == "NotAuthenticated":
                raise vim.fault.NotAuthenticated(msg="the session ended while properties were read")

    def _end_missing(self, tag: str) -> None:
        if tag == self._fault:
            self._fault_depth -= 1
        elif tag == self._path_tag and not self._fault_depth:
            self._denied.append(self._text)
        elif tag == self._missing:
            self._back_to_objects()


class _Links(dict[str, Link]):
    """The links of one class by id: equal links of a page are one value."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, key: str) -> Link:
        if not key or not self._kind:
            raise ValueError("a reference has no id or no class")
        link = self[key] = Link(kind=self._kind, id=key)
        return link


def _refuse_doctype(*_: object) -> None:
    raise Refused("the answer has a document type, which SOAP forbids")
