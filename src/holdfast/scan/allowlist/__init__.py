"""Names that a pickle may use, and in which way: generated from the libraries' sources, shipped as data.

Modes: `c` may be called while loading, `h` likewise but it calls what it is handed, `n` may be instantiated
without `__init__`, `v` may be kept as a value, `d` a nested name that may be called, `r` only as the machine
itself resolves it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from holdfast.core.domain.addition import NameAddition
from holdfast.scan.allowlist.header import Header, altered, unreadable
from holdfast.scan.allowlist.pinned import VERSION

MODES: Final = frozenset("chnvdr")
MAX_BYTES: Final = 8_000_000
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
    header: Header
    added: Mapping[str, NameAddition] = field(default_factory=dict)
    """What a site has added, by canonical name; part of `modes` (see `scan/additions.py`)."""
    base: Allowlist | None = field(default=None, repr=False)
    """The list without that, where something was added."""

    @classmethod
    @cache
    def builtin(cls) -> Allowlist:
        """The list that ships with this version. Raises FormatError HF-SCN-003 where it is not the one pinned here."""
        found = cls.parse(NAMES.read_bytes())
        if found.version != VERSION:
            raise altered(f"it is {found.version}, and this version was made with {VERSION}")
        return found

    @classmethod
    def parse(cls, raw: bytes) -> Allowlist:
        """Read a list whose digest holds. Raises FormatError HF-SCN-003 where it does not, -004 on what is no list."""
        if len(raw) > MAX_BYTES:
            raise unreadable(f"{len(raw):,} bytes; the limit is {MAX_BYTES:,}")
        try:
            data = json.loads(raw)
            header = Header.of(data)
            return cls._read(data, header)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as fault:
            raise unreadable(
                f"it does not have the form of a list: {type(fault).__name__} {str(fault)[:100]}"
            ) from fault

    @classmethod
    def _read(cls, data: Mapping[str, Any], header: Header) -> Allowlist:
        modes: dict[str, str] = {}
        nested = set()
        for module, table in data["names"].items():
            for mode, names in table.items():
                if mode not in MODES:
                    raise ValueError(f"mode {mode[:20]!r}")
                for name in names.split():
                    modes[f"{module}.{name}"] = mode
                    if mode == "d":
                        nested.add(f"{module}:{name}")
        return cls(
            modes,
            frozenset(nested),
            frozenset(data["covered"]) | frozenset(data["standard"]) | _unneeded(data),
            tuple((old, new) for old, new in data["aliases"]),
            header,
        )

    @property
    def version(self) -> str:
        """The digest of all that the list holds: which list it is."""
        return self.header.version

    @property
    def sources(self) -> tuple[str, ...]:
        """The libraries that were read, as `name version`."""
        return tuple(f"{one.name} {one.version}" for generation in self.header.generations for one in generation)

    def mode(self, path: str) -> str:
        """The mode of `module.name`; empty where it is not listed."""
        return self.modes.get(self.canonical(path), "")

    def canonical(self, path: str) -> str:
        """The name under which the list has it: files hold names of modules that were renamed since."""
        for old, new in self.aliases:
            if path.startswith(f"{old}."):
                path = new + path[len(old) :]
        return path

    def standing(self, path: str) -> Standing:
        """Whether a name is listed, denied, or of a package nobody looked at."""
        if self.mode(path):
            return Standing.LISTED
        return Standing.DENIED if path.partition(".")[0] in self.covered else Standing.UNKNOWN


def _unneeded(data: Mapping[str, Any]) -> frozenset[str]:
    """Packages whose purpose no model shares; lists of earlier versions have none."""
    return frozenset(name for names in data.get("unneeded", {}).values() for name in names.split())
