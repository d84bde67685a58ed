"""Looks into bytes by what they are, and into what they hold, within one budget for the whole file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.pickle import Meter
from holdfast.core.formats.sniff import sniff_window
from holdfast.scan.claims import Claims

MAX_PEEKS: Final = 100
"""Tensors whose first instructions are followed since they begin like a pickle: by chance one in sixteen thousand."""
MAX_DEPTH: Final = 5
"""Archives within archives."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one file may cost: instructions, bytes unpacked, members looked into, letters of templates parsed."""

    opcodes: int = 16_000_000
    unpacked_bytes: int = 1 << 30
    members: int = 100_000
    template_letters: int = 128 << 10


@dataclass(slots=True)
class Seen:
    """What was found in a window. `parsed + skipped + unread` is its length."""

    format: str
    facts: list[Fact] = field(default_factory=list)
    parsed: int = 0
    skipped: int = 0
    unread: int = 0
    archives: set[bytes] = field(default_factory=set)
    """The last records of archives that the window holds as values, and that were read as such."""
    claims: Claims = field(default_factory=Claims)
    """Tensors that lie in other files. Those of a member are not taken over: its neighbours are in the archive."""

    def add(self, kind: str, value: str, offset: int | None = None, member: str | None = None) -> None:
        """State a fact."""
        self.facts.append(Fact(kind, value, offset, member))

    def fault(self, fault: Fault, size: int) -> None:
        """The bytes cannot be followed: a fact, and whatever was not yet accounted for is unread."""
        self.add(fault.kind, fault.why, fault.offset)
        self.unread = max(0, size - self.parsed - self.skipped)

    def balance(self, size: int) -> None:
        """Parts that do not add up to the file are no account of it: what is too much or too little is unread."""
        if self.size == size:
            return
        self.parsed = min(self.parsed, size)
        self.skipped = min(self.skipped, size - self.parsed)
        self.unread = size - self.parsed - self.skipped
        self.add("malformed", "the parts of the file lie over each other or leave some of it out")

    def take(self, inner: Seen, member: str) -> None:
        """Take over the facts of a member. Its coverage is in bytes of its own, and is counted by the archive."""
        for fact in inner.facts:
            path = member if fact.member is None else f"{member}/{fact.member}"
            self.facts.append(replace(fact, member=path))

    def cover(self, inner: Seen) -> None:
        """Add the coverage of a part whose bytes lie in this window as they are."""
        self.parsed += inner.parsed
        self.skipped += inner.skipped
        self.unread += inner.unread

    @property
    def size(self) -> int:
        return self.parsed + self.skipped + self.unread


class Inspector:
    """Inspects one file; keeps what is left of its budget."""

    def __init__(self, budget: Budget | None = None) -> None:
        limits = budget or Budget()
        self.meter = Meter(limits.opcodes, limits.opcodes)
        self.unpacked_bytes = limits.unpacked_bytes
        self.members = limits.members
        self.template_letters = limits.template_letters
        self.peeks = MAX_PEEKS

    def inspect(self, window: Window, depth: int = 0, *, kind: str | None = None) -> Seen:
        """What the bytes are and hold. Never raises on hostile bytes."""
        name = kind or sniff_window(window)
        seen = Seen(name)
        try:
            if depth > MAX_DEPTH:
                raise Fault("budget", f"archives nested deeper than {MAX_DEPTH}", 0)
            _reader(name)(self, window, seen, depth)
        except Fault as fault:
            seen.fault(fault, len(window))
        except (ValueError, OverflowError, MemoryError, RecursionError, KeyError, IndexError, TypeError) as fault:
            # A parser that stumbles has not understood the bytes; that is an answer, not a crash.
            seen.fault(Fault("malformed", f"{type(fault).__name__}: {fault}", 0), len(window))
        seen.balance(len(window))
        if kind is None:
            import_module("holdfast.scan.formats.polyglot").read_polyglot(window, seen)
        return seen

    def unpacked(self, size: int) -> None:
        """Spend bytes of the unpacking budget."""
        self.unpacked_bytes -= size

    def parse_template(self, letters: int) -> None:
        """Spend letters of templates, each of which takes microseconds. Raises Fault when there are none left."""
        self.template_letters -= letters
        if self.template_letters < 0:
            raise Fault("budget", f"a template of {letters:,} letters, or many of them", 0)

    def peek(self) -> None:
        """Spend a look into a tensor. Raises Fault when there are none left."""
        self.peeks -= 1
        if self.peeks < 0:
            raise Fault("budget", f"more than {MAX_PEEKS:,} tensors that begin like pickles", 0)

    def enter(self, count: int = 1) -> None:
        """Spend members. Raises Fault when there are none left."""
        self.members -= count
        if self.members < 0:
            raise Fault("budget", "too many members", 0)


Reader = Callable[[Inspector, Window, Seen, int], None]

_READERS: Final[dict[str, str]] = {
    **dict.fromkeys(("pickle", "joblib"), "pickles:read"),
    **dict.fromkeys(("gzip", "zlib", "bz2", "xz", "lzma", "lz4", "zstd"), "archives:read_compressed"),
    "zip": "archives:read_zip_members",
    "keras-zip": "keras:read",
    **dict.fromkeys(("savedmodel", "graphdef", "keras-metadata"), "savedmodel:read"),
    "savedmodel-fingerprint": "checkpoint:read_fingerprint",
    "checkpoint-index": "checkpoint:read",
    "tflite": "tflite:read",
    "coreml": "coreml:read",
    "coreml-weights": "coreml:read_weights",
    "hdf5": "h5:read",
    "rds": "rds:read",
    "pt2": "pt2:read",
    "catboost-cbm": "catboost:read",
    "skops": "skops:read",
    "npz": "archives:read_zip_members",
    "tar": "archives:read_tar",
    "torch-zip": "torch:read_zip",
    "torch-legacy": "torch:read_legacy",
    "npy": "tensors:read_npy",
    "safetensors": "tensors:read_safetensors",
    **dict.fromkeys(("xgboost-json", "xgboost-ubj", "lightgbm-text"), "boosters:read"),
    "onnx": "onnx:read",
    "gguf": "gguf:read",
    **dict.fromkeys(("other", "empty"), "plain:read"),
    **dict.fromkeys(("json", "catboost-json"), "hubconfig:read"),
    **dict.fromkeys(("pmml", "openvino"), "markup:read"),
    "mlmodel": "mlmodel:read",
    "notebook": "notebook:read",
    "executable": "plain:read_executable",
}
"""Where the reader of a format is: module of holdfast.scan.formats, and function. Loaded when first met."""


def _reader(name: str) -> Reader:
    place = _READERS.get(name, "plain:read_unsupported")
    module, _, function = place.partition(":")
    found: Reader = getattr(import_module(f"holdfast.scan.formats.{module}"), function)
    return found
