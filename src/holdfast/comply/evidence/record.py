"""Evidence out of the record itself: the ledger, the inventory, what went into service."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from holdfast.comply.evidence.answer import Answer, weigh
from holdfast.comply.evidence.books import ModelBooks
from holdfast.comply.evidence.kinds import Asked, evidence
from holdfast.core.domain import Judgement, Verdict
from holdfast.core.domain.alert import CAMPAIGN_CHECK
from holdfast.core.domain.control import Evidence, State
from holdfast.core.report.words import short
from holdfast.core.store.models import Deployment, declared_id, deployed_id

LIVE: Final = (CAMPAIGN_CHECK,)
"""Observations that no audit made."""


@evidence("ledger", "What happened is in the signed Merkle ledger, up to the newest leaf.", themes=("proof",))
def ledger(asked: Asked) -> Answer:
    """The newest entry that a checkpoint covers. The pack verifies the whole; this only says how far it reaches."""
    books, found = asked.books.books, []
    if (last := books.reach) is not None and last.leaf is not None:
        words = f"{last.leaf + 1:,} entries under a signed checkpoint, the newest {last.kind}"
        found = [Evidence(asked.query, "ledger", words, True, last.recorded_at, last.recorded_at, last.id, last.leaf)]
    lacking = "no entry is under a signed checkpoint"
    return weigh(asked.query, found, as_of=books.as_of, fresh=asked.clause.fresh, lacking=lacking)


@evidence(
    "inventory",
    "The model is on record with what its manifest declares.",
    themes=("models", "tier", "use", "people", "dependencies"),
)
def inventory(asked: Asked) -> Answer:
    """What is declared, dated by the last time the manifest was read: at an audit, or when it changed."""
    books = asked.books
    if asked.theme == "dependencies":
        return _dependencies(asked)
    words, declared = _declared(books, asked.theme)
    if not declared:
        return Answer(asked.query, State.MISSING, words, fresh=asked.clause.fresh)
    return weigh(
        asked.query, [_on_record(books, asked, words)], as_of=books.books.as_of, fresh=asked.clause.fresh, lacking=""
    )


def _declared(books: ModelBooks, theme: str) -> tuple[str, bool]:
    model = books.model
    if theme == "use":
        return (f"use is {', '.join(model.use)}", True) if model.use else ("use is not declared in the manifest", False)
    if theme == "people":
        people = model.people
        if people is None:
            return "people is not declared in the manifest", False
        said = {
            "decides on people": people.decides_on,
            "personal data": people.personal_data,
            "automated": people.automated,
        }
        return ", ".join(f"{name}: {'yes' if value else 'no'}" for name, value in said.items()), True
    if theme == "tier":
        return f"tier {model.tier}, purpose: {model.purpose}", True
    return f"owner {model.owner}, unit {model.unit}, region {model.region}, tier {model.tier}", True


def _on_record(books: ModelBooks, asked: Asked, words: str) -> Evidence:
    """When checks ran, the manifest was read again; being judged again or watched reads nothing."""
    at = books.declared.recorded_at
    ran = [one for one in books.seen if one.check not in LIVE and one.recorded_at > at]
    if ran:
        newest = max(ran, key=lambda one: (one.recorded_at, one.key))
        return replace(books.observed(newest, f"{words} (read again when {newest.check} ran)"), kind=asked.query)
    source = declared_id(books.model.name, at)
    entry = books.books.proofs([source]).get(source)
    leaf = None if entry is None else entry.leaf
    return Evidence(asked.query, books.model.name, words, True, at, at, source, leaf)


def _dependencies(asked: Asked) -> Answer:
    books, found = asked.books, []
    for one in books.seen:
        packages = sum(fact.kind == "package" for fact in one.observation.facts)
        loose = sum(fact.kind == "package.unpinned" for fact in one.observation.facts)
        if packages or loose:
            words = f"{packages} packages pinned in the lock file" + (f", {loose} not pinned" if loose else "")
            found.append(books.observed(one, words))
    lacking = "no lock file was read"
    return weigh(asked.query, found, as_of=books.books.as_of, fresh=asked.clause.fresh, lacking=lacking)


@evidence("event", "The version in service got there with a passed verdict.", themes=("deployment",))
def event(asked: Asked) -> Answer:
    """The newest deployment of each environment, and where its version stood at that moment."""
    books = asked.books
    found = [_deployed(books, *made) for made in books.stood]
    lacking = "no version was recorded as deployed"
    return weigh(asked.query, found, as_of=books.books.as_of, fresh=asked.clause.fresh, lacking=lacking)


def _deployed(books: ModelBooks, made: Deployment, stood: Judgement | None) -> Evidence:
    passed = stood is not None and stood.verdict is Verdict.PASSED
    words = f"{short(made.version)} went into {made.environment} " + (
        "with a passed verdict" if passed else f"while it stood at {'not judged' if stood is None else stood.verdict}"
    )
    source = deployed_id(made)
    entry = books.books.proofs([source]).get(source)
    leaf = None if entry is None else entry.leaf
    return Evidence("event:deployment", made.model, words, passed, made.effective_at, made.recorded_at, source, leaf)
