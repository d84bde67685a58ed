"""A site's own additions to the list of names: what may be added at all, and which of them a file needs.

An addition only widens: it never takes back what the list allows, and what the list lets through for one use only
(`getattr`, nested names) stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.domain.addition import NameAddition, never
from holdfast.core.errors import PolicyError
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.allowlist.tools import purpose
from holdfast.scan.allowlist.unneeded import UNNEEDED
from holdfast.scan.rules import Hit, judge

STRENGTH: Final = ("", "v", "n", "h", "c")
"""Modes from nothing to everything."""
STORES: Final = frozenset(
    (
        "cloud, storage and hub clients: they fetch and send",
        "database drivers and queues: they connect",
        "readers of tables and documents: they open files",
        "command lines, screens and windows: they show and ask",
        "web frameworks and servers: they serve",
    )
)
"""Purposes of packages that are denied, and whose name a site's own package may happen to have."""
RUNNERS: Final = {
    package: use for use, packages in UNNEEDED.items() if use not in STORES for package in packages.split()
}
"""Packages that run what they are handed or fetch it: no name of theirs is ever added."""
SINK: Final = re.compile(
    r"_*(?:call|check_call|check_output|command|compile|connect|delattr|download|dump|dumps|eval|exec|execfile|fetch"
    r"|fromfile|getattr|import|load|loads|memmap|open|opener|popen|Popen|read|remove|request|rmtree|run|runcode"
    r"|runsource|runstring|save|savez|setattr|shell|spawn|subimport|system|tofile|unlink|unpickle|urlopen"
    r"|urlretrieve|write)(?:_\w*)?"
)
"""Last parts of names of functions that open, run or fetch what they are handed."""


def refuse_forbidden(additions: Iterable[NameAddition], names: Allowlist, source: str) -> None:
    """Raises PolicyError HF-POL-011 on an addition that nobody may make; `source` is the policy it stands in."""
    for one in additions:
        why = forbidden(one, names)
        if why is not None:
            raise PolicyError(
                f"the name '{one.name}' may not be added in {source}",
                cause=why,
                fix="save the model without it; what a file of numbers needs is on the list",
                code="HF-POL-011",
            )


def forbidden(one: NameAddition, names: Allowlist) -> str | None:
    """Why nobody may add this name; None where a site may."""
    path = names.canonical(one.name)
    package, last = path.partition(".")[0], path.rpartition(".")[2]
    if (why := never(path) or never(one.name)) is not None:
        return why
    if package in RUNNERS:
        return f"'{package}' is denied for what it is for ({RUNNERS[package]})"
    if purpose(path):
        return f"it belongs to a part of its library that holds no model state ({purpose(path)})"
    if SINK.fullmatch(last):
        return f"'{last}' is called like a function that opens, runs or fetches what it is handed"
    if one.mode in ("c", "h") and not last.lstrip("_")[:1].isupper() and package in names.covered:
        return f"'{package}' was analysed: of its functions, loading may call those that the list has for it"
    if names.modes.get(path) in ("r", "d"):
        return "the list has it for one use only, which the machine checks"
    return None


def widened(names: Allowlist, additions: Iterable[NameAddition], at: datetime) -> Allowlist:
    """The list with what a site has added and is in force at a moment; the list itself where that is nothing.

    What may not be added is left out here too: a policy that was kept may be older than a rule that forbids it.
    """
    base = names.base or names
    added = {base.canonical(one.name): one for one in additions if one.in_force(at) and forbidden(one, base) is None}
    wider = {path: one for path, one in added.items() if _rank(one.mode) > _rank(base.modes.get(path, ""))}
    if not wider:
        return base
    modes = {path: one.mode for path, one in wider.items()}
    return replace(base, modes=_Layered(modes, base.modes), added=wider, base=base)


def _rank(mode: str) -> int:
    return STRENGTH.index(mode)


class _Layered(Mapping[str, str]):
    """One mapping over another, neither copied."""

    def __init__(self, over: Mapping[str, str], under: Mapping[str, str]) -> None:
        self._over, self._under = over, under

    def __getitem__(self, key: str) -> str:
        return self._over[key] if key in self._over else self._under[key]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._under, **self._over})

    def __len__(self) -> int:
        return len({*self._under, *self._over})


def relied(facts: Iterable[Fact], names: Allowlist) -> tuple[NameAddition, ...]:
    """The additions without which these facts would be held against the file in more ways, by name."""
    if names.base is None:
        return ()
    seen = tuple(facts)
    gone = set(_against(judge(seen, names.base))) - set(_against(judge(seen, names)))
    used = {names.canonical(str(text)) for _, fact in gone for text in (fact.value, fact.detail) if text is not None}
    return tuple(names.added[path] for path in sorted(used & set(names.added)))


def _against(hits: Iterable[Hit]) -> Iterable[tuple[str, Fact]]:
    return ((hit.rule.id, hit.fact) for hit in hits)
