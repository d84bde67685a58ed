"""What items amount to: who says them, whom they hit, how far they may go, and the claims that follow.

Weighing is derived from what is said now and from nothing else, so it can be repeated in any order and after any
crash: a withdrawal is the same as never having heard of it. How far an item goes is in docs/intel.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from packaging.utils import canonicalize_name

from holdfast.core.domain.advisory import Advisory
from holdfast.core.domain.claim import ALLOW, PERSON, Ceiling, Claim
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.intelligence import (
    ADVISORY,
    INDICATOR,
    MALWARE,
    TECHNIQUE,
    Feed,
    Indicator,
    item_cause,
    item_target,
    revision_of,
    uid_of,
)
from holdfast.core.store import Transaction
from holdfast.core.store.intel import InForce, Said
from holdfast.intel.matching import Body, ModelHit, current_models, match
from holdfast.intel.merge import merge

HOLD: Final = "hold"
"""The effect of an item that would touch too much: it waits for a person."""
DENY: Final = "deny"
COUNTS_FROM: Final = Ceiling.BLOCK_NEW
"""The least ceiling a feed needs for its word to change a verdict."""
TRUSTED: Final = 80
"""The trust from which one source alone may have something denied; below it, two have to say so."""
CAP_SHARE: Final = 0.20
CAP_MODELS: Final = 10
"""An item that hits more than this share of the models, and at least this many, waits for a person."""
EXPLOITED: Final = "exploited"
DISMISS: Final = "dismiss"
"""The effect by which a person takes an item back, whatever feeds say of it."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What became of items: the models whose verdict may differ now, and the items that wait for a person."""

    models: frozenset[str]
    held: frozenset[str]


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing as it stands: who says it now, what that amounts to, and which versions it hits."""

    uid: str
    body: Body
    said: tuple[Said, ...]
    hits: tuple[ModelHit, ...]
    models: frozenset[str]


def weigh(tx: Transaction, uids: Iterable[str]) -> Weighed:
    """Derive what these things amount to now; writes what is in force and the claims, and nothing else."""
    tx.intel.hold()
    wanted = frozenset(uids) | _advisories_exploited(tx, uids)
    feeds = {state.feed.id: state.feed for state in tx.intel.feeds()}
    before = {one.uid: one for one in tx.intel.in_force(wanted)}
    things, touched = _things(tx, wanted, feeds, before)
    standing = _standing_claims(tx, wanted, feeds)
    desired, force, held = _decide(tx, things, feeds)
    _settle_claims(tx, standing, desired)
    changed = _settle_force(tx, before, force, wanted)
    moved = _denials(standing) != _denials(desired)
    return Weighed(frozenset(touched) if changed or moved else frozenset(), frozenset(held))


def _denials(claims: Iterable[Claim]) -> frozenset[str]:
    return frozenset(claim.id for claim in claims if claim.effect == DENY)


def things_of(tx: Transaction, uids: Iterable[str]) -> dict[str, Thing]:
    """Things as they stand, for those who only look; one that nobody says any more is not among them."""
    feeds = {state.feed.id: state.feed for state in tx.intel.feeds()}
    return _things(tx, frozenset(uids), feeds, {})[0]


def _advisories_exploited(tx: Transaction, uids: Iterable[str]) -> frozenset[str]:
    """The advisories that a note of exploitation among `uids` speaks of."""
    bodies = [said.item.body for items in tx.intel.of(uids).values() for said in items]
    names = {body.value for body in bodies if isinstance(body, Indicator) and body.type == EXPLOITED}
    return frozenset(uid for found in tx.intel.uids_named(names).values() for uid in found)


def _things(
    tx: Transaction, uids: frozenset[str], feeds: Mapping[str, Feed], before: Mapping[str, InForce]
) -> tuple[dict[str, Thing], set[str]]:
    """The things that somebody still says, and every model hit by what is or was in force."""
    standing = {uid: [one for one in items if one.active] for uid, items in tx.intel.of(uids).items()}
    standing = {uid: items for uid, items in standing.items() if items}
    exploited = _exploited(tx, standing)
    bodies = {uid: merge(items, feeds, exploited=uid in exploited) for uid, items in standing.items()}
    hits = match(tx, bodies)
    current = tx.judgements.currents()
    things = {
        uid: Thing(uid, body, tuple(standing[uid]), hits[uid], current_models(hits[uid], current))
        for uid, body in bodies.items()
    }
    former = match(tx, {uid: one.body for uid, one in before.items() if bodies.get(uid) != one.body})
    touched = {model for found in former.values() for model in current_models(found, current)}
    return things, touched | {model for thing in things.values() for model in thing.models}


def _exploited(tx: Transaction, standing: Mapping[str, Sequence[Said]]) -> frozenset[str]:
    """The things among these that are known to be exploited in the wild."""
    names: dict[str, set[str]] = {}
    for uid, items in standing.items():
        for said in items:
            if isinstance(said.item.body, Advisory):
                for name in said.item.body.names:
                    names.setdefault(uid_of(INDICATOR, f"{EXPLOITED}:{name}"), set()).add(uid)
    noted = tx.intel.of(names) if names else {}
    return frozenset(uid for note, items in noted.items() if any(one.active for one in items) for uid in names[note])


def _standing_claims(tx: Transaction, uids: frozenset[str], feeds: Mapping[str, Feed]) -> list[Claim]:
    """The claims in force that any feed's word on these things has made."""
    causes = [item_cause(uid, feed) for uid in sorted(uids) for feed in sorted(feeds)]
    now = tx.now
    return [claim for claim in tx.claims.of_causes(causes) if claim.active(now)]


def _decide(
    tx: Transaction, things: Mapping[str, Thing], feeds: Mapping[str, Feed]
) -> tuple[list[Claim], list[InForce], set[str]]:
    """The claims that should stand, what should be in force, and what waits."""
    estate, now = tx.models.count(), tx.now
    freed, dismissed = _by_people(tx, ALLOW), _by_people(tx, DISMISS)
    claims: list[Claim] = []
    force: list[InForce] = []
    held: set[str] = set()
    for uid in sorted(things):
        thing = things[uid]
        if item_target(uid) in dismissed:
            continue
        if touches_too_much(len(thing.models), estate) and item_target(uid) not in freed:
            held.add(uid)
            claims += _hold(thing, feeds, estate, now)
            continue
        claims += _claims(thing, feeds, now)
        if counts(thing, feeds):
            force.append(
                InForce(uid, kind_in_force(thing.body), revision_of(thing.body, withdrawn=False), thing.body, now)
            )
    return claims, force, held


def touches_too_much(models: int, estate: int) -> bool:
    """Whether an item that hits so many of the estate's models has to wait for a person."""
    return models >= CAP_MODELS and models > CAP_SHARE * estate


def _by_people(tx: Transaction, effect: str) -> frozenset[str]:
    """The targets on which a person has put this effect."""
    return frozenset(claim.target for claim in tx.claims.active(effect=effect) if claim.cause.kind == PERSON)


def kind_in_force(body: Body) -> str:
    """Malware counts by way of what is denied, everything else as it is."""
    if isinstance(body, Advisory):
        return MALWARE if body.malicious else ADVISORY
    return INDICATOR if isinstance(body, Indicator) else TECHNIQUE


def counts(thing: Thing, feeds: Mapping[str, Feed]) -> bool:
    """Whether a source that says it may change verdicts; a technique changes none and always counts."""
    if kind_in_force(thing.body) == TECHNIQUE:
        return True
    return any(feeds[said.item.feed].ceiling >= COUNTS_FROM for said in thing.said)


def deniers(thing: Thing, feeds: Mapping[str, Feed]) -> tuple[Feed, ...]:
    """The sources whose word denies: each may block, and one of them is trusted or there are two."""
    sources = sorted({said.item.feed for said in thing.said})
    able = tuple(feeds[name] for name in sources if feeds[name].ceiling >= COUNTS_FROM)
    return able if len(able) > 1 or any(feed.trust >= TRUSTED for feed in able) else ()


def _hold(thing: Thing, feeds: Mapping[str, Feed], estate: int, now: datetime) -> Iterator[Claim]:
    body: dict[str, JSONValue] = {
        "models": len(thing.models),
        "of": estate,
        "needs": "a person",
        "reason": f"it hits {len(thing.models)} of {estate} models; above {CAP_SHARE:.0%} a person decides",
    }
    for name in sorted({said.item.feed for said in thing.said}):
        ceiling = min(feeds[name].ceiling, Ceiling.RETEST)
        yield Claim(item_cause(thing.uid, name), HOLD, item_target(thing.uid), ceiling, now, body=body)


def _claims(thing: Thing, feeds: Mapping[str, Feed], now: datetime) -> Iterator[Claim]:
    """One claim per source, so that each can take back its own."""
    if isinstance(thing.body, Advisory):
        yield from _package_claims(thing, thing.body, feeds, now)
    elif isinstance(thing.body, Indicator) and thing.hits:
        target = f"import:{thing.body.value}" if thing.body.type == "pickle-global" else f"artifact:{thing.body.value}"
        for feed in deniers(thing, feeds):
            yield Claim(item_cause(thing.uid, feed.id), DENY, target, feed.ceiling, now, body={"item": thing.uid})


def _package_claims(thing: Thing, body: Advisory, feeds: Mapping[str, Feed], now: datetime) -> Iterator[Claim]:
    said: dict[str, JSONValue] = {
        "item": thing.uid,
        "advisory": body.id,
        "severity": body.severity.value,
        "summary": body.summary[:160],
    }
    denying = deniers(thing, feeds) if body.malicious else ()
    for feed in denying:
        for target in _targets(body):
            yield Claim(item_cause(thing.uid, feed.id), DENY, target, feed.ceiling, now, body=said)
    if denying or not thing.models:
        return
    package = f"package:{canonicalize_name(body.package)}"
    for name in sorted({one.item.feed for one in thing.said}):
        ceiling = min(feeds[name].ceiling, Ceiling.WARN) if body.malicious else feeds[name].ceiling
        yield Claim(item_cause(thing.uid, name), ADVISORY, package, ceiling, now, body=said)


def _targets(body: Advisory) -> list[str]:
    """The releases where nothing but releases is listed; else the package, whose extent the item itself says."""
    package = canonicalize_name(body.package)
    if body.ranges or not body.versions:
        return [f"package:{package}"]
    return [f"package:{package}@{version}" for version in body.versions]


def _settle_claims(tx: Transaction, standing: Sequence[Claim], desired: Sequence[Claim]) -> None:
    wanted = {claim.id for claim in desired}
    tx.claims.end([claim for claim in standing if claim.id not in wanted])
    tx.claims.make_all(desired)


def _settle_force(
    tx: Transaction, before: Mapping[str, InForce], force: Sequence[InForce], uids: frozenset[str]
) -> bool:
    """Write what is in force; True where that is other than it was."""
    wanted = {one.uid: one for one in force}
    new = [one for one in force if one.uid not in before or before[one.uid].digest != one.digest]
    gone = sorted(uid for uid in uids if uid in before and uid not in wanted)
    tx.intel.enforce(new)
    tx.intel.repeal(gone)
    if new or gone:
        tx.intel.touch()
    return bool(new or gone)
