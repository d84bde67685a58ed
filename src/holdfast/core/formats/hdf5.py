"""HDF5 as far as model files use it: groups, links, attributes with text, and what datasets say of their bytes.

Source: HDF5 File Format Specification 3.0 (superblocks 0 to 3; object headers 1 and 2; messages 0x01 to 0x16; version 1
B-trees, symbol table nodes, local and global heaps). Array bytes are never read. Newer storage of many links, many
attributes and chunks is read by `hdf5_heaps`, `hdf5_trees`, `hdf5_chunks`; what objects share is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.hdf5_chunks import chunks
from holdfast.core.formats.hdf5_heaps import Heap
from holdfast.core.formats.hdf5_source import UNDEFINED, Source
from holdfast.core.formats.hdf5_trees import records

MAX_OBJECTS: Final = 1_000_000
MAX_PIECES: Final = 10_000
MAX_TEXT: Final = 64 << 20
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_LINK_INFO: Final = 2
_LAYOUT: Final = 8
_CONTINUED: Final = 16


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an object header; `body` is its content."""

    kind: int
    body: Window


@dataclass(slots=True)
class Dataset:
    """What a dataset declares. `stored` are the bytes it has in the file, `largest` the shape that it may grow to."""

    offset: int
    elements: int = 1
    itemsize: int = 0
    stored: int = 0
    largest: tuple[int, ...] = ()
    filters: list[int] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Hdf5:
    """What a file holds: attributes with text, links out of it, datasets, and the ranges its structures use."""

    texts: list[tuple[str, str, int]] = field(default_factory=list)
    links: list[tuple[str, str, int]] = field(default_factory=list)
    datasets: list[Dataset] = field(default_factory=list)
    structures: list[tuple[int, int]] = field(default_factory=list)
    arrays: list[tuple[int, int]] = field(default_factory=list)


def read_hdf5(window: Window, found: Hdf5) -> None:
    """Follow every object from the root into `found`. Raises Fault where the file cannot be followed further."""
    _Reader(window, found).read()


class _Reader:
    def __init__(self, window: Window, found: Hdf5) -> None:
        self.window, self.found = window, found
        self.source = Source(window, found.structures)
        self.take, self.step = self.source.take, self.source.step
        self.pending: list[int] = []
        self.known: set[int] = set()

    def read(self) -> None:
        self.pending.append(self._superblock())
        while self.pending:
            at = self.pending.pop()
            if at in self.known:
                continue
            self.known.add(at)
            if len(self.known) > MAX_OBJECTS:
                raise Fault("budget", f"more than {MAX_OBJECTS:,} structures", at)
            self._object(at)

    def _superblock(self) -> int:
        head = self.take(0, 16)
        if head[:8] != _SIGNATURE:
            raise Fault("malformed", "no HDF5 signature", 0)
        version = head[8]
        if version in (0, 1):
            raw = self.take(0, 96 if version == 0 else 100)[24 if version == 0 else 28 :]
            sizes, (base, _, end, _, _, root) = head[13:15], struct.unpack_from("<6Q", raw)
        elif version in (2, 3):
            raw = self.take(0, 48)
            sizes, (base, extension, end, root) = raw[9:11], struct.unpack_from("<4Q", raw, 12)
            self.pending += [extension] if extension != UNDEFINED else []
        else:
            raise Fault("unsupported", f"superblock version {version}", 8)
        if sizes != b"\x08\x08" or base:
            raise Fault("unsupported", "offsets that are not of eight bytes, or do not count from the start", 9)
        if end != len(self.window):
            kind = "truncated" if end > len(self.window) else "trailing-bytes"
            raise Fault(kind, f"the file says it ends at {end:,}, and ends at {len(self.window):,}", end)
        return int(root)

    def _object(self, at: int) -> None:
        messages = list(self._messages(at))
        dataset = Dataset(at)
        # Where chunks lie can depend on the shape, wherever that is told.
        for message in sorted(messages, key=lambda message: message.kind == _LAYOUT):
            self._message(message, dataset)
        if any(message.kind == _LAYOUT for message in messages):
            self.found.datasets.append(dataset)

    def _message(self, message: Message, dataset: Dataset) -> None:
        """By number: 1 dataspace, 3 datatype, 6 link, 7 external files, 8 layout, 11 filters, 12 attribute,
        17 symbol table, 2 and 21 where links and attributes lie when there are many."""
        body = message.body
        at = body.start - self.window.start
        match message.kind:
            case 1:
                dataset.elements, dataset.largest = _elements(body), _largest(body)
            case 3:
                dataset.itemsize = int.from_bytes(body.read(4, 4), "little")
            case 6:
                self._link(body, at)
            case 7:
                dataset.outside.append("external storage")
                self.found.links.append(("external storage", "", at))
            case 8:
                self._layout(body, dataset)
            case 11:
                dataset.filters += _filters(body)
            case 12:
                self._attribute(body)
            case 17:
                self._table(*struct.unpack("<2Q", body.part(0, 16).read(0, 16)))
            case 2 | 21:
                self._dense(message.kind, body)

    # -- object headers

    def _messages(self, at: int) -> Iterator[Message]:
        if self.window.read(at, 4) == b"OHDR":
            yield from self._messages_2(at)
            return
        head = self.take(at, 16)
        if head[0] != 1:
            raise Fault("malformed", "no object header", at)
        blocks = [(at + 16, int.from_bytes(head[8:12], "little"))]
        for start, size in blocks:
            if len(blocks) > MAX_PIECES:
                raise Fault("budget", "an object header in too many pieces", at)
            self.take(start, size)
            pos, end = start, start + size
            while pos + 8 <= end:
                kind, length, flags = struct.unpack("<HHB", self.window.read(pos, 5))
                if pos + 8 + length > end:
                    raise Fault("malformed", "a message reaches outside of its header", pos)
                yield from self._told(kind, flags, pos + 8, length, blocks, 0)
                pos += 8 + length

    def _messages_2(self, at: int) -> Iterator[Message]:
        flags = self.take(at, 6)[5]
        pos = at + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(self.window.read(pos, width), "little")
        self.take(at, pos + width - at)
        blocks = [(pos + width, size)]
        tracked = 2 if flags & 0x04 else 0
        for start, size in blocks:
            if len(blocks) > MAX_PIECES:
                raise Fault("budget", "an object header in too many pieces", at)
            self.take(start, size + (4 if start == blocks[0][0] else 0))
            pos, end = start, start + size
            while pos + 4 + tracked <= end:
                kind, length, message_flags = struct.unpack("<BHB", self.window.read(pos, 4))
                pos += 4 + tracked
                if pos + length > end:
                    raise Fault("malformed", "a message reaches outside of its header", pos)
                yield from self._told(kind, message_flags, pos, length, blocks, 8)
                pos += length

    def _told(
        self, kind: int, flags: int, at: int, size: int, blocks: list[tuple[int, int]], frame: int
    ) -> Iterator[Message]:
        """A message, or the further block that it names; `frame` bytes of one are signature and checksum."""
        if flags & 2:
            raise Fault("unsupported", "a message that is shared between objects", at)
        if kind == _CONTINUED:
            place, length = struct.unpack("<2Q", self.window.part(at, 16).read(0, 16))
            self.take(place, length)
            blocks.append((place + frame // 2, length - frame))
        elif kind != 0:
            yield Message(kind, self.window.part(at, size))

    # -- groups

    def _table(self, tree: int, heap: int) -> None:
        """A group of the old kind: a B-tree of symbol table nodes, with their names in a heap."""
        names = self._heap(heap)
        for node in self._leaves(tree, 0, 8):
            head = self.take(node, 8)
            if head[:4] != b"SNOD":
                raise Fault("malformed", "no symbol table node", node)
            count = int.from_bytes(head[6:8], "little")
            for number in range(count):
                name, place, cache, _, scratch = struct.unpack("<QQLL16s", self.take(node + 8 + 40 * number, 40))
                if cache == 2:
                    target = self._name(names, int.from_bytes(scratch[:4], "little"))
                    self.found.links.append(("soft", target, node))
                else:
                    self._name(names, name)
                    self.pending.append(place)

    def _name(self, names: Window, at: int) -> str:
        end = names.find(b"\0", at)
        if end < 0:
            raise Fault("malformed", "a name outside of its heap", names.start)
        self.source.spend(at, end - at)
        return names.read(at, end - at).decode("utf-8", "replace")

    def _heap(self, at: int) -> Window:
        head = self.take(at, 32)
        if head[:4] != b"HEAP":
            raise Fault("malformed", "no local heap", at)
        size, _, place = struct.unpack_from("<3Q", head, 8)
        self.take(place, size)
        return self.window.part(place, size)

    def _leaves(self, root: int, kind: int, key: int) -> Iterator[int]:
        """The children of the lowest nodes of a version 1 B-tree, each node once."""
        if root == UNDEFINED:
            return
        waiting, seen = [root], set[int]()
        while waiting:
            at = waiting.pop()
            if at in seen or len(seen) > MAX_OBJECTS:
                raise Fault("malformed", "a B-tree that runs in circles", at)
            seen.add(at)
            head = self.take(at, 24)
            if head[:4] != b"TREE" or head[4] != kind:
                raise Fault("malformed", "no B-tree node of its kind", at)
            count = int.from_bytes(head[6:8], "little")
            raw = self.take(at + 24, count * (8 + key) + key)
            places = [
                int.from_bytes(raw[pos + key : pos + key + 8], "little") for pos in range(0, len(raw) - key, 8 + key)
            ]
            if head[5]:
                waiting += places
            elif kind == 0:
                yield from places
            else:
                for number, place in enumerate(places):
                    self._stored(place, int.from_bytes(raw[number * (8 + key) :][:4], "little"))
                yield from places

    def _link(self, body: Window, at: int) -> None:
        """A link message of the new kind: version, flags, kind, order, encoding, name, and where it leads."""
        flags = body.read(1, 1)[0]
        pos = 2
        kind = 0
        if flags & 0x08:
            kind, pos = body.read(pos, 1)[0], pos + 1
        pos += (8 if flags & 0x04 else 0) + (1 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        pos += width + int.from_bytes(body.read(pos, width), "little")
        if kind == 0:
            self.pending.append(int.from_bytes(body.part(pos, 8).read(0, 8), "little"))
            return
        target = body.read(pos + 2, int.from_bytes(body.read(pos, 2), "little")).decode("utf-8", "replace")
        self.found.links.append(({1: "soft", 64: "external"}.get(kind, "user-defined"), target.strip("\0"), at))

    def _dense(self, kind: int, body: Window) -> None:
        """Many links or attributes: message bodies in a fractal heap, named by the records of one or two B-trees."""
        flags = body.read(1, 1)[0]
        pos = 2 + ((8 if kind == _LINK_INFO else 2) if flags & 1 else 0)
        heap_at, *trees = struct.unpack(
            f"<{3 if flags & 2 else 2}Q", body.part(pos, 24 if flags & 2 else 16).read(0, 24)
        )
        if heap_at == UNDEFINED:
            return
        heap, known = Heap(self.source, heap_at), set[bytes]()
        if heap_at in self.known:
            raise Fault("malformed", "a heap of two objects", heap_at)
        self.known.add(heap_at)
        by_name, by_order = ((5, 4), (6, 8)) if kind == _LINK_INFO else ((8, 0), (9, 0))
        for tree, (record, start) in zip(trees, (by_name, by_order), strict=False):
            for raw in records(self.source, tree, (record,)) if tree != UNDEFINED else ():
                key = raw[start : start + heap.id_size]
                if kind != _LINK_INFO and raw[heap.id_size] & 2:
                    raise Fault("unsupported", "an attribute that is shared between objects", tree)
                if key not in known:
                    known.add(key)
                    self._kept(kind, heap.object(key))

    def _kept(self, kind: int, body: Window) -> None:
        if kind == _LINK_INFO:
            self._link(body, body.start - self.window.start)
        else:
            self._attribute(body)

    # -- datasets

    def _stored(self, at: int, size: int) -> None:
        if at == UNDEFINED or not size:
            return
        self.window.part(at, size)
        self.found.arrays.append((at, at + size))

    def _layout(self, body: Window, dataset: Dataset) -> None:
        version, kind = body.part(0, 2).read(0, 2)
        if version == 3 and kind == 0:
            dataset.stored = int.from_bytes(body.read(2, 2), "little")
        elif version == 3 and kind == 1:
            at, size = struct.unpack("<2Q", body.part(2, 16).read(0, 16))
            self._stored(at, size)
            dataset.stored = 0 if at == UNDEFINED else size
        elif version == 3 and kind == 2:
            before = len(self.found.arrays)
            rank = body.read(2, 1)[0]
            for _ in self._leaves(int.from_bytes(body.part(3, 8).read(0, 8), "little"), 1, 8 + 8 * rank):
                pass
            dataset.stored = sum(end - start for start, end in self.found.arrays[before:])
        elif version in (4, 5) and kind == 2:
            for at, size in chunks(self.source, body, dataset.largest):
                self.step(at)
                self._stored(at, size)
                dataset.stored += 0 if at == UNDEFINED else size
        elif version in (4, 5) and kind == 3:
            dataset.outside.append("virtual")
            self.found.links.append(("virtual dataset", "", body.start - self.window.start))
        elif version in (4, 5) and kind in (0, 1):
            self._layout(Window(b"\x03" + body.read(1, len(body)), 0, len(body)), dataset)
        else:
            raise Fault("unsupported", f"array layout {version}.{kind}", body.start - self.window.start)

    # -- attributes

    def _attribute(self, body: Window) -> None:
        version = body.read(0, 1)[0]
        names, types, spaces = struct.unpack("<3H", body.part(2, 6).read(0, 6))
        pos = 9 if version == 3 else 8
        pad = 8 if version == 1 else 1
        name = body.part(pos, names).read(0, names).rstrip(b"\0").decode("utf-8", "replace")
        pos += -(-names // pad) * pad
        kind = body.part(pos, types)
        pos += -(-types // pad) * pad
        count = _elements(body.part(pos, spaces))
        pos += -(-spaces // pad) * pad
        if version not in (1, 2, 3) or body.read(1, 1)[0] & 3:
            raise Fault("unsupported", "an attribute of a shared type", body.start - self.window.start)
        self._values(name, kind, count, body.part(pos, len(body) - pos))

    def _values(self, name: str, kind: Window, count: int, data: Window) -> None:
        """The text of an attribute; numbers are of no interest."""
        sort = kind.read(0, 1)[0] & 0x0F
        size = int.from_bytes(kind.read(4, 4), "little")
        at = data.start - self.window.start
        if count * size > len(data):
            raise Fault("truncated", f"attribute {name[:80]!r} is cut off", at)
        if sort == 3:
            text = data.read(0, min(count * size, MAX_TEXT))
            self.found.texts.append((name, text.replace(b"\0", b"").decode("utf-8", "backslashreplace"), at))
        elif sort == 9 and size == 16:
            for number in range(count):
                length, place, index = struct.unpack("<LQL", data.read(16 * number, 16))
                if length:
                    self.found.texts.append((name, self._global(place, index, length), at))

    def _global(self, at: int, index: int, length: int) -> str:
        """An object of a global heap: collection header, then objects with index, count, size and padded bytes."""
        head = self.window.read(at, 16)
        size = int.from_bytes(head[8:16], "little")
        if head[:4] != b"GCOL" or size > len(self.window):
            raise Fault("malformed", "no global heap", at)
        heap = self.window.part(at, size)
        if at not in self.known:
            self.known.add(at)
            self.take(at, size)
        pos = 16
        while pos + 16 <= size:
            self.step(at)
            number, _, _, full = struct.unpack("<HHLQ", heap.read(pos, 16))
            if number == index and number:
                content = heap.part(pos + 16, full)
                self.source.spend(at, min(length, full))
                return content.read(0, min(length, full, MAX_TEXT)).decode("utf-8", "backslashreplace")
            if not number or full > size:
                break
            pos += 16 + -(-full // 8) * 8
        raise Fault("malformed", f"the global heap has no object {index}", at)


def _elements(body: Window) -> int:
    """The number of elements of a dataspace."""
    version, rank = body.part(0, 2).read(0, 2)
    if version == 2 and body.read(3, 1) == b"\x02":
        return 0
    start = 8 if version == 1 else 4
    count = 1
    for pos in range(start, start + 8 * rank, 8):
        count *= int.from_bytes(body.part(pos, 8).read(0, 8), "little")
    return count


def _largest(body: Window) -> tuple[int, ...]:
    """The lengths that a dataspace may grow to, which are those it has where it says none."""
    version, rank, flags = body.part(0, 3).read(0, 3)
    start = (8 if version == 1 else 4) + (8 * rank if flags & 1 else 0)
    return struct.unpack(f"<{rank}Q", body.part(start, 8 * rank).read(0, 8 * rank))


def _filters(body: Window) -> Iterator[int]:
    """The ids of a filter pipeline."""
    version, count = body.part(0, 2).read(0, 2)
    pos = 8 if version == 1 else 2
    for _ in range(count):
        number = int.from_bytes(body.part(pos, 2).read(0, 2), "little")
        named = version == 1 or number >= 256
        length = int.from_bytes(body.read(pos + 2, 2), "little") if named else 0
        values = int.from_bytes(body.read(pos + (6 if named else 4), 2), "little")
        yield number
        pos += (8 if named else 6) + (-(-length // 8) * 8 if version == 1 else length) + 4 * values
        pos += 4 if version == 1 and values % 2 else 0
