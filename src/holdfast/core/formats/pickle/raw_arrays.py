"""Array bytes that joblib writes between two instructions, found by declared type and shape and not read.

Source: joblib's NumpyArrayWrapper (0.10 and later). Where a plain unpickler would take the same bytes for
instructions that import something, that is stated too: the file means two things to two loaders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from holdfast.core.formats.buffers import Fault
from holdfast.core.formats.pickle.arrays import as_dtype
from holdfast.core.formats.pickle.facts import Kind
from holdfast.core.formats.pickle.graph import Array, Object, Opaque, Value
from holdfast.core.formats.pickle.opcodes import CODES, READERS, Op

if TYPE_CHECKING:
    from holdfast.core.formats.pickle.machine import Machine

_MODULES: Final = tuple(
    f"{package}.{module}"
    for package in ("joblib", "sklearn.externals.joblib")
    for module in ("numpy_pickle", "numpy_pickle_compat")
)
_ELSEWHERE: Final = frozenset(
    f"{module}.{name}" for module in _MODULES for name in ("NDArrayWrapper", "ZNDArrayWrapper")
)
"""Before joblib 0.10: the array is a file of its own, opened by the name in the state, pickled objects allowed."""
WRAPPERS: Final = _ELSEWHERE | {f"{module}.NumpyArrayWrapper" for module in _MODULES}
MAX_SHADOW: Final = 4_096
"""Instructions a plain unpickler is followed into raw bytes; ordinary numbers stop it within a few."""


def read_raw_array(machine: Machine, wrapper: Object) -> Value:
    """The array behind `wrapper`, its bytes skipped; an object array is a stream of its own.

    Raises Fault where they do not follow as joblib lays them.
    """
    known = wrapper.attributes()
    if wrapper.path in _ELSEWHERE:
        machine.notes.add(Kind.OUT_OF_BAND, "an array in a file of its own", machine.at)
        return Opaque("an array in a file of its own", machine.at)
    dtype, shape, order = as_dtype(known.get("dtype")), known.get("shape"), known.get("order")
    if dtype is None or order not in ("C", "F") or not _is_shape(shape):
        raise Fault("malformed", "an array without a plain type, shape and order", machine.at)
    if machine.pos < machine.frame_end:
        raise Fault("malformed", "a raw array inside a frame", machine.at)
    assert isinstance(shape, tuple)
    if dtype.has_objects:
        return _nested(machine)
    _note_shadow(machine)
    padding = known.get("numpy_array_alignment_bytes")
    if padding is not None:
        _skip_padding(machine)
    size = dtype.itemsize
    for length in shape:
        size *= length
    if machine.pos + size > machine.end:
        left = machine.end - machine.pos
        raise Fault("truncated", f"an array of {size:,} bytes where {left:,} are left", machine.pos)
    span = machine.skip(size)
    return Array(dtype, shape, order, span)


def _is_shape(shape: Value) -> bool:
    return isinstance(shape, tuple) and len(shape) <= 64 and all(type(n) is int and n >= 0 for n in shape)


def _skip_padding(machine: Machine) -> None:
    if machine.pos >= machine.end:
        raise Fault("truncated", "an array without its alignment byte", machine.pos)
    length = machine.data[machine.pos]
    machine.pos += 1 + length
    padding = bytes(machine.data[machine.pos - length : machine.pos])
    # joblib pads with 0xff up to 16 bytes; anything else in there would be bytes nobody explains.
    if length > 64 or padding.strip(b"\xff"):
        raise Fault("malformed", "alignment bytes that joblib does not write", machine.pos)


def _nested(machine: Machine) -> Value:
    """Elements of an object array: a stream of its own, read by a plain unpickler."""
    from holdfast.core.formats.pickle.machine import Machine as Nested
    from holdfast.core.formats.pickle.machine import Meter

    if machine.inner:
        raise Fault("malformed", "a nested array inside a nested array", machine.at)
    meter = Meter(machine.meter.nested)
    inner = Nested(machine.data, machine.pos, machine.end, machine.notes, meter, inner=True)
    try:
        return inner.run()
    finally:
        machine.meter.nested = meter.opcodes
        machine.pos = inner.pos
        machine.skipped += inner.skipped


def _note_shadow(machine: Machine) -> None:
    """State the imports a plain unpickler would make of the bytes that joblib takes for numbers."""
    pos, handed = machine.pos, 0
    for _ in range(MAX_SHADOW):
        if pos >= machine.end or machine.data[pos] not in CODES:
            return
        op = Op(machine.data[pos])
        argument: Any
        try:
            argument, after = READERS[op](machine.data, pos + 1, machine.end) if op in READERS else (None, pos + 1)
        except Fault:
            return
        if op in (Op.GLOBAL, Op.INST) and all(part.isprintable() and part for part in argument):
            machine.notes.add(Kind.SHADOW_IMPORT, ".".join(argument), pos)
            return
        if op is Op.STACK_GLOBAL and handed >= 2:
            machine.notes.add(Kind.SHADOW_IMPORT, "a name from the stack", pos)
            return
        if op is Op.STOP:
            return
        handed += isinstance(argument, str | int) or op in (Op.POP, Op.DUP)
        pos = after
