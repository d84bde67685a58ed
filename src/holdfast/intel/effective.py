"""The intelligence in force: one snapshot out of everything that was weighed, remembered until something changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Final

from packaging.utils import canonicalize_name

from holdfast.core.domain.advisory import Advisory, Technique, VersionRange
from holdfast.core.domain.claim import ALLOW, PERSON, Claim, Effect, derive
from holdfast.core.domain.ids import JSONValue, digest
from holdfast.core.domain.intelligence import ADVISORY
from holdfast.core.domain.severity import Severity
from holdfast.core.policy import Snapshot
from holdfast.core.store import Transaction
from holdfast.core.store.intel import InForce
from holdfast.intel.weigh import COUNTS_FROM, DENY

SNAPSHOT_ID: Final = "feeds"
REMEMBERED: Final = 8


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A snapshot, and until when it holds if nothing is written: the next beginning or end of a claim."""

    snapshot: Snapshot
    built_at: datetime
    until: datetime | None


_memory: dict[str, _Remembered] = {}
_lock = Lock()


def snapshot(tx: Transaction) -> Snapshot | None:
    """The advisories and techniques in force; None where no feed of advisories has ever answered.

    `digest` covers what is in force and nothing else, so that a withdrawal gives back the digest of before.
    `dated` is when the feed of advisories that has been silent longest answered last.
    """
    dated = dated_of(tx)
    token = tx.intel.token()
    if dated is None or token is None:
        return None
    now = tx.now
    with _lock:
        known = _memory.get(token)
    if known is None or now < known.built_at or (known.until is not None and now >= known.until):
        known = _build(tx, now)
        _remember(token, known)
    if known.snapshot.dated == dated:
        return known.snapshot
    fresher = replace(known, snapshot=redated(known.snapshot, dated))
    _remember(token, fresher)
    return fresher.snapshot


def dated_of(tx: Transaction) -> datetime | None:
    """The oldest knowledge among the feeds in use: those whose advisories may count and that have answered."""
    used = (state for state in tx.intel.feeds() if ADVISORY in state.gives and state.feed.ceiling >= COUNTS_FROM)
    answered = [state.known_at for state in used]
    return min((moment for moment in answered if moment is not None), default=None)


def redated(known: Snapshot, dated: datetime) -> Snapshot:
    """The same content of another date, with what has been worked out about it so far."""
    made = replace(known, dated=dated)
    for name in ("_hits", "_by_name"):
        if name in known.__dict__:
            made.__dict__[name] = known.__dict__[name]
    return made


def _remember(token: str, known: _Remembered) -> None:
    with _lock:
        _memory.pop(token, None)
        _memory[token] = known
        while len(_memory) > REMEMBERED:
            del _memory[next(iter(_memory))]


def _build(tx: Transaction, now: datetime) -> _Remembered:
    things = {one.uid: one for one in tx.intel.in_force()}
    claims = [*tx.claims.active(effect=DENY), *tx.claims.active(effect=ALLOW)]
    effects = [effect for effect in derive(claims, now) if effect.effect == DENY]
    allowed = {claim.target for claim in claims if claim.effect == ALLOW and claim.cause.kind == PERSON}
    standing = [one for one in things.values() if one.kind == ADVISORY and _package(one.body) not in allowed]
    techniques = {one.uid: one for one in things.values() if isinstance(one.body, Technique)}
    denied: list[JSONValue] = [[effect.target, _digest_of(effect, things)] for effect in effects]
    said = sorted((one.uid, one.digest) for one in (*standing, *techniques.values()))
    listed = (*(one.body for one in standing if isinstance(one.body, Advisory)), *_denied(effects, things))
    named = {one.body.id: one.body for one in techniques.values() if isinstance(one.body, Technique)}
    made = Snapshot(SNAPSHOT_ID, now, listed, {**Snapshot.builtin().techniques, **named}, digest([list(said), denied]))
    return _Remembered(made, now, _next_change(claims, now))


def _package(body: object) -> str:
    return f"package:{canonicalize_name(body.package)}" if isinstance(body, Advisory) else ""


def _item(effect: Effect) -> str:
    return str(effect.body.get("item", ""))


def _digest_of(effect: Effect, things: Mapping[str, InForce]) -> str:
    """What is denied: the item that says so, or a person's words."""
    thing = things.get(_item(effect))
    return thing.digest if thing is not None else digest(dict(effect.body))


def _denied(effects: Iterable[Effect], things: Mapping[str, InForce]) -> Sequence[Advisory]:
    """Packages under a deny effect, as advisories of the gravest kind; several releases of one item are one."""
    found: dict[tuple[str, str], Advisory] = {}
    for effect in effects:
        kind, _, target = effect.target.partition(":")
        if effect.effect != DENY or kind != "package":
            continue
        package, _, version = target.partition("@")
        item = _denial(package, effect, things.get(_item(effect)))
        if version:
            before = found.get((item.id, package), replace(item, ranges=(), versions=()))
            item = replace(before, versions=(*before.versions, version))
        found[item.id, package] = item
    return [found[key] for key in sorted(found)]


def _denial(package: str, effect: Effect, thing: InForce | None) -> Advisory:
    body = None if thing is None else thing.body
    if isinstance(body, Advisory):
        ranges = body.ranges or (() if body.versions else (VersionRange(),))
        return replace(body, package=package, severity=Severity.CRITICAL, ranges=ranges)
    words = str(effect.body.get("summary", "")) or f"denied by {', '.join(effect.causes)}"
    return Advisory(f"DENY-{package}", package, words, Severity.CRITICAL, (VersionRange(),))


def _next_change(claims: Sequence[Claim], now: datetime) -> datetime | None:
    """When the next of the claims that count ends by itself."""
    return min((claim.until for claim in claims if claim.until is not None and claim.until > now), default=None)
