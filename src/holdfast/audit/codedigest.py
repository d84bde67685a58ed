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
    waiting = [module]
    visited: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in visited or name in _SAYS_ONLY:
            continue
        visited.add(name)
        for path in _files(name):
            if path not in seen:
                seen.add(path)
                waiting.extend(_imports(path))
    return seen


@cache
def _files(name: str) -> tuple[Path, ...]:
    """All files of the room that `name` lies in; in `audit`, and outside Holdfast, only the module itself."""
    parts = name.split(".")
    if parts[0] != "holdfast":
        spec = importlib.util.find_spec(name)
        return (Path(spec.origin),) if spec is not None and spec.origin else ()
    if parts[1:2] == ["audit"]:
        module = _ROOT.joinpath(*parts[1:])
        own = (module.with_suffix(".py"), module / "__init__.py")
        return tuple(path for path in own if path.is_file())
    room = parts[1:3] if parts[1:2] == ["core"] else parts[1:2]
    folder = _ROOT.joinpath(*room)
    if len(room) < (2 if parts[1:2] == ["core"] else 1):
        return ()
    if folder.with_suffix(".py").is_file():
        return (folder.with_suffix(".py"),)
    return tuple(sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts))


@cache
def _imports(path: Path) -> tuple[str, ...]:
    found: list[str] = []
    if path.suffix != ".py":
        return ()
    for package, members, plain in _IMPORT.findall(path.read_bytes()):
        base = (package or plain).decode()
        found.append(base)
        found.extend(f"{base}.{member.decode()}" for member in _NAME.findall(members))
    return tuple(found)


@cache
def _content_digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
