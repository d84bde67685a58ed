"""Exported PyTorch programs (.pt2): a zip of a graph as JSON, and of weights that its own index names.

Source: torch.export's archive layout (`archive_format`, `models/*.json`, `data/weights`, `data/constants`, each with a
`*_config.json` that tells which member holds which tensor, and whether it is a pickle).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import STORED, ZipEntry, member_bytes
from holdfast.core.formats.jsontext import parse
from holdfast.scan.formats.archives import open_zip, read_member
from holdfast.scan.formats.torch import opens_alone
from holdfast.scan.inspect import Inspector, Seen

MAX_JSON: Final = 256 << 20
_CORE: Final = ("torch.ops.aten.", "torch.ops.prims.", "torch.ops.higher_order.", "_operator.", "torch.sym_", "math.")
"""Where the operators of an exported program come from; anything else is registered by somebody's own library."""


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Tensors by the index, everything else by its own bytes; the graph by the operators it calls."""
    archive = open_zip(inspector, window, seen)
    documents = {entry.name: _document(inspector, window, entry) for entry in archive.entries if _is_json(entry.name)}
    raw = {name for path, document in documents.items() for name in _raw(path, document)}
    for entry in archive.entries:
        if entry.name in raw and _is_plain(inspector, window, entry):
            seen.skipped += entry.packed
            continue
        before = len(seen.facts)
        read_member(inspector, window, seen, entry, depth)
        if any(fact.kind == "executable" for fact in seen.facts[before:]):
            seen.add("native-library", entry.name[:200], entry.header, entry.name)
    for path, document in documents.items():
        if "/models/" in f"/{path}":
            for target in sorted(set(_targets(document))):
                if not target.startswith(_CORE):
                    seen.add("operator-domain", target[:200], None, path)


def _is_json(name: str) -> bool:
    return name.endswith(".json") and ("models/" in name or name.endswith("_config.json"))


def _document(inspector: Inspector, window: Window, entry: ZipEntry) -> Any:
    try:
        content = member_bytes(window, entry, min(MAX_JSON, inspector.unpacked_bytes))
        return parse(content.read(0, min(len(content), MAX_JSON)).decode("utf-8", "replace"))
    except Fault:
        return None  # reading the member on its own says why


def _raw(path: str, document: Any) -> Iterator[str]:
    """The members beside an index that it calls tensors without a pickle."""
    table = document.get("config") if isinstance(document, dict) else None
    for item in table.values() if isinstance(table, dict) else ():
        match item:
            case {"path_name": str() as name, "use_pickle": False, "tensor_meta": dict()} if "/" not in name:
                yield f"{path.rpartition('/')[0]}/{name}"


def _is_plain(inspector: Inspector, window: Window, entry: ZipEntry) -> bool:
    """A stored member that does not begin like something that could be opened on its own."""
    try:
        return entry.method == STORED and not opens_alone(inspector, member_bytes(window, entry, 0))
    except Fault:
        return False


def _targets(document: Any) -> Iterator[str]:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("target"), str) and "inputs" in value:
                yield value["target"]
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
