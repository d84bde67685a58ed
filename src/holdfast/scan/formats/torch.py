"""PyTorch files: the zip layout since 1.6 and the older run of pickles with raw storages behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import ZipEntry, member_bytes
from holdfast.core.formats.pickle import Global, Kind, Meter, Notes, Persistent, Value, children, read_one, read_pickles
from holdfast.scan.formats.archives import open_zip, read_member
from holdfast.scan.formats.pickles import moved, read_enclosed
from holdfast.scan.formats.torchscript import read_code
from holdfast.scan.inspect import Inspector, Seen

ITEM_BYTES: Final = {
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage", "QInt32Storage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    **dict.fromkeys(("CharStorage", "ByteStorage", "BoolStorage", "QInt8Storage", "QUInt8Storage"), 1),
    **dict.fromkeys(("UntypedStorage", "QUInt4x2Storage", "QUInt2x4Storage"), 1),
    "ComplexDoubleStorage": 16,
}
_PEEK_OPCODES: Final = 10_000
_STORAGE: Final = re.compile(r"/(?:data|constants)/\d+$")
"""The second is where a script keeps the tensors that it never changes."""
_CODE: Final = re.compile(r"(?:^|/)code/.*\.py$")


def read_zip(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Pickles and code by their bytes; a tensor's bytes are skipped, since torch reads them by name only."""
    archive = open_zip(inspector, window, seen)
    declared: set[str] = set()
    for entry in archive.entries:
        if _is_storage(inspector, window, entry):
            seen.skipped += entry.packed
        else:
            read_member(inspector, window, seen, entry, depth)
            if _CODE.search(entry.name):
                declared |= _read_code(inspector, window, seen, entry)
    scripts = _script_pickles(entry.name for entry in archive.entries)
    seen.facts[:] = [
        fact for fact in seen.facts if not (_is_known_storage(fact) or _is_own_class(fact, scripts, declared))
    ]


def _read_code(inspector: Inspector, window: Window, seen: Seen, entry: ZipEntry) -> set[str]:
    try:
        content = member_bytes(window, entry, inspector.unpacked_bytes)
    except Fault:
        return set()  # read_member has stated why
    inspector.unpacked(len(content))
    return read_code(content, seen, entry.name)


def _script_pickles(names: Iterable[str]) -> frozenset[str]:
    """The pickles that torch's own C++ unpickler reads: those of an archive with constants, which marks a script."""
    roots = [root for root, _, rest in (name.partition("/") for name in names) if rest == "constants.pkl"]
    return frozenset(f"{root}/{part}.pkl" for root in roots for part in ("data", "constants"))


def _is_own_class(fact: Fact, scripts: frozenset[str], declared: set[str]) -> bool:
    """A class of the archive's own code, looked up there and nowhere else."""
    return fact.kind in (Kind.IMPORT, Kind.CONSTRUCT) and fact.member in scripts and fact.value in declared


def _is_known_storage(fact: Fact) -> bool:
    return fact.kind == Kind.PERSISTENT_ID and fact.value == "storage"


def _is_known_to_legacy(fact: Fact) -> bool:
    """The older loader also hands classes back, which are judged by their names like any other."""
    return fact.kind == Kind.PERSISTENT_ID and fact.value in ("storage", "module")


def _is_storage(inspector: Inspector, window: Window, entry: ZipEntry) -> bool:
    """A stored member `data/<n>` or `constants/<n>` that does not begin like something that could be opened alone."""
    if not _STORAGE.search(entry.name) or entry.packed != entry.size:
        return False
    try:
        content = member_bytes(window, entry, 0)
    except Fault:
        return False
    return not opens_alone(inspector, content)


def opens_alone(inspector: Inspector, content: Window) -> bool:
    """Whether a tensor's bytes would also load as an archive, a program or a pickle that ends or imports."""
    head = content.read(0, 64)
    if head.startswith((b"PK\3\4", b"\x7fELF")):
        return True
    if head.startswith(b"MZ"):
        return content.read(int.from_bytes(head[60:64], "little"), 4) == b"PE\0\0"
    if not head.startswith((b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5")):
        return False
    inspector.peek()
    reading = read_pickles(content.data, content.start, content.end, Meter(_PEEK_OPCODES))
    return bool(reading.streams) or any(fact.kind == Kind.IMPORT for fact in reading.facts)


def read_legacy(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Five pickles (magic, protocol, system, object, storage keys), then each storage with its length in front."""
    notes, pos, values, skipped = Notes(), window.start, [], 0
    try:
        for _ in range(5):
            stream, inside = read_one(window.data, pos, window.end, notes, inspector.meter)
            values.append(stream.value)
            skipped += inside
            pos = stream.end
        after = _storages(window, pos, values[4], _sizes(values[3]))
        seen.skipped = skipped + after - pos
        pos = after
    finally:
        facts = [moved(fact, -window.start) for fact in notes.all()]
        seen.facts += [fact for fact in facts if not _is_known_to_legacy(fact)]
        seen.parsed = max(0, pos - window.start - seen.skipped)
    read_enclosed(inspector, seen, notes.enclosed(), depth)
    if pos < window.end:
        raise Fault("trailing-bytes", f"{window.end - pos:,} bytes behind the storages", pos - window.start)


def _sizes(root: Value) -> dict[str, int]:
    """Bytes per item of each storage key the object mentions."""
    found: dict[str, int] = {}
    pending, seen = [root], set()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        match value:
            case Persistent(id=("storage", Global(name=kind), str() as key, *_)) if kind in ITEM_BYTES:
                found[key] = ITEM_BYTES[kind]
            case _:
                pending.extend(children(value))
    return found


def _storages(window: Window, pos: int, keys: Value, sizes: dict[str, int]) -> int:
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Fault("malformed", "the storage keys are no list of text", pos - window.start)
    for key in keys:
        count = int.from_bytes(window.data[pos : pos + 8], "little")
        after = pos + 8 + count * sizes.get(key, 0)
        if key not in sizes or after > window.end:
            raise Fault("truncated", f"storage {key} reaches outside of the file", pos - window.start)
        pos = after
    return pos
