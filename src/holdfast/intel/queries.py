"""Views of intelligence that the command line, the API and the console share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.claim import ALLOW, Claim, Effect, derive
from holdfast.core.domain.intelligence import INTEL, item_cause
from holdfast.core.domain.verdict import Judgement, Verdict
from holdfast.core.store import Transaction
from holdfast.core.store.intel import FeedState, Said
from holdfast.intel.faults import no_item
from holdfast.intel.identity import normal_name
from holdfast.intel.weigh import DISMISS, HOLD, Thing, things_of

MAX_ITEMS: Final = 1_000


class _View:
    """A view becomes plain data by itself."""

    __slots__ = ()

    def to_json(self) -> Any:
        """Plain values for JSON; moments as RFC 3339 text."""
        return msgspec.to_builtins(self)


@dataclass(frozen=True, slots=True)
class FeedView(_View):
    """A feed and how it fares. `state`: fresh, stale (silent too long), failing (the last try went wrong), never."""

    id: str
    kind: str
    location: str
    trust: int
    ceiling: str
    tlp: str
    max_age_s: float
    signed: bool
    added_at: datetime
    last_try: datetime | None
    last_ok: datetime | None
    fault: str | None
    state: str
    items: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class SourceView(_View):
    """What one feed says of an item: still, or taken back and when; `raw` is the digest of the file it stands in."""

    feed: str
    native_id: str
    trust: int
    ceiling: str
    standing: bool
    modified_at: datetime
    withdrawn_at: datetime | None
    recorded_at: datetime
    raw: str | None


@dataclass(frozen=True, slots=True)
class ItemView(_View):
    """One thing, whoever speaks of it. `state`: in force, observed (said, but changes no verdict), held, withdrawn.

    `models` counts the models it hits now; held items need a person (`needs_person`).
    """

    uid: str
    kind: str
    key: str
    title: str
    severity: str
    tlp: str
    state: str
    needs_person: bool
    package: str | None
    aliases: tuple[str, ...]
    models: int
    sources: tuple[SourceView, ...]
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class EffectView(_View):
    """A derived effect: what is in force, on what, from which causes, until when; `claims` are its parts."""

    effect: str
    target: str
    ceiling: str
    causes: tuple[str, ...]
    feeds: tuple[str, ...]
    until: datetime | None
    needs_person: bool
    why: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TechniqueView(_View):
    """A technique and the checks that look for it. Covered where there is one for it or for what it refines."""

    id: str
    name: str
    parent: str | None
    tactics: tuple[str, ...]
    maturity: str | None
    checks: tuple[str, ...]
    covered: bool


@dataclass(frozen=True, slots=True)
class CoverageView(_View):
    """The coverage of ATLAS by checks: techniques in the order of their ids."""

    techniques: tuple[TechniqueView, ...]
    total: int
    covered: int


@dataclass(frozen=True, slots=True)
class HitView(_View):
    """A model version that holds what an item speaks of, by which fact, and where that version stands."""

    model: str
    version: str
    fact: str
    value: str
    certain: bool
    current: bool
    verdict: str | None


@dataclass(frozen=True, slots=True)
class ClaimView(_View):
    """A claim of an item's, in force or ended, with its leaves in the ledger (None: not yet placed)."""

    id: str
    cause: str
    effect: str
    target: str
    ceiling: str
    since: datetime
    ended_at: datetime | None
    leaves: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class ChangeView(_View):
    """A verdict that came to name the item, or to name it no longer; `judgement` is the key of the newer one."""

    model: str
    version: str
    was: str | None
    now: str
    at: datetime
    appeared: bool
    judgement: str


@dataclass(frozen=True, slots=True)
class ImpactView(_View):
    """All that one item did and does."""

    item: ItemView
    hits: tuple[HitView, ...]
    claims: tuple[ClaimView, ...]
    changes: tuple[ChangeView, ...]


def feeds_view(tx: Transaction, now: datetime) -> tuple[FeedView, ...]:
    """Every feed with its health at `now`, by id."""
    counts = tx.intel.counts()
    return tuple(_feed(state, now, *counts.get(state.feed.id, (0, 0, frozenset()))[:2]) for state in tx.intel.feeds())


def items_view(tx: Transaction, limit: int = 100, *, kind: str | None = None) -> tuple[ItemView, ...]:
    """The items that changed last, newest first; those that wait for a person before all others."""
    held = [uid for uid in waiting(tx) if kind is None]
    recent = tx.intel.recent(min(limit, MAX_ITEMS), kind)
    return _items(tx, list(dict.fromkeys((*held, *recent)))[: max(limit, len(held))])


def waiting(tx: Transaction) -> tuple[str, ...]:
    """The uids of the items that wait for a person."""
    claims = [*tx.claims.active(effect=HOLD), *tx.claims.active(effect=ALLOW)]
    held = [effect for effect in derive(claims, tx.now) if effect.effect == HOLD]
    return tuple(sorted(effect.target.partition(":")[2] for effect in held))


def effects_view(tx: Transaction, now: datetime) -> tuple[EffectView, ...]:
    """Every derived effect at `now`, by effect and target, whatever caused it."""
    active = tx.claims.active(now)
    parts: dict[tuple[str, str], list[str]] = {}
    for claim in active:
        parts.setdefault((claim.effect, claim.target), []).append(claim.id)
    return tuple(_effect(item, parts[item.effect, item.target]) for item in tx.claims.effects(now))


def coverage_view(tx: Transaction, checks: Mapping[str, Iterable[str]]) -> CoverageView:
    """ATLAS by checks; `checks` gives the technique ids that each check covers, by its id."""
    bodies = [one.body for one in tx.intel.in_force(kind="technique")]
    listed = sorted((body for body in bodies if isinstance(body, Technique)), key=lambda body: body.id)
    by_technique: dict[str, set[str]] = {}
    for check, covers in checks.items():
        for technique in covers:
            by_technique.setdefault(technique, set()).add(check)
    views = tuple(_technique(body, by_technique) for body in listed)
    return CoverageView(views, len(views), sum(view.covered for view in views))


def impact_view(tx: Transaction, name: str) -> ImpactView:
    """What the item known by `name` (uid, alias, ATLAS id) did and does. Raises UsageError HF-INT-009."""
    uid = find_item(tx, name)
    item = _items(tx, [uid])[0]
    thing = things_of(tx, [uid]).get(uid)
    causes = [item_cause(uid, state.feed.id) for state in tx.intel.feeds()]
    claims = [*tx.claims.of_causes(causes), *tx.claims.on_target(f"{INTEL}:{uid}")]
    kept = {claim.id: _claim(tx, claim) for claim in claims}
    return ImpactView(item, _hits(tx, thing), tuple(kept[key] for key in sorted(kept)), _changes(tx, item))


def find_item(tx: Transaction, name: str) -> str:
    """The uid of what is known as `name`. Raises UsageError HF-INT-009 where there is none, or several."""
    if name.startswith("itl_") and tx.intel.of([name])[name]:
        return name
    names = {name, normal_name(name) or name}
    found = {uid for uids in tx.intel.uids_named(names).values() for uid in uids} | tx.intel.with_keys(names)
    if len(found) != 1:
        raise no_item(name if not found else f"{name} (it names {len(found)}: {', '.join(sorted(found))[:300]})")
    return found.pop()


def _feed(state: FeedState, now: datetime, items: int, withdrawn: int) -> FeedView:
    feed = state.feed
    return FeedView(
        feed.id,
        feed.kind,
        feed.location,
        feed.trust,
        feed.ceiling.value,
        feed.tlp.value,
        feed.max_age.total_seconds(),
        feed.key is not None,
        state.added_at,
        state.last_try,
        state.last_ok,
        state.fault,
        _health(state, now),
        items,
        withdrawn,
    )


def _health(state: FeedState, now: datetime) -> str:
    if state.last_ok is None:
        return "failing" if state.fault else "never"
    if state.fault:
        return "failing"
    return "stale" if state.stale(now) else "fresh"


def _items(tx: Transaction, uids: Sequence[str]) -> tuple[ItemView, ...]:
    said, things = tx.intel.of(uids), things_of(tx, uids)
    force = {one.uid for one in tx.intel.in_force(uids)}
    held = set(waiting(tx))
    dismissed = {claim.target.partition(":")[2] for claim in tx.claims.active(effect=DISMISS)}
    feeds = {state.feed.id: state for state in tx.intel.feeds()}
    views = []
    for uid in uids:
        if said[uid]:
            state = _state(uid, things, force, held, dismissed)
            views.append(_item(uid, said[uid], things.get(uid), state, feeds))
    return tuple(views)


def _state(uid: str, things: Mapping[str, Thing], force: set[str], held: set[str], dismissed: set[str]) -> str:
    if uid not in things or uid in dismissed:
        return "withdrawn"
    return "held" if uid in held else "in force" if uid in force else "observed"


def _item(uid: str, said: Sequence[Said], thing: Thing | None, state: str, feeds: Mapping[str, FeedState]) -> ItemView:
    lead = max(said, key=lambda one: (one.active, feeds[one.item.feed].feed.trust, one.place))
    body = thing.body if thing is not None else lead.item.body
    advisory = body if isinstance(body, Advisory) else None
    return ItemView(
        uid,
        lead.item.kind,
        lead.item.key,
        lead.item.title,
        advisory.severity.value if advisory else lead.item.severity.value,
        max(one.item.tlp for one in said).value,
        state,
        state == "held",
        advisory.package if advisory else None,
        tuple(sorted(advisory.names)) if advisory else (),
        0 if thing is None else len(thing.models),
        tuple(_source(one, feeds[one.item.feed]) for one in said),
        max(one.recorded_at for one in said),
    )


def _source(said: Said, state: FeedState) -> SourceView:
    item, feed = said.item, state.feed
    return SourceView(
        item.feed,
        item.native_id,
        feed.trust,
        feed.ceiling.value,
        said.active,
        item.modified_at,
        item.withdrawn_at,
        said.recorded_at,
        said.raw,
    )


def _effect(item: Effect, claims: Sequence[str]) -> EffectView:
    feeds = tuple(cause.rpartition("@")[2] for cause in item.causes if cause.startswith(f"{INTEL}:") and "@" in cause)
    words = [str(item.body.get(name, "")) for name in ("reason", "summary", "advisory")]
    why = next((text for text in words if text), "")
    held = item.effect == HOLD
    return EffectView(
        item.effect, item.target, item.ceiling.value, item.causes, feeds, item.until, held, why, tuple(claims)
    )


def _technique(body: Technique, checks: Mapping[str, set[str]]) -> TechniqueView:
    own = set(checks.get(body.id, ())) | (set(checks.get(body.parent, ())) if body.parent else set())
    return TechniqueView(body.id, body.name, body.parent, body.tactics, body.maturity, tuple(sorted(own)), bool(own))


def _hits(tx: Transaction, thing: Thing | None) -> tuple[HitView, ...]:
    if thing is None:
        return ()
    current = tx.judgements.currents({hit.model for hit in thing.hits})
    stands = {hit.model: tx.judgements.standings(hit.model) for hit in thing.hits}
    views = []
    for hit in thing.hits:
        standing = stands[hit.model].get(hit.version)
        verdict = None if standing is None else standing.verdict.value
        is_current = hit.version in current.get(hit.model, ())
        views.append(HitView(hit.model, hit.version, hit.kind, hit.value, hit.certain, is_current, verdict))
    return tuple(views)


def _claim(tx: Transaction, claim: Claim) -> ClaimView:
    leaves = tuple(leaf for _, leaf in tx.intents.about(claim.id))
    ended = claim.withdrawn_at or (claim.until if claim.until is not None and claim.until <= tx.now else None)
    return ClaimView(
        claim.id, str(claim.cause), claim.effect, claim.target, claim.ceiling.value, claim.since, ended, leaves
    )


def _changes(tx: Transaction, item: ItemView) -> tuple[ChangeView, ...]:
    """The judgements in which a finding of this item appeared or went, oldest first."""
    places = {f"pkg:pypi/{item.package}#{name}" for name in item.aliases}
    models = {one.finding.model for one in tx.findings.all() if one.finding.location in places}
    found: list[ChangeView] = []
    for model in sorted(models):
        last: dict[str, Judgement] = {}
        for judgement in tx.judgements.history(model):
            before = last.get(judgement.version)
            change = _change(before, judgement, places)
            found += [] if change is None else [change]
            last[judgement.version] = judgement
    return tuple(sorted(found, key=lambda one: (one.at, one.model, one.version)))


def _change(before: Judgement | None, judgement: Judgement, places: set[str]) -> ChangeView | None:
    named = any(finding.location in places for finding in judgement.findings)
    had = before is not None and any(finding.location in places for finding in before.findings)
    if named == had:
        return None
    was: Verdict | None = None if before is None else before.verdict
    return ChangeView(
        judgement.model, judgement.version, was, judgement.verdict.value, judgement.as_of, named, judgement.key
    )
