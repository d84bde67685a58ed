"""Names that a pickle may use, and in which way: generated from the libraries' sources, shipped as data.

Modes: `c` may be called while loading, `h` likewise but it calls what it is handed, `n` may be instantiated
without `__init__`, `v` may be kept as a value, `d` a nested name that may be called, `r` only as the machine
itself resolves it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

SCHEMA: Final = 1
NAMES: Final = Path(__file__).with_name("names.json")


class Standing(StrEnum):
    """What is known of a name."""

    LISTED = "listed"
    DENIED = "denied"
    """The name is not listed, and its package was analysed, is the standard library's, or is of no use to a model."""
    UNKNOWN = "unknown"
    """Nobody looked at its package."""


@dataclass(frozen=True)
class Allowlist:
    """`modes` maps `module.name` to the letters of its modes."""

    modes: Mapping[str, str]
    nested: frozenset[str]
    covered: frozenset[str]
    aliases: tuple[tuple[str, str], ...]
    digest: str
    sources: tuple[str, ...]

    @classmethod
    @cache
    def builtin(cls) -> Allowlist:
        """The list that ships with this version."""
        raw = NAMES.read_bytes()
        return cls.parse(raw)

    @classmethod
    def parse(cls, raw: bytes) -> Allowlist:
        """Read the data file's bytes; `digest` is of these bytes."""
        data = json.loads(raw)
        if data["schema"] != SCHEMA:
            raise ValueError(f"allowlist schema {data['schema']}; this version reads {SCHEMA}")
        modes: dict[str, str] = {}
        nested = set()
        for module, table in data["names"].items():
            for mode, names in table.items():
                for name in names.split():
                    modes[f"{module}.{name}"] = mode
                    if mode == "d":
                        nested.add(f"{module}:{name}")
        return cls(
            modes,
            frozenset(nested),
            frozenset(data["covered"]) | frozenset(data["standard"]) | _unneeded(data),
            tuple((old, new) for old, new in data["aliases"]),
            "sha256:" + hashlib.sha256(raw).hexdigest(),
            tuple(f"{item['name']} {item['version']}" for item in data["sources"]),
        )

    def mode(self, path: str) -> str:
        """The mode of `module.name`; empty where it is not listed."""
        for old, new in self.aliases:
            if path.startswith(f"{old}."):
                path = new + path[len(old) :]
        return self.modes.get(path, "")

    def standing(self, path: str) -> Standing:
        """Whether a name is listed, denied, or of a package nobody looked at."""
        if self.mode(path):
            return Standing.LISTED
        return Standing.DENIED if path.partition(".")[0] in self.covered else Standing.UNKNOWN


def _unneeded(data: Mapping[str, Any]) -> frozenset[str]:
    """Packages whose purpose no model shares; lists of earlier versions have none."""
    return frozenset(name for names in data.get("unneeded", {}).values() for name in names.split())
