"""Conda's files as packages: environment.yml, conda-lock.yml, and explicit lists of addresses.

Advisories speak of PyPI's names. A build made for one Python (`py311h…`) or any (`pyhd…`) is the package PyPI has;
everything else (openssl, libgcc) is named as conda's, which no advisory we hold speaks of, so it stays undecided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from holdfast.core.formats.buffers import Fault
from holdfast.core.formats.yamltext import survey
from holdfast.scan.packages import Line, Lock, Package, pinned

MAX_YAML: Final = 8_000_000
MAX_TOKENS: Final = 500_000
"""A package takes about thirty; five microseconds for each."""
CONDA: Final = "conda"
NO_NAME: Final = "(an entry without a name)"
_TOP: Final = re.compile(r"^(dependencies|package):[ \t]*(?:#.*)?$", re.MULTILINE)
_EXPLICIT: Final = re.compile(r"^@EXPLICIT[ \t]*$", re.MULTILINE)
_FILE: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*)-([^-/]+)-([^-/]+?)(?:\.conda|\.tar\.bz2)")
_EXACT: Final = re.compile(
    r"(?:[\w./:-]+::)?([A-Za-z0-9_][A-Za-z0-9._-]*)\s*(?:==\s*([A-Za-z0-9][\w.!+]*)|=([A-Za-z0-9][\w.!+]*)=([\w.+]+))"
)
_OF_PYTHON: Final = re.compile(r"(?:^|_)(?:py\d{2,3}(?![0-9])|pyh[0-9a-f])")
_SAME: Final = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "tensorflow-base": "tensorflow",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
    "py-opencv": "opencv-python",
    "opencv": "opencv-python",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
    "dask-core": "dask",
    "ray-core": "ray",
    "ray-default": "ray",
    "pytables": "tables",
    "brotli-python": "brotli",
    "msgpack-python": "msgpack",
    "python-graphviz": "graphviz",
    "pyarrow-core": "pyarrow",
    "jinja2-base": "jinja2",
    "streamlit-base": "streamlit",
}
"""Conda's names of what PyPI calls otherwise."""


def read_explicit(text: str) -> Lock | None:
    """`conda list --explicit`: one address a line after `@EXPLICIT`. None where the text is none."""
    if _EXPLICIT.search(text) is None:
        return None
    packages, loose = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith(("#", "@EXPLICIT")):
            continue
        found = _of_address(stripped)
        if found is None:
            loose.append(Line(number, stripped[:200], CONDA))
        else:
            packages.append(found)
    return Lock.of(packages, loose)


def read_conda(text: str) -> Lock | None:
    """environment.yml or conda-lock.yml. None where the text is neither. Values stay text: 1.10 is not 1.1."""
    if _TOP.search(text) is None or len(text) > MAX_YAML:
        return None
    try:
        survey(text, MAX_TOKENS, aliases=True)
        document = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 - plain text only
        return _of_document(document)
    except (Fault, yaml.YAMLError, RecursionError, ValueError):
        return None


def _of_document(document: Any) -> Lock | None:
    if not isinstance(document, dict):
        return None
    if isinstance(rows := document.get("package"), list):
        return _split(map(_of_lock_row, rows))
    if isinstance(rows := document.get("dependencies"), list):
        return _split(found for row in rows for found in _of_dependency(row))
    return None


def _split(found: Any) -> Lock:
    packages: list[Package] = []
    loose: list[Line] = []
    for item in found:
        (packages if isinstance(item, Package) else loose).append(item)
    return Lock.of(packages, loose)


def _of_lock_row(row: Any) -> Package | Line:
    """A package of conda-lock; its build stands in its address."""
    values = {key: _text(row, key) for key in ("name", "version", "manager", "url")}
    if not values["name"] or not values["version"]:
        return Line(0, values["name"][:200] or NO_NAME, "pypi" if values["manager"] == "pip" else CONDA)
    if values["manager"] == "pip":
        return Package(values["name"], values["version"])
    built = _of_address(values["url"])
    return _package(values["name"], values["version"], built.build if built else "")


def _text(row: Any, key: str) -> str:
    value = row.get(key) if isinstance(row, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _of_dependency(row: Any) -> Iterator[Package | Line]:
    """A line of environment.yml: conda's own form, or a list of pip's."""
    if isinstance(row, dict) and isinstance(row.get("pip"), list):
        for line in row["pip"]:
            yield _plain(line, pinned(line)) if isinstance(line, str) else Line(0, NO_NAME)
        return
    found = _EXACT.fullmatch(row.strip()) if isinstance(row, str) else None
    package = None if found is None else _package(found[1], found[2] or found[3], found[4] or "")
    # Not str(row): aliases of aliases unfold without end when they are written out.
    yield _plain(row, package, CONDA) if isinstance(row, str) else Line(0, NO_NAME)


def _plain(text: str, found: Package | None, kind: str = "pypi") -> Package | Line:
    return found or Line(0, text.strip()[:200], kind)


def _of_address(address: str) -> Package | None:
    """`…/linux-64/numpy-1.26.4-py311h64a7726_0.conda`, with a checksum behind a #."""
    found = _FILE.fullmatch(address[:2000].partition("#")[0].rstrip("/").rpartition("/")[2])
    return None if found is None else _package(found[1], found[2], found[3])


def _package(name: str, version: str, build: str) -> Package:
    if _OF_PYTHON.search(build):
        return Package(_SAME.get(name.lower(), name), version, build=build)
    return Package(name, version, CONDA, build)
