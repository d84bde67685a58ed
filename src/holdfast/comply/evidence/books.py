"""The store as it was at a moment: what had happened by `as_of`, as far as was recorded until `known_at`.

Everything here reads journals that are only appended to, so that the same two moments always give the same books.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final

from holdfast.comply.applies import Facts
from holdfast.core.domain import Judgement, Model, Recorded
from holdfast.core.domain.backlog import Acceptance, BacklogItem
from holdfast.core.domain.control import Attestation, Evidence
from holdfast.core.report.documents import CheckResult
from holdfast.core.report.words import shows
from holdfast.core.store import PRODUCTION, Transaction
from holdfast.core.store.intents import Entry
from holdfast.core.store.models import Declared, Deployment
from holdfast.core.store.segments import Seal, SegmentRow

MAX_WORDS: Final = 400


@dataclass
class Books:
    """One moment of the whole estate. `known_at` None: all that is known now."""

    tx: Transaction
    as_of: datetime
    known_at: datetime | None = None
    _entries: dict[str, list[Entry]] = field(default_factory=dict)
    _of_model: dict[str, dict[str, list[Entry]]] = field(default_factory=dict)
    _proofs: dict[str, Entry | None] = field(default_factory=dict)

    @property
    def horizon(self) -> datetime:
        """What is recorded and effective at once (entries, declarations) counts until here."""
        return self.as_of if self.known_at is None else min(self.as_of, self.known_at)

    @cached_property
    def models(self) -> tuple[ModelBooks, ...]:
        """Every model that was declared by then, by name."""
        return tuple(ModelBooks(self, declared) for declared in self.tx.models.declared(self.horizon))

    @cached_property
    def attestations(self) -> tuple[Attestation, ...]:
        """What people had attested, oldest first."""
        said = tuple(self.tx.attestations.until(self.as_of, self.known_at))
        self.proofs(one.id for one in said)
        return said

    @cached_property
    def items(self) -> dict[str, list[BacklogItem]]:
        """The backlog by model, without what is only on versions that do not serve."""
        found: dict[str, list[BacklogItem]] = {}
        for item in self.tx.backlog.as_of(self.as_of, known_at=self.known_at):
            if not item.elsewhere:
                found.setdefault(item.model, []).append(item)
        return found

    def entries(self, *kinds: str) -> list[Entry]:
        """The ledger's entries of these kinds, oldest first."""
        missing = [kind for kind in kinds if kind not in self._entries]
        if missing:
            self._entries.update({kind: [] for kind in missing})
            for entry in self.tx.intents.journal(missing, self.horizon):
                self._entries[entry.kind].append(entry)
        return sorted((item for kind in kinds for item in self._entries[kind]), key=lambda item: item.recorded_at)

    def entries_of(self, model: str, *kinds: str) -> list[Entry]:
        """`entries` that name this model."""
        for kind in kinds:
            if kind not in self._of_model:
                self._of_model[kind] = {}
                for entry in self.entries(kind):
                    self._of_model[kind].setdefault(str(entry.body.get("model")), []).append(entry)
        found = (item for kind in kinds for item in self._of_model[kind].get(model, ()))
        return sorted(found, key=lambda item: item.recorded_at)

    @cached_property
    def reach(self) -> Entry | None:
        """The newest entry that a signed checkpoint covers."""
        last, state = self.tx.intents.last(self.horizon), self.tx.intents.state()
        placed = last is not None and last.leaf is not None and last.leaf < state.published_size
        return last if placed else None

    def newest_about(self, source: str) -> Entry | None:
        """The newest entry about something, as of then."""
        return self.tx.intents.newest_about(source, self.horizon)

    def proofs(self, sources: Iterable[str]) -> dict[str, Entry]:
        """The ledger's entries about these sources, as far as they were known; each is looked up once."""
        wanted = list(sources)
        unknown = [source for source in wanted if source not in self._proofs]
        if unknown:
            found = self.tx.intents.leaves(unknown, self.known_at)
            self._proofs.update((source, found.get(source)) for source in unknown)
        return {source: entry for source in wanted if (entry := self._proofs[source]) is not None}


@dataclass
class ModelBooks:
    """One model at that moment."""

    books: Books
    declared: Declared

    @property
    def model(self) -> Model:
        return self.declared.model

    @cached_property
    def facts(self) -> Facts:
        """What applicability asks about."""
        return Facts.of(self.model, endpoint=bool(self.declared.manifest.get("endpoint")))

    @cached_property
    def deployments(self) -> tuple[Deployment, ...]:
        """What went into service, by the moment it did."""
        known = self.books.known_at
        happened = [
            item
            for item in self.books.tx.models.history(self.model.name)
            if item.effective_at <= self.books.as_of and (known is None or item.recorded_at <= known)
        ]
        return tuple(sorted(happened, key=lambda item: item.effective_at))

    @property
    def serving(self) -> str | None:
        """The version in production."""
        return next((item.version for item in reversed(self.deployments) if item.environment == PRODUCTION), None)

    @cached_property
    def stood(self) -> tuple[tuple[Deployment, Judgement | None], ...]:
        """The newest deployment of each environment, with the verdict that its version had at that moment."""
        judged, known = self.books.tx.judgements, self.books.known_at
        newest = {made.environment: made for made in self.deployments}
        return tuple(
            (made, judged.as_of(made.model, made.effective_at, made.version, known_at=known))
            for made in newest.values()
        )

    @cached_property
    def sealed(self) -> tuple[SegmentRow, Seal, int | None] | None:
        """The newest segment of its events that the ledger speaks of, the seal that does, and that one's leaf."""
        found = self.books.tx.segments.newest_sealed(self.model.name, self.books.horizon)
        return None if found is None else (*found, self.books.tx.intents.leaf_of(found[1].intent))

    @cached_property
    def judgement(self) -> Judgement | None:
        """The verdict in force on the version in production; where none serves, on the version judged last."""
        books = self.books
        return books.tx.judgements.as_of(self.model.name, books.as_of, self.serving, known_at=books.known_at)

    @cached_property
    def seen(self) -> tuple[Recorded, ...]:
        """The observations that verdict was made from, by check."""
        if self.judgement is None:
            return ()
        keys = self.books.tx.judgements.inputs(self.judgement.key).observations
        return tuple(sorted(self.books.tx.observations.find(keys).values(), key=lambda one: (one.check, one.key)))

    @property
    def items(self) -> tuple[BacklogItem, ...]:
        """The work that its findings are."""
        return tuple(self.books.items.get(self.model.name, ()))

    @cached_property
    def acceptances(self) -> tuple[Acceptance, ...]:
        """The risks that were taken for a while, and still are."""
        at = self.books.horizon
        asked = (one for item in self.items for one in self.books.tx.acceptances.of_item(item.id))
        return tuple(one for one in asked if _in_force(one, at, self.books.as_of))

    def approval(self, one: Acceptance) -> Entry | None:
        """The ledger's entry on the approval of an acceptance."""
        entries = self.books.entries("acceptance.approved")
        return next((item for item in reversed(entries) if item.body.get("acceptance") == one.id), None)

    @cached_property
    def remarks(self) -> dict[str, Evidence]:
        """What each observation shows, as evidence, by its key."""
        return {
            one.key: self.observed(one, f"{one.check}: {shows(CheckResult.of(one, cached=True))}"[:MAX_WORDS])
            for one in self.seen
        }

    @cached_property
    def leaves(self) -> dict[str, Entry]:
        """The ledger's entries on the verdict and its observations."""
        sources = [one.key for one in self.seen] + ([] if self.judgement is None else [self.judgement.key])
        return self.books.proofs(sources)

    def observed(self, recorded: Recorded, statement: str) -> Evidence:
        """An observation as evidence."""
        at = recorded.recorded_at
        return self._evidence(f"audit:{recorded.check}", statement, True, at, recorded.key)

    def judged(self, kind: str, statement: str, *, supports: bool) -> Evidence:
        """The verdict, or something in it, as evidence."""
        assert self.judgement is not None
        return self._evidence(kind, statement, supports, self.judgement.as_of, self.judgement.key)

    def _evidence(self, kind: str, statement: str, supports: bool, at: datetime, source: str) -> Evidence:
        entry = self.leaves.get(source)
        recorded, leaf = (at, None) if entry is None else (entry.recorded_at, entry.leaf)
        return Evidence(kind, self.model.name, statement, supports, at, recorded, source, leaf)


def _in_force(one: Acceptance, known: datetime, at: datetime) -> bool:
    approved = one.approved_at is not None and one.approved_at <= known
    return approved and one.expires_at > at and (one.ended_at is None or one.ended_at > known)


def entry_evidence(entry: Entry, kind: str, statement: str, *, supports: bool = True, subject: str = "") -> Evidence:
    """Something that the ledger itself tells, as evidence."""
    return Evidence(
        kind, subject, statement, supports, entry.recorded_at, entry.recorded_at, entry.about or entry.id, entry.leaf
    )
