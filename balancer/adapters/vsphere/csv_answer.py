"""Answers of QueryPerf in csv, parsed as they arrive.

Owns the streaming parser. Memory is bounded by the answer's own values; nothing is built that is not kept. What
carries a document type, the only place where entities can be defined, or is no answer of QueryPerf, is
refused whole. Sits between the stub and `samples`.

The answer, as the vSphere API's WSDL has it:
`returnval*(entity, sampleInfoCSV, value*(id(counterId, instance), value))`.
"""

from xml.parsers import expat

from balancer.adapters.vsphere.leaf_answer import CHUNK_BYTES, Refused, Stream
from balancer.adapters.vsphere.samples import Row

_ANSWER = "QueryPerfResponse"
_DEPTH_OF_ANSWER, _DEPTH_OF_ROW, _DEPTH_OF_SERIES = 3, 4, 5
_LEAVES = frozenset(
    {(5, "entity"), (5, "sampleInfoCSV"), (7, "counterId"), (7, "instance"), (6, "value")}
)


def read_rows(stream: Stream) -> tuple[Row, ...]:
    """Parse one answer to the end.

    Raises:
        Refused: it is no answer of QueryPerf, or has a document type.
        xml.parsers.expat.ExpatError: it is no XML.
    """
    reader = _Reader()
    while chunk := stream.read(CHUNK_BYTES):
        reader.parser.Parse(chunk, False)
    reader.parser.Parse(b"", True)
    return tuple(reader.rows)


class _Reader:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._row = Row()
        self._depth = 0
        self._texts: dict[str, str] = {}
        self._parts: list[str] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = _no_document_type

    def _start(self, name: str, _: object) -> None:
        self._depth += 1
        local = name.rpartition(" ")[2]
        if self._depth == _DEPTH_OF_ANSWER and local != _ANSWER:
            raise Refused(f"{local} came where {_ANSWER} was expected")
        if self._depth == _DEPTH_OF_ROW:
            self._row = Row()
        elif self._depth == _DEPTH_OF_SERIES:
            self._texts = {}
        if (self._depth, local) in _LEAVES:
            self._parts = []
            self.parser.CharacterDataHandler = self._parts.append

    def _end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if (self._depth, local) in _LEAVES:
            self._texts[local] = "".join(self._parts)
            self.parser.CharacterDataHandler = None
        if self._depth == _DEPTH_OF_SERIES:
            self._close(local)
        elif self._depth == _DEPTH_OF_ROW:
            self.rows.append(self._row)
        self._depth -= 1

    def _close(self, local: str) -> None:
        texts, row = self._texts, self._row
        if local == "entity":
            row.entity = texts.get("entity", "")
        elif local == "sampleInfoCSV":
            row.clock = texts.get("sampleInfoCSV", "")
        elif local == "value":
            key, instance = texts.get("counterId", ""), texts.get("instance", "")
            row.series.append((key, instance, texts.get("value", "")))


def _no_document_type(*_: object) -> None:
    raise Refused("the answer has a document type, which SOAP forbids")
