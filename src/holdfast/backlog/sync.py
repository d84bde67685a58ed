"""From findings to items: what the judge's findings amount to is what the backlog holds, however often it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from holdfast.backlog.acceptance import end, why_not_green
from holdfast.backlog.evidence import Evidence
from holdfast.backlog.lifecycle import record, tell
from holdfast.backlog.ranking import due, points, rank
from holdfast.core.domain import Model, to_iso
from holdfast.core.domain.backlog import BacklogItem, ItemState, Step, item_id
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.verdict import Finding
from holdfast.core.store import Transaction
from holdfast.core.store.findings import FindingState, TrackedFinding

MAX_TITLE = 200


def sync(tx: Transaction, name: str, actor: str) -> int:
    """Bring the items of a model to what its findings say. Returns how many steps that took; 0 the second time."""
    model = tx.models.find(name)
    if model is None:
        return 0
    items = {item.fingerprint: item for item in tx.backlog.of(name)}
    sight = _Sight(tx, model, actor)
    for tracked in tx.findings.of(name):
        sight.take(tracked, items.get(tracked.finding.fingerprint))
    for acceptance in tx.acceptances.in_force(name):
        why = why_not_green(tx, name, acceptance.check)
        if why is not None:
            end(tx, acceptance, f"the compensating check is no longer green: {why}", actor=actor)
            sight.steps += 1
    return sight.steps


def reopen(tx: Transaction, item: BacklogItem, *, actor: str, why: str, at: datetime) -> BacklogItem | None:
    """An accepted item is work again, with a clock that starts anew; None where its model or finding is gone."""
    model = tx.models.find(item.model)
    known = [one.finding for one in tx.findings.of(item.model) if one.finding.fingerprint == item.fingerprint]
    if model is None or not known:
        return None
    body = ranked(Evidence(tx, model), known[0], at, item.points)
    return record(tx, item, Step.REOPENED, actor=actor, why=why, body=body, effective_at=at)


def ranked(evidence: Evidence, finding: Finding, since: datetime, size: int | None = None) -> dict[str, JSONValue]:
    """The part of a journal line that says how urgent a finding is, and when it is due by a clock since `since`."""
    found = rank(evidence.inputs(finding))
    return {
        "urgency": found.urgency.value,
        "reasons": list(found.reasons),
        "score": found.score,
        "points": points(finding.check) if size is None else size,
        "due_at": to_iso(due(found.urgency, evidence.model.tier, since)),
    }


class _Sight:
    """One look at a model: takes its findings one by one."""

    def __init__(self, tx: Transaction, model: Model, actor: str) -> None:
        self.tx, self.model, self.actor = tx, model, actor
        self.evidence = Evidence(tx, model)
        self.steps = 0

    def take(self, tracked: TrackedFinding, item: BacklogItem | None) -> None:
        """Open, reopen, return, rank or prove the item of one finding."""
        if item is None:
            item = self._open(tracked)
        if tracked.state is FindingState.CLOSED:
            if item.state is not ItemState.PROVEN:
                self._prove(tracked, item)
            return
        if tracked.state is FindingState.OPEN:
            item = self._is_open(tracked, item)
        self._rank(tracked.finding, item)

    def _open(self, tracked: TrackedFinding) -> BacklogItem:
        finding, elsewhere = tracked.finding, tracked.state is FindingState.ELSEWHERE
        since = tracked.opened_at or tracked.seen_at
        about: Mapping[str, JSONValue] = {
            "fingerprint": finding.fingerprint,
            "model": self.model.name,
            "title": f"{finding.rule}: {finding.message}"[:MAX_TITLE],
            "elsewhere": elsewhere,
            "escaped": self._escaped(tracked),
        }
        why = "found on a version that does not serve" if elsewhere else "found on what serves, or was judged last"
        body = {**about, **ranked(self.evidence, finding, since)}
        new = item_id(finding.fingerprint)
        item = self.tx.backlog.append(
            self.model.name, new, Step.OPENED, actor=self.actor, why=why, body=body, effective_at=since
        )
        tell(self.tx, item, Step.OPENED, self.actor)
        self.steps += 1
        return item

    def _is_open(self, tracked: TrackedFinding, item: BacklogItem) -> BacklogItem:
        since = tracked.opened_at or tracked.seen_at
        if item.elsewhere:
            body = {**ranked(self.evidence, tracked.finding, since, item.points), "escaped": self._escaped(tracked)}
            return self._record(item, Step.HERE, "a version that has it serves now", body, since)
        if item.state is ItemState.PROVEN:
            body = ranked(self.evidence, tracked.finding, since, item.points)
            return self._record(item, Step.REOPENED, "the check finds it again", body, since)
        if item.state is ItemState.CLAIMED and (why := self._disproven(item, tracked.finding)):
            return self._record(item, Step.RETURNED, why)
        return item

    def _rank(self, finding: Finding, item: BacklogItem) -> None:
        body = ranked(self.evidence, finding, item.opened_at, item.points)
        known = item.rank
        if [body["urgency"], body["reasons"], body["score"], body["due_at"]] != [
            known.urgency.value,
            list(known.reasons),
            known.score,
            to_iso(item.due_at),
        ]:
            self._record(item, Step.RANKED, f"from {known.urgency} to {body['urgency']}", body)

    def _prove(self, tracked: TrackedFinding, item: BacklogItem) -> None:
        version = self.evidence.version
        judgement = None if version is None else self.tx.judgements.latest(self.model.name, version)
        key = judgement.key if judgement is not None else self.actor
        body = {"proof": key, "version": version, "observation": self._observed(tracked.finding, version)}
        why = f"{tracked.finding.check} no longer finds it on what serves"
        self._record(item, Step.PROVEN, why, body, tracked.closed_at)
        acceptance = self.tx.acceptances.open_of(item.id)
        if acceptance is not None:
            end(self.tx, acceptance, "the finding is proven gone", actor=self.actor, tell=False)

    def _observed(self, finding: Finding, version: str | None) -> str | None:
        """The key of the result by which the check no longer finds it."""
        mine = [] if version is None else self.evidence.records(version, finding.check)
        newest = max(mine, key=lambda one: (one.recorded_at, one.key), default=None)
        return None if newest is None else newest.key

    def _disproven(self, item: BacklogItem, finding: Finding) -> str | None:
        """Why a claim does not hold: the same check was taken after it, and still finds it."""
        for seen in self.tx.findings.occurrences(finding.fingerprint):
            for one in self.evidence.records(seen.version, finding.check) if seen.present else []:
                if item.claimed_at is not None and one.recorded_at > item.claimed_at:
                    return f"claimed, but a newer {finding.check} still finds it on {seen.version[:19]}"
        return None

    def _escaped(self, tracked: TrackedFinding) -> bool:
        """Whether a version that shows it was already serving when it was first seen there."""
        since = {one.version: one.effective_at for one in reversed(self.tx.models.history(self.model.name))}
        seen = self.tx.findings.occurrences(tracked.finding.fingerprint)
        return any(one.version in since and since[one.version] < one.first_at for one in seen)

    def _record(
        self,
        item: BacklogItem,
        step: Step,
        why: str,
        body: Mapping[str, JSONValue] | None = None,
        at: datetime | None = None,
    ) -> BacklogItem:
        self.steps += 1
        return record(self.tx, item, step, actor=self.actor, why=why, body=body, effective_at=at)
