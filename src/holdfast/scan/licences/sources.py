"""Where licences of packages are stated: an environment's metadata, a folder of wheels, or a CycloneDX document.

Metadata is read as text; nothing is imported. Everything is bounded, and what is not stated stays unknown.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from holdfast.core.domain.ids import digest
from holdfast.core.errors import FormatError
from holdfast.scan.licences.expression import Expression
from holdfast.scan.licences.terms import classes_of, expressed, of_classifiers, spdx, together
from holdfast.scan.packages import Lock, Package

MAX_PACKAGES: Final = 10_000
MAX_HEADERS: Final = 256_000
"""Bytes of a METADATA file that are looked at; a package's description behind them says nothing of its licence."""
MAX_DOCUMENT: Final = 64_000_000
_INFOS: Final = ("*.dist-info/METADATA", "*.egg-info/PKG-INFO")
_PLACES: Final = ("", "lib/python3*/site-packages", "lib64/python3*/site-packages", "Lib/site-packages")


@dataclass(frozen=True, slots=True)
class Stated:
    """What one release says of its licence; `expression` None where nothing that can be told. `source` says who."""

    name: str
    version: str
    expression: Expression | None
    source: str


@dataclass(frozen=True)
class Licences:
    """What a source states of each release. `digest` covers all of it."""

    stated: tuple[Stated, ...]

    @classmethod
    def read(cls, place: Path) -> Licences:
        """An environment, its site-packages, a folder of wheels, or a CycloneDX JSON file.

        Raises FormatError HF-SCN-030 where it is none of them, or cannot be read.
        """
        found = _folder(_listing(place), place) if place.is_dir() else _document(place)
        return cls(tuple(sorted(found, key=lambda one: (one.name, one.version, one.source))))

    @cached_property
    def digest(self) -> str:
        """The same for the same statements, wherever they lie."""
        return digest([[one.name, one.version, str(one.expression or ""), one.source] for one in self.stated])

    def of(self, package: Package) -> Stated:
        """What is stated of a pinned release; unknown where only another release is known."""
        name = canonicalize_name(package.name)
        known = self._by_name.get(name, ()) if package.kind == "pypi" else ()
        meant = next((one for one in known if _same(one.version, package.version)), None)
        if meant is not None:
            return meant
        others = ", ".join(one.version[:60] for one in known[:3])
        return Stated(name, package.version, None, f"stated of {others} only" if known else "not stated")

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Stated]]:
        found: dict[str, list[Stated]] = {}
        for one in self.stated:
            found.setdefault(one.name, []).append(one)
        return found

    def of_lock(self, lock: Lock) -> Iterator[tuple[Package, Stated]]:
        """Each pinned package with what is stated of it, in the lock's order."""
        return ((package, self.of(package)) for package in lock.packages)


def classes(stated: Stated) -> tuple[str, ...]:
    """The words for what it asks; unknown where nothing is stated."""
    return ("unknown",) if stated.expression is None else tuple(str(one) for one in classes_of(stated.expression))


def _same(one: str, other: str) -> bool:
    try:
        return one == other or Version(one).public == Version(other).public
    except InvalidVersion:
        return False


_Listing = tuple[tuple[Path, int, int], ...]
"""Files with their size and time of change: read once as long as none of it changes."""


def _listing(place: Path) -> _Listing:
    wheels = sorted(place.glob("*.whl"))[:MAX_PACKAGES]
    folders = [site for pattern in _PLACES for site in (sorted(place.glob(pattern)) if pattern else [place])]
    infos = [one for site in folders for name in _INFOS for one in site.glob(name)]
    seen = [(path, path.stat()) for path in wheels or sorted(infos)[:MAX_PACKAGES] if path.is_file()]
    return tuple((path, at.st_size, at.st_mtime_ns) for path, at in seen)


@lru_cache(maxsize=16)
def _folder(listing: _Listing, place: Path) -> tuple[Stated, ...]:
    if not listing:
        raise _no_source(place, "it holds neither wheels nor installed packages (*.dist-info)")
    found = (_wheel(path) if path.suffix == ".whl" else _installed(path) for path, _, _ in listing)
    return tuple(one for one in found if one is not None)


def _installed(info: Path) -> Stated | None:
    try:
        with info.open("rb") as file:
            return _metadata(file.read(MAX_HEADERS), "metadata")
    except OSError:
        return None


def _wheel(path: Path) -> Stated | None:
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(
                (n for n in archive.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA")), None
            )
            if name is None:
                return None
            with archive.open(name) as file:
                return _metadata(file.read(MAX_HEADERS), f"wheel {path.name[:120]}")
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError):
        return None


def _metadata(raw: bytes, source: str) -> Stated | None:
    """Core metadata (packaging.python.org): License-Expression, else License and the classifiers together."""
    fields = _fields(raw.decode("utf-8", "replace"))
    name, version = (fields.get(key, [""])[0] for key in ("name", "version"))
    if not name or not version:
        return None
    said = expressed(fields.get("license-expression", [""])[0])
    where = "License-Expression"
    if said is None:
        text = spdx(fields.get("license", [""])[0][:200])
        listed = of_classifiers(fields.get("classifier", []))
        said, where = _both(text, listed), "License" if listed is None else "classifiers"
    return Stated(canonicalize_name(name[:200]), version[:128], said, f"{source}: {where}" if said else source)


def _both(text: Expression | None, listed: Expression | None) -> Expression | None:
    """The words, which say more, unless the classifiers ask for something else as well."""
    if text is None or listed is None:
        return text or listed
    return text if set(classes_of(listed)) <= set(classes_of(text)) else together((text, listed))


def _fields(text: str) -> dict[str, list[str]]:
    """Header lines by small name, up to the first empty line; lines that go on are left out."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line:
            break
        key, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            found.setdefault(key.lower(), []).append(value.strip())
    return found


def _document(place: Path) -> Iterator[Stated]:
    try:
        with place.open("rb") as file:
            raw = file.read(MAX_DOCUMENT + 1)
        if len(raw) > MAX_DOCUMENT:
            raise ValueError(f"larger than {MAX_DOCUMENT:,} bytes")
        document = json.loads(raw)
    except OSError as fault:
        raise _no_source(place, fault.strerror or str(fault)) from fault
    except (ValueError, RecursionError) as fault:
        raise _no_source(place, f"it is no JSON: {str(fault)[:100]}") from fault
    components = document.get("components") if isinstance(document, dict) else None
    if not isinstance(components, list) or document.get("bomFormat") != "CycloneDX":
        raise _no_source(place, "it is no CycloneDX document with components")
    yield from (found for row in components[:MAX_PACKAGES] if (found := _component(row)) is not None)


def _component(row: Any) -> Stated | None:
    purl = row.get("purl") if isinstance(row, dict) else None
    if not isinstance(purl, str) or not purl.startswith("pkg:pypi/"):
        return None
    name, _, version = purl.removeprefix("pkg:pypi/").partition("?")[0].partition("#")[0].partition("@")
    licences = row.get("licenses")
    said = together(_listed(licences)) if isinstance(licences, list) and _readable(licences) else None
    return Stated(canonicalize_name(unquote(name)[:200]), unquote(version)[:128], said, "CycloneDX")


def _readable(licences: Iterable[Any]) -> bool:
    """Whether each entry can be told: one that cannot leaves the whole unknown."""
    return all(_entry(one) is not None for one in licences)


def _listed(licences: Iterable[Any]) -> Iterator[Expression]:
    yield from (found for one in licences if (found := _entry(one)) is not None)


def _entry(one: Any) -> Expression | None:
    if not isinstance(one, dict):
        return None
    licence = one.get("license")
    if not isinstance(licence, dict):
        return expressed(one["expression"]) if isinstance(one.get("expression"), str) else None
    said, named = licence.get("id"), licence.get("name")
    return expressed(said) if isinstance(said, str) else spdx(named[:2_000]) if isinstance(named, str) else None


def _no_source(place: Path, cause: str) -> FormatError:
    return FormatError(
        f"cannot read licences from {place}",
        cause=cause,
        fix="name an environment, a folder of wheels, or a CycloneDX JSON file under `licences:`",
        code="HF-SCN-030",
    )
