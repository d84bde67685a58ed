"""Keras configurations: JSON in which every `class_name` is an object that loading makes.

Modern files name its module too. Keras imports modules of its own, and others where it is told to; older files name
only the class, which Keras looks up among its own and the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from holdfast.core.formats.buffers import Fault
from holdfast.core.formats.containers_zip import escapes
from holdfast.core.formats.jsontext import parse
from holdfast.scan.allowlist.layers import CODE, MODULES, layers
from holdfast.scan.formats.signs import read_signs
from holdfast.scan.inspect import Seen

MAX_VALUES: Final = 2_000_000
MAX_TEXT: Final = 256 << 20
_OWN: Final = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "keras.api", "keras._tf_keras.keras")
_FILES: Final = frozenset(
    ("vocabulary", "vocabulary_file", "vocab_file", "filepath", "file_path", "filename", "origin", "fname", "cache_dir")
)
_VALUES: Final = frozenset(("__tuple__", "__ellipsis__", "__numpy__", "__tensor__", "__bytes__", "__keras_tensor__"))
_TYPES: Final = frozenset(("TypeSpec", "CompositeTensor", "TensorShape", "__tuple__"))
_HOMES: Final = frozenset(part.partition(".")[0] for part in MODULES)
_BACKEND: Final = re.compile(r"^backend\.\w+\.(?=optimizers\.)")
"""An optimiser as each backend implements it, which is what saving writes."""
_MEANING: Final = frozenset(("function", "class"))


def read_config_text(text: str, seen: Seen, *, offset: int | None = None, member: str | None = None) -> None:
    """A configuration as text; one that is no JSON is malformed."""
    if len(text) > MAX_TEXT:
        seen.add("budget", "a configuration of more than 256 MB", offset, member)
        return
    try:
        document = parse(text)
    except Fault as fault:
        seen.add(fault.kind, fault.why, offset, member)
        return
    read_signs(text, seen, member=member)
    read_config(document, seen, offset=offset, member=member)


def read_config(document: Any, seen: Seen, *, offset: int | None = None, member: str | None = None) -> None:
    """State what the objects of a configuration are, at any depth."""
    for count, node in enumerate(_nodes(document)):
        if count >= MAX_VALUES:
            seen.add("budget", "more values than a configuration has", offset, member)
            return
        for kind, value in _told(node):
            seen.add(kind, value[:200], offset, member)


def _nodes(document: Any) -> Iterator[dict[str, Any]]:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _told(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    name = node.get("class_name")
    if isinstance(name, str):
        yield from _object(name, node)
    elif name is not None:
        yield "malformed", "a class name that is no text"
    if "function_type" in node and node["function_type"] == "lambda":
        yield "keras-code", "a marshalled function"
    for key in _FILES & node.keys():
        if isinstance(node[key], str) and node[key]:
            yield "keras-file", f"{key}: {node[key]}"
    for key in ("path", "url", "module_path"):
        value = node.get(key)
        if isinstance(value, str) and (escapes(value) or "://" in value):
            yield "keras-file", f"{key}: {value}"


def _object(name: str, node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    local = name.rpartition(">")[2]
    if local in CODE:
        yield "keras-code", name
        return
    module = node.get("module")
    if name in _MEANING and isinstance(node.get("config"), str):
        local = name = node["config"]
    if isinstance(module, str) and module not in ("", "builtins"):
        yield from _placed(module, name)
    elif name.startswith("__") and name not in _VALUES:
        yield "keras-code", name
    elif ">" in name or local not in layers() | _TYPES | _VALUES:
        # `builtins` stands for a function of Keras itself, and where it has none, for Python's own.
        yield ("import", f"builtins.{name}") if module == "builtins" else ("keras-custom", name)
    registered = node.get("registered_name")
    if isinstance(registered, str) and ">" in registered:
        yield "keras-custom", registered


def _placed(module: str, name: str) -> Iterator[tuple[str, str]]:
    """An object with its module: Keras's own parts of models, Keras's other code, or somebody else's."""
    root = next((own for own in sorted(_OWN, key=len, reverse=True) if f"{module}.".startswith(f"{own}.")), None)
    if root is None:
        yield "import", f"{module}.{name}"
        return
    inside = module[len(root) + 1 :].removeprefix("src.").removeprefix("api.")
    home = _BACKEND.sub("", inside).partition(".")[0]
    if (home and home not in _HOMES) or "." in name:
        yield "keras-code", f"{module}.{name}"
    elif name not in layers() and not (inside.startswith("ops.") and name[:1].isupper()):
        yield "keras-custom", f"{module}.{name}"
