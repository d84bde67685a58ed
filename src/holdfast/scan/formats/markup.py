"""XML models (PMML, OpenVINO): an entity or a document type of their own makes a parser open files or unfold."""

from __future__ import annotations

import math
import re
from typing import Final
from xml.parsers import expat

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import escapes
from holdfast.scan.inspect import Inspector, Seen

MAX_BYTES: Final = 512 << 20
MAX_DEPTH: Final = 1000
MAX_FACTS: Final = 2_000
_CHUNK: Final = 1 << 20
_CODE: Final = frozenset(("script", "object", "embed", "iframe", "stylesheet", "include"))
_PLACES: Final = frozenset(("path", "file", "location", "filename", "library"))
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_BITS: Final = {
    **dict.fromkeys(("f64", "i64", "u64"), 64),
    **dict.fromkeys(("f32", "i32", "u32"), 32),
    **dict.fromkeys(("f16", "bf16", "i16", "u16"), 16),
    **dict.fromkeys(("i8", "u8", "boolean", "f8e4m3", "f8e5m2", "f8e8m0"), 8),
    **dict.fromkeys(("i4", "u4", "nf4", "f4e2m1"), 4),
    "u1": 1,
}
"""Bits of an element, by OpenVINO's names."""


class _Watch:
    """What an XML file says, without its text."""

    def __init__(self, seen: Seen, inspector: Inspector, parser: expat.XMLParserType) -> None:
        self.seen, self.inspector, self.parser = seen, inspector, parser
        self.depth = 0
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.StartDoctypeDeclHandler = self.doctype
        parser.EntityDeclHandler = self.entity
        parser.ProcessingInstructionHandler = self.instruction

    def tell(self, kind: str, value: str) -> None:
        """State a fact. Raises Fault where there are more than anybody reads."""
        if len(self.seen.facts) >= MAX_FACTS:
            raise Fault("budget", f"more than {MAX_FACTS:,} facts", self.parser.CurrentByteIndex)
        self.seen.add(kind, value, self.parser.CurrentByteIndex)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.inspector.enter(0)
        if self.depth > MAX_DEPTH:
            raise Fault("budget", "elements nested too deeply", self.parser.CurrentByteIndex)
        local = name.rpartition(":")[2].lower()
        if local in _CODE:
            self.tell("script", f"element {name[:80]}")
        if "library" in attributes:
            self.tell("native-library", attributes["library"][:200])
        if self.seen.format == "openvino" and {"offset", "size"} <= set(attributes):
            self.constant(attributes)
        for key, value in attributes.items():
            if key.lower() in _PLACES and (escapes(value) or "://" in value):
                self.tell("path-escape", value[:200])

    def constant(self, told: dict[str, str]) -> None:
        """An array of OpenVINO lies in the file beside the XML that is called as it is, with `.bin` behind its stem."""
        offset, size = (int(told[key]) if _NUMBER.fullmatch(told[key]) else None for key in ("offset", "size"))
        shape = _shaped(told)
        if offset is None or size is None or shape not in (None, size):
            self.tell("malformed", "an array whose bytes are not those of its shape")
            size = None
        if self.seen.claims.add(".bin", offset or 0, size, appended=True):
            self.tell("external-file", "*.bin")

    def end(self, _name: str) -> None:
        self.depth -= 1

    def doctype(self, name: str, system: str | None, public: str | None, _internal: bool) -> None:
        kind = "xml-entity" if system or public else "xml-doctype"
        self.tell(kind, f"document type {name[:80]}")

    def entity(self, name: str, *_rest: object) -> None:
        self.tell("xml-entity", f"entity {name[:80]}")

    def instruction(self, target: str, _data: str) -> None:
        self.tell("script", f"instruction {target[:80]}")


def _shaped(told: dict[str, str]) -> int | None:
    """Bytes of an array by its type and shape; None where the file does not say both, or the type has no one size."""
    bits, words = _BITS.get(told.get("element_type", "")), told.get("shape")
    if bits is None or words is None or not re.fullmatch(r"[0-9, ]{0,400}", words):
        return None
    counts = [int(word) for word in words.split(",") if word.strip().isdigit()]
    return -(-bits * math.prod(counts) // 8)


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Element by element; external entities are never opened, internal ones never unfolded."""
    if len(window) > MAX_BYTES:
        raise Fault("budget", f"{len(window):,} bytes of XML", 0)
    parser = expat.ParserCreate()
    _Watch(seen, inspector, parser)
    try:
        for at in range(0, len(window), _CHUNK):
            parser.Parse(window.read(at, _CHUNK), False)
        parser.Parse(b"", True)
    except expat.ExpatError as fault:
        if not any(fact.kind == "xml-entity" for fact in seen.facts):
            raise Fault("malformed", f"no XML: {fault}", fault.offset) from None
    seen.parsed = len(window)
