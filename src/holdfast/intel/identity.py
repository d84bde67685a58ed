"""Which statements speak of the same thing: names joined, so that neither order nor a feed's own ids matter.

Advisories of one package that share a name are one thing, over any number of steps; its key is the best of all the
names. Techniques go by their ATLAS id, indicators by type and value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from packaging.utils import canonicalize_name

from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.intelligence import ADVISORY, INDICATOR, TECHNIQUE, Indicator, uid_of
from holdfast.core.store.intel import Alias, Intel, Place, Said

MAX_NAME: Final = 100
_ORDER: Final = ("CVE-", "GHSA-", "MAL-", "PYSEC-")
_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_ROUNDS: Final = 20


def normal_name(text: str) -> str | None:
    """One spelling per id: prefixes in capitals, the rest of a GHSA id in small letters. None where it is no id."""
    if len(text) > MAX_NAME or not _FORM.fullmatch(text):
        return None
    upper = text.upper()
    if upper.startswith("GHSA-"):
        return "GHSA-" + text[5:].lower()
    return upper if upper.startswith(_ORDER) else text


def best_name(names: Iterable[str]) -> str:
    """CVE before GHSA before MAL before PYSEC before any other; of several the first."""
    return min(names, key=lambda name: (_rank(name), name))


def _rank(name: str) -> int:
    return next((rank for rank, prefix in enumerate(_ORDER) if name.startswith(prefix)), len(_ORDER))


def advisory_key(names: Iterable[str], package: str) -> str:
    """The canonical key of a weakness in a package."""
    return f"{best_name(names)} in {canonicalize_name(package)}"


def key_of(body: Advisory | Technique | Indicator) -> tuple[str, str]:
    """Kind and canonical key of what one statement says, taken by itself."""
    if isinstance(body, Advisory):
        return ADVISORY, advisory_key(body.names, body.package)
    if isinstance(body, Technique):
        return TECHNIQUE, body.id
    return INDICATOR, f"{body.type}:{body.value}"


def join(intel: Intel, changed: Iterable[Said], before: Mapping[Place, str]) -> dict[str, list[Said]]:
    """Give advisories that are one thing one uid; `before` has the uids places had. Gives every uid touched."""
    places = {said.place: said for said in changed if isinstance(said.item.body, Advisory)}
    gone = set(before.values())
    neighbours = {said.place: said for items in intel.of(gone).values() for said in items}
    members = _closure(intel, {**neighbours, **places})
    keys = _keys(members)
    moved = {place: keys[place] for place, said in members.items() if said.item.uid != keys[place][1]}
    gone |= {members[place].item.uid for place in moved}
    intel.rekey(moved)
    touched = gone | {uid for _, uid in keys.values()} | {said.item.uid for said in changed if said.place not in places}
    return intel.of(touched)


def _closure(intel: Intel, start: Mapping[Place, Said]) -> dict[Place, Said]:
    """These statements and all that share a name with one of them, over any number of steps."""
    members = dict(start)
    fresh, asked = list(members.values()), set[Alias]()
    for _ in range(_ROUNDS):
        names = {(name, said.item.scope) for said in fresh for name in _names(said)} - asked
        asked |= names
        new = intel.named(names) - members.keys() if names else set()
        if not new:
            break
        fresh = intel.at(new)
        members.update((said.place, said) for said in fresh)
    return {place: said for place, said in members.items() if isinstance(said.item.body, Advisory)}


def _names(said: Said) -> frozenset[str]:
    return said.item.body.names if isinstance(said.item.body, Advisory) else frozenset()


def _keys(members: Mapping[Place, Said]) -> dict[Place, tuple[str, str]]:
    """Key and uid of each statement, by the names of its whole group."""
    leader: dict[Alias, Alias] = {}

    def find(name: Alias) -> Alias:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for said in members.values():
        first, *rest = [(name, said.item.scope) for name in sorted(_names(said))]
        for name in rest:
            leader[find(name)] = find(first)
    groups: dict[Alias, set[str]] = {}
    for name in list(leader):
        groups.setdefault(find(name), set()).add(name[0])
    found = {}
    for place, said in members.items():
        names = groups.setdefault(find((min(_names(said)), said.item.scope)), set())
        key = advisory_key(names | _names(said), said.item.scope)
        found[place] = key, uid_of(ADVISORY, key)
    return found
