"""skops archives: a zip of arrays and a schema.json that names, node by node, the class each object is made of.

The names are what loading would import and call, so they are judged as a pickle's are. Nodes that call a named method
or function of their own are stated as calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import ZipArchive, member_bytes
from holdfast.core.formats.jsontext import parse
from holdfast.scan.formats.archives import open_zip, read_member
from holdfast.scan.inspect import Inspector, Seen

MAX_SCHEMA: Final = 64 << 20
_DATA_LOADERS: Final = frozenset(
    (
        *("DictNode", "ListNode", "TupleNode", "SetNode", "JsonNode", "ObjectNode", "NdArrayNode", "TypeNode"),
        *("MaskedArrayNode", "RandomStateNode", "RandomGeneratorNode", "SparseMatrixNode", "SliceNode", "BytesNode"),
        *("BytearrayNode", "DefaultDictNode", "OrderedDictNode", "DatetimeNode", "PartialNode", "ReduceNode"),
        *("TreeNode", "HistGradientBoostingNode", "SGDNode", "LossNode", "CachedNode", "DictWithStrKeysNode"),
        *("QuantileForestNode", "CloudpickleNode", "EnumNode", "DTypeNode"),
    )
)


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Every member by its own bytes, and every name in the schema."""
    archive = open_zip(inspector, window, seen)
    for entry in archive.entries:
        read_member(inspector, window, seen, entry, depth)
    for node in _nodes(_schema(window, archive), inspector):
        _look(node, seen)


def _schema(window: Window, archive: ZipArchive) -> Any:
    entry = next((entry for entry in archive.entries if entry.name == "schema.json"), None)
    if entry is None:
        raise Fault("malformed", "a skops archive without a schema", 0)
    content = member_bytes(window, entry, MAX_SCHEMA)
    return parse(content.read(0, len(content)).decode("utf-8", "replace"))


def _nodes(document: Any, inspector: Inspector) -> Iterator[dict[str, Any]]:
    """Every node, at any depth, without recursion."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            inspector.enter()
            if "__loader__" in value or "__class__" in value:
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _look(node: dict[str, Any], seen: Seen) -> None:
    loader, module, name = (node.get(key) for key in ("__loader__", "__module__", "__class__"))
    if not all(isinstance(value, str) for value in (loader, module, name)):
        seen.add("malformed", "a node without loader, module or class", 0, "schema.json")
    elif loader == "FunctionNode":
        _function(node.get("content"), f"{module}.{name}", seen)
    elif loader == "MethodNode":
        seen.add("dotted-name", f"{module}:{_method(node.get('content'))}", 0, "schema.json")
    elif loader == "OperatorFuncNode":
        seen.add("call", f"operator.{name}", 0, "schema.json")
    elif loader not in _DATA_LOADERS:
        seen.add("unsupported", f"a node of {str(loader)[:80]}", 0, "schema.json")
    elif (module, name) not in _OWN:
        seen.add("import", f"{module}.{name}", 0, "schema.json")


_OWN: Final = frozenset(
    (
        *(("builtins", name) for name in ("dict", "list", "str", "tuple")),
        *(("numpy", f"{kind}{bits}") for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
        *(("numpy", name) for name in ("bool", "bool_", "str_", "float16", "float32", "float64", "complex128")),
    )
)
"""Values, and scalars of numpy, which are kept as arrays."""


def _function(content: Any, own: str, seen: Seen) -> None:
    """Older versions name the function in the node's content, newer ones in the node itself."""
    match content:
        case None:
            seen.add("import", own, 0, "schema.json")
        case {"module_path": str() as module, "function": str() as function}:
            seen.add("import", f"{module}.{function}", 0, "schema.json")
        case _:
            seen.add("malformed", "a function without a name", 0, "schema.json")


def _method(content: Any) -> str:
    match content:
        case {"func": str() as function, "obj": {"__module__": str() as module, "__class__": str() as name}}:
            return f"{module}.{name}.{function}"
    return "?"
