"""The chain of a model: which risk was found, which clauses hang on it, what is the evidence, what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from holdfast.comply.catalogue import Framework
from holdfast.comply.evidence.books import ModelBooks
from holdfast.comply.views import ChainLink
from holdfast.core.domain import Finding, to_iso
from holdfast.core.domain.backlog import BacklogItem
from holdfast.core.domain.control import Evidence


def links(books: ModelBooks, frameworks: Iterable[Framework]) -> Iterator[ChainLink]:
    """One link per finding on the version in service and per item that was once open; one for the verdict itself."""
    chosen = tuple(frameworks)
    judgement = books.judgement
    if judgement is None:
        return
    items = {item.fingerprint: item for item in books.items}
    present = {finding.fingerprint for finding in judgement.findings}
    for finding in judgement.findings:
        yield _of_finding(books, chosen, finding, items.get(finding.fingerprint))
    for item in items.values():
        if item.fingerprint not in present:
            yield _of_item(books, chosen, item)
    yield _of_verdict(books, chosen)


def _of_finding(
    books: ModelBooks, frameworks: tuple[Framework, ...], finding: Finding, item: BacklogItem | None
) -> ChainLink:
    evidence = books.judged(f"audit:{finding.check}", finding.message, supports=False)
    decision, at, source, leaf = _decided(books, item)
    return ChainLink(
        books.model.name,
        books.model.tier.value,
        books.judgement.version if books.judgement else None,
        finding.message,
        finding.fingerprint,
        finding.severity.value,
        finding.technique,
        _clauses(books, frameworks, finding.check),
        (*_seen(books, finding.check), evidence),
        decision,
        at,
        source,
        leaf,
    )


def _of_item(books: ModelBooks, frameworks: tuple[Framework, ...], item: BacklogItem) -> ChainLink:
    decision, at, source, leaf = _decided(books, item)
    version = books.judgement.version if books.judgement else None
    return ChainLink(
        books.model.name, books.model.tier.value, version, item.title, item.fingerprint, None, None,
        _clauses(books, frameworks, ""), (), decision, at, source, leaf,
    )  # fmt: skip


def _of_verdict(books: ModelBooks, frameworks: tuple[Framework, ...]) -> ChainLink:
    judgement = books.judgement
    assert judgement is not None
    said = books.judged("gate:verdict", f"{judgement.verdict} under policy {judgement.policy}", supports=True)
    return ChainLink(
        books.model.name, books.model.tier.value, judgement.version, "the version in service as a whole", None, None,
        None, _clauses(books, frameworks, None), (said,), f"the gate says {judgement.verdict}",
        judgement.as_of, judgement.key, said.leaf,
    )  # fmt: skip


def _decided(books: ModelBooks, item: BacklogItem | None) -> tuple[str, datetime | None, str | None, int | None]:
    """What was decided about an item, when, and where that is recorded."""
    if item is None:
        return "not in the backlog", None, None, None
    entry = books.books.newest_about(item.id)
    leaf = None if entry is None else entry.leaf
    accepted = next((one for one in books.acceptances if one.item == item.id), None)
    if accepted is not None:
        approval = books.approval(accepted)
        leaf = None if approval is None else approval.leaf
        words = f"accepted by {accepted.owner}, approved by {accepted.approver}, until {to_iso(accepted.expires_at)}"
        return words, accepted.approved_at, accepted.id, leaf
    return f"{item.state}, {item.rank.urgency}", item.changed_at or item.opened_at, item.id, leaf


def _seen(books: ModelBooks, check: str) -> tuple[Evidence, ...]:
    return tuple(books.observed(one, f"{one.check} was measured") for one in books.seen if one.check == check)


def _clauses(books: ModelBooks, frameworks: tuple[Framework, ...], check: str | None) -> tuple[str, ...]:
    """The clauses that apply to the model and ask for this check (None: for the verdict; empty: for closure)."""
    wanted = {"gate:verdict"} if check is None else {"backlog:closure"}
    if check:
        parts = check.split(".")
        wanted |= {"audit:all", *(f"audit:{'.'.join(parts[:end])}" for end in range(1, len(parts) + 1))}
    return tuple(
        clause.id
        for framework in frameworks
        for clause in framework.clauses.values()
        if wanted & set(clause.evidence) and framework.rules[clause.ref].on(books.facts).applies
    )
