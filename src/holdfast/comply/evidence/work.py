"""Evidence out of the backlog, the intelligence and the hardening: what was found gets done, what is new gets used."""

from __future__ import annotations

from holdfast.comply.evidence.answer import Answer, weigh
from holdfast.comply.evidence.books import Books, ModelBooks, entry_evidence
from holdfast.comply.evidence.kinds import Asked, evidence
from holdfast.core.domain import to_iso
from holdfast.core.domain.backlog import BacklogItem, ItemState
from holdfast.core.domain.control import Evidence, State
from holdfast.core.store.intents import Entry


@evidence(
    "backlog",
    "Findings are ranked and closed in time; exceptions are approved and end.",
    themes=("closure", "exceptions"),
)
def backlog(asked: Asked) -> Answer:
    """`closure`: nothing is overdue. `exceptions`: each accepted finding was approved by a second person and ends."""
    books, as_of = asked.books, asked.books.books.as_of
    if asked.theme == "exceptions":
        return _exceptions(asked)
    if books.items:
        # Due dates are the measure of age here; an item that waits in time is looked after.
        return weigh(asked.query, [_item(books, item) for item in books.items], as_of=as_of, fresh=None, lacking="")
    found = []
    if books.judgement is not None and not books.judgement.findings:
        found = [books.judged(asked.query, "no finding on the version in service: nothing to close", supports=True)]
    lacking = (
        "findings are not in the backlog" if books.judgement is not None else "the model was not judged until then"
    )
    return weigh(asked.query, found, as_of=as_of, fresh=asked.clause.fresh, lacking=lacking)


def _item(books: ModelBooks, item: BacklogItem) -> Evidence:
    as_of = books.books.as_of
    at = item.changed_at or item.opened_at
    if item.state is ItemState.PROVEN:
        words, holds = f"proven by the same check on {to_iso(item.proven_at or at)}: {item.title}", True
    elif item.state is ItemState.ACCEPTED:
        words, holds = f"accepted for a while: {item.title}", True
    else:
        words, holds = (
            f"{item.state}, {item.rank.urgency}, due {to_iso(item.due_at)}: {item.title}",
            as_of <= item.due_at,
        )
    entry = books.books.newest_about(item.id)
    recorded, leaf = (at, None) if entry is None else (entry.recorded_at, entry.leaf)
    return Evidence("backlog:closure", books.model.name, words[:400], holds, at, recorded, item.id, leaf)


def _exceptions(asked: Asked) -> Answer:
    books = asked.books
    if not books.acceptances:
        return Answer(asked.query, State.NOT_APPLICABLE, "no finding of this model is accepted")
    found = []
    for one in books.acceptances:
        entry = books.approval(one)
        words = f"accepted by {one.owner}, approved by {one.approver}, until {to_iso(one.expires_at)}: {one.reason}"
        at, leaf = one.approved_at or one.requested_at, None if entry is None else entry.leaf
        holds = one.approver not in (None, one.owner)
        found.append(Evidence(asked.query, books.model.name, words[:400], holds, at, at, one.id, leaf))
    return weigh(asked.query, found, as_of=books.books.as_of, fresh=asked.clause.fresh, lacking="")


@evidence("harden", "Where evasion was found, the model was hardened.", themes=("runs",))
def harden(asked: Asked) -> Answer:
    """The newest hardening run of the model; without a finding of evasion none is needed."""
    books, as_of = asked.books, asked.books.books.as_of
    ran = books.books.entries_of(books.model.name, "model.hardened")
    if not ran and not _evaded(books):
        return Answer(asked.query, State.NOT_APPLICABLE, "no evasion was found that would ask for hardening")
    found = [entry_evidence(ran[-1], asked.query, _hardened(ran[-1]), subject=books.model.name)] if ran else []
    return weigh(asked.query, found, as_of=as_of, fresh=None, lacking="evasion was found, and no hardening was tried")


def _evaded(books: ModelBooks) -> bool:
    judgement = books.judgement
    return judgement is not None and any(item.check.startswith("evasion.") for item in judgement.findings)


def _hardened(entry: Entry) -> str:
    said = entry.body
    before, after = [*(said.get("robust_recall") or ()), None, None][:2]
    if said.get("version") is None:
        return f"a hardening run kept no candidate; robust recall was {before}"
    return f"hardened: robust recall {before} before, {after} after, at linf {said.get('linf')}"


@evidence("intel", "Threat intelligence arrives and is acted upon.", themes=("fresh", "reactions"))
def intel(asked: Asked) -> Answer:
    """`fresh`: the newest answer of a feed. `reactions`: the newest effect that a feed had."""
    books = asked.books.books
    found = _heard(books, asked.query) if asked.theme == "fresh" else _caused(books, asked.query)
    lacking = "no feed was ever imported" if asked.theme == "fresh" else "intelligence had no effect yet"
    return weigh(asked.query, found, as_of=books.as_of, fresh=asked.clause.fresh, lacking=lacking)


def _heard(books: Books, query: str) -> list[Evidence]:
    """The newest answer of every feed: one that has gone silent is news of its own."""
    newest = {str(entry.body.get("feed")): entry for entry in books.entries("intel.imported")}
    return [
        entry_evidence(entry, query, f"feed {feed} answered, {entry.body.get('items', 0)} items", subject=feed)
        for feed, entry in sorted(newest.items())
    ]


def _caused(books: Books, query: str) -> list[Evidence]:
    made = [entry for entry in books.entries("claim.made") if str(entry.body.get("cause", "")).startswith("intel:")]
    if not made:
        return []
    body = made[-1].body
    words = f"{len(made):,} effects of intelligence, the newest: {body.get('effect')} on {body.get('target')}"
    return [entry_evidence(made[-1], query, words, subject=str(body.get("target")))]
