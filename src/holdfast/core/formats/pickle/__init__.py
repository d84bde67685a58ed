"""The symbolic pickle machine: what a pickle would import, call and build, without any of it happening."""

from holdfast.core.formats.buffers import Buffer, Fault
from holdfast.core.formats.pickle.arrays import as_array, as_text, load, raw_bytes
from holdfast.core.formats.pickle.facts import Kind, Notes
from holdfast.core.formats.pickle.graph import (
    Array,
    Dict,
    DType,
    Global,
    Object,
    Opaque,
    Persistent,
    Set,
    Span,
    Value,
)
from holdfast.core.formats.pickle.machine import Meter
from holdfast.core.formats.pickle.reading import Reading, Stream, children, read_facts, read_one, read_pickles

__all__ = [
    "Array",
    "Buffer",
    "DType",
    "Dict",
    "Fault",
    "Global",
    "Kind",
    "Meter",
    "Notes",
    "Object",
    "Opaque",
    "Persistent",
    "Reading",
    "Set",
    "Span",
    "Stream",
    "Value",
    "as_array",
    "as_text",
    "children",
    "load",
    "raw_bytes",
    "read_facts",
    "read_one",
    "read_pickles",
]
