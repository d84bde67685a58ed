"""A digest of a check's code: its own modules, and every Holdfast room it can reach by import, whole.

A result computed by other code is another result, so this digest is part of the observation key. Imports are
found as text, including those inside functions; a room counts as a whole, so lazy imports inside it are covered.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from functools import cache
from pathlib import Path

_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(holdfast[\w.]*)[ \t]+import[ \t]+([^\n(]+|\([^)]*\))|import[ \t]+(holdfast[\w.]*))",
    re.MULTILINE,
)
_NAME = re.compile(rb"[A-Za-z_]\w*")
_ROOT = Path(__file__).resolve().parent.parent
_SAYS_ONLY = frozenset({"holdfast.core.errors", "holdfast.core.plugins", "holdfast.audit.interface"})
"""Modules that say how a check is declared or how it fails, and cannot change what it sees."""


@cache
def code_digest(module: str) -> str:
    """`sha256:` over the names and sources of everything `module` can reach, in order."""
    total = hashlib.sha256()
    for path in sorted(_reach(module)):
        total.update(path.name.encode() + b"\0" + _content_digest(path))
    return "sha256:" + total.hexdigest()


def _reach(module: str) -> set[Path]:
    seen: set[Path] = set()
    visited: set[str] = set()
    waiting = [_unit(module)]
    while waiting:
        unit = waiting.pop()
        if unit in visited or unit in _SAYS_ONLY:
            continue
        visited.add(unit)
        for path in _files(unit):
            seen.add(path)
            waiting.extend(_imports(path))
    return seen


@cache
def _unit(name: str) -> str:
    """What counts as a whole: a module of `audit`, the room of any other Holdfast name, a foreign module."""
    parts = name.split(".")
    if parts[0] != "holdfast" or parts[1:2] == ["audit"]:
        return name
    return ".".join(parts[: 3 if parts[1:2] == ["core"] else 2])


@cache
def _files(unit: str) -> tuple[Path, ...]:
    parts = unit.split(".")
    if parts[0] != "holdfast":
        spec = importlib.util.find_spec(unit)
        return (Path(spec.origin),) if spec is not None and spec.origin else ()
    place = _ROOT.joinpath(*parts[1:])
    if parts[1:2] == ["audit"]:
        return tuple(path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())
    if unit in ("holdfast", "holdfast.core"):
        return ()
    if place.with_suffix(".py").is_file():
        return (place.with_suffix(".py"),)
    return tuple(sorted(path for path in place.rglob("*") if path.is_file() and path.parent.name != "__pycache__"))


@cache
def _imports(path: Path) -> frozenset[str]:
    if path.suffix != ".py":
        return frozenset()
    found: set[str] = set()
    for package, members, plain in _IMPORT.findall(path.read_bytes()):
        base = (package or plain).decode()
        found.add(_unit(base))
        found |= {_unit(f"{base}.{member.decode()}") for member in _NAME.findall(members)}
    return frozenset(found)


@cache
def _content_digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
