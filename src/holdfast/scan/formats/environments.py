"""Environments that MLflow writes beside a model, conda.yaml and python_env.yaml: what restoring them would install.

The tools that build packages (pip, setuptools, wheel) are left out: MLflow itself writes them without a version.
"""

from __future__ import annotations

import re
from typing import Any, Final

from holdfast.core.formats.buffers import Fault
from holdfast.core.formats.containers_zip import escapes
from holdfast.scan.formats.deployment import read_requirement
from holdfast.scan.inspect import Seen

MAX_TEXT: Final = 1 << 20
MAX_TOKENS: Final = 100_000
MAX_ENTRIES: Final = 10_000
_START: Final = re.compile(r"^(?:build_)?dependencies:[ \t]*(?:#.*)?$", re.MULTILINE)
_TOOLS: Final = re.compile(r"(?i)(?:pip|setuptools|wheel)(?![\w.-])")
_FILE: Final = re.compile(r"(?:-r|--requirement)[ =]\s*(\S+)$")
_ADDRESS: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]*://|[./]")


def read_environment(text: str, seen: Seen) -> None:
    """State what such a file leaves open, and the lists of requirements that it names; nothing for other text."""
    if len(text) > MAX_TEXT or _START.search(text) is None:
        return
    document = _plain(text, seen)
    if not isinstance(document, dict):
        return
    for channel in _texts(document.get("channels")):
        if _ADDRESS.match(channel):
            seen.add("unpinned", f"packages from a channel of its own: {channel[:80]}")
    # In conda's file, entries are conda's own and `pip` is a list among them; in MLflow's, all are pip's.
    read = _requirement if "python" in document else _conda
    for key in ("dependencies", "build_dependencies"):
        for entry in _entries(document.get(key)):
            if isinstance(entry, str):
                read(entry, seen)
            elif isinstance(entry, dict):
                for line in _texts(entry.get("pip")):
                    _requirement(line, seen)


def _requirement(line: str, seen: Seen) -> None:
    named = _FILE.match(line)
    if named is None:
        if not _TOOLS.match(line):
            read_requirement(line, seen)
    elif escapes(named[1]) or "://" in named[1]:
        seen.add("path-escape", named[1][:200])
    else:
        seen.add("model-part", named[1][:1000])


def _conda(entry: str, seen: Seen) -> None:
    """A conda requirement without any version; `channel::name=1.2=build` has one."""
    name = entry.rpartition("::")[2].strip()
    if not _TOOLS.match(name) and not re.search(r"[=<>\s]", name):
        seen.add("unpinned", name[:80])


def _entries(value: Any) -> list[Any]:
    return value[:MAX_ENTRIES] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [item for item in _entries(value) if isinstance(item, str)]


def _plain(text: str, seen: Seen) -> Any:
    """Values as text, without tags; None for what is no YAML. What would be slow or endless to build is stated."""
    import yaml

    from holdfast.core.formats.yamltext import survey

    try:
        survey(text, MAX_TOKENS)
        return yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 - plain text only
    except Fault as fault:
        if fault.kind != "malformed":
            seen.add(fault.kind, fault.why, 0)
    except (yaml.YAMLError, RecursionError, ValueError):
        pass
    return None
