"""The modules of a distribution, out of an installed folder or a wheel: text of sources, bytes of compiled ones."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.utils import canonicalize_name

SKIPPED: Final = frozenset(
    (
        *("tests", "test", "testing", "_examples", "benchmarks", "conftest", "examples"),
        *("f2py", "distutils", "_build_utils", "_pyinstaller", "ctypeslib", "setup"),
    )
)
"""Parts of module paths that no model needs and that hold helpers able to do anything."""
_SUFFIXES: Final = (".py", ".pyi", ".pyx", ".tp", ".so")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a module; `suffix` tells what it is."""

    module: str
    suffix: str
    content: bytes
    is_package: bool

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution's name, version, and its module files in a fixed order."""

    name: str
    version: str
    sources: tuple[Source, ...]

    @property
    def registry_name(self) -> str:
        """The name as registries compare it (PEP 503): a wheel and its installed copy have the same."""
        return canonicalize_name(self.name)

    @property
    def digest(self) -> str:
        """SHA-256 over every file that was looked at."""
        total = hashlib.sha256()
        for source in self.sources:
            total.update(f"{source.module}\0{source.suffix}\0".encode())
            total.update(hashlib.sha256(source.content).digest())
        return "sha256:" + total.hexdigest()


def installed(name: str) -> Distribution:
    """A distribution of this environment, by its registry name. Nothing of it is imported."""
    found = importlib.metadata.distribution(name)
    paths = sorted(str(path) for path in found.files or () if path.suffix in _SUFFIXES)
    readable = ((path, Path(str(found.locate_file(path)))) for path in paths)
    return Distribution(name, found.version, tuple(_sources((path, file.read_bytes()) for path, file in readable)))


def wheel(path: Path) -> Distribution:
    """A wheel that is not installed: for libraries of other versions or platforms."""
    name, version = path.name.split("-")[:2]
    with zipfile.ZipFile(path) as archive:
        names = sorted(entry for entry in archive.namelist() if entry.endswith(_SUFFIXES))
        return Distribution(name, version, tuple(_sources((entry, archive.read(entry)) for entry in names)))


def _sources(files: Iterator[tuple[str, bytes]]) -> Iterator[Source]:
    for name, content in files:
        parts = list(PurePosixPath(name).parts)
        stem, suffix = _split(parts[-1])
        parts[-1] = stem
        if suffix not in _SUFFIXES or SKIPPED & set(parts) or not all(part.isidentifier() for part in parts):
            continue
        is_package = stem == "__init__"
        yield Source(".".join(parts[:-1] if is_package else parts), suffix, content, is_package)


def _split(name: str) -> tuple[str, str]:
    """`_tree.cpython-311-x86_64-linux-gnu.so` is module `_tree`, and so is the template `_tree.pyx.tp`."""
    match = re.fullmatch(r"([^.]+)(?:\..*)?(\.\w+)", name)
    return (match[1], match[2]) if match else (name, "")
