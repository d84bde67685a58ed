"""MLflow's MLmodel: which Python module loads the model, and which files it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import escapes
from holdfast.core.formats.jsontext import excerpt
from holdfast.scan.formats.cards import read_licence
from holdfast.scan.formats.signs import read_signs
from holdfast.scan.inspect import Inspector, Seen

MAX_BYTES: Final = 4 << 20
MAX_PARTS: Final = 100
MAX_TOKENS: Final = 100_000
"""Names, values and marks of the YAML; each costs about ten microseconds."""
_PATHS: Final = frozenset(
    (
        *("artifact_path", "model_path", "data", "code", "env", "conda", "virtualenv", "pickled_model", "python_model"),
        *("model_code_path", "model_data", "path", "tokenizer_binary", "weights", "cloudpickle"),
    )
)

_PARTS: Final = frozenset(
    (
        *("model_path", "data", "pickled_model", "python_model", "model_code_path", "model_data", "path", "weights"),
        *("conda", "virtualenv", "env", "code"),
    )
)
"""Those that say a place within the model's own folder, in every flavor that writes them."""

_CODE: Final = frozenset(("code", "model_code_path"))
"""Python of somebody's own that is imported, or run, while the model is loaded."""


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """The loader module is imported by whoever serves the model; paths are opened relative to the file."""
    if len(window) > MAX_BYTES:
        seen.add("budget", f"an MLmodel of {len(window):,} bytes", 0)
        seen.unread = len(window)
        return
    tag = window.find(b"!!python/")
    if tag >= 0:
        seen.add("yaml-tag", window.read(tag, 60).decode("utf-8", "replace").split()[0], tag)
    text = window.read(0, len(window)).decode("utf-8", "replace")
    seen.parsed = len(window)
    read_signs(text, seen)
    document = _yaml(text, seen)
    code: set[str] = set()
    for key, value in _pairs(document, inspector):
        if key == "loader_module" and value != "mlflow" and not str(value).startswith("mlflow."):
            seen.add("loader-module", excerpt(value, 200))
        elif key in _CODE and value and (words := f"{key}: {excerpt(value, 120)}") not in code:
            code.add(words)
            seen.add("remote-code", words)
        if key in _PATHS and isinstance(value, str) and (escapes(value) or value.startswith("~")):
            seen.add("path-escape", value[:200])
    if isinstance(document, dict):
        notes = document.get("metadata")
        read_licence(document.get("license") or (notes.get("license") if isinstance(notes, dict) else None), seen)
        _parts(document.get("flavors"), inspector, seen)


def _parts(flavors: Any, inspector: Inspector, seen: Seen) -> None:
    """Files and folders beside the MLmodel that its flavors are loaded from."""
    told = ((key, value) for key, value in _pairs(flavors, inspector) if key in _PARTS and value)
    named = {str(value).removeprefix("./") for key, value in told if key != "env" or isinstance(value, str)}
    if len(named) > MAX_PARTS:
        seen.add("budget", f"a model of {len(named):,} parts", 0)
    for name in sorted(named)[:MAX_PARTS]:
        if not escapes(name) and not name.startswith(("{", "[", "~")):
            seen.add("model-part", name[:1000])


def _yaml(text: str, seen: Seen) -> Any:
    """Plain YAML without aliases, which could unfold without end, and without tags."""
    import yaml

    from holdfast.core.formats.yamltext import survey

    try:
        survey(text, MAX_TOKENS)
        return yaml.load(text, yaml.CSafeLoader)
    except Fault as fault:
        seen.add(fault.kind, fault.why, 0)
        return None
    except (yaml.YAMLError, RecursionError, ValueError) as fault:
        seen.add("malformed", f"no plain YAML: {str(fault).splitlines()[0][:100]}", 0)
        return None


def _pairs(document: Any, inspector: Inspector) -> Iterator[tuple[str, Any]]:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            inspector.enter()
            yield from ((str(key), item) for key, item in value.items())
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
