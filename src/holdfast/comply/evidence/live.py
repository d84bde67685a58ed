"""Evidence out of models at work: events that were recorded, alerts that were answered, incidents and their clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from holdfast.comply.clocks import CLOCKS, Incident, Timer, open_cases, timers
from holdfast.comply.evidence.answer import Answer, age_words, weigh
from holdfast.comply.evidence.books import ModelBooks, entry_evidence
from holdfast.comply.evidence.kinds import Asked, evidence
from holdfast.core.domain import from_iso, to_iso
from holdfast.core.domain.control import Evidence, State
from holdfast.core.store.intents import Entry

ANSWER_WITHIN: Final = timedelta(hours=24)
"""How long an alert may wait for a person, and an incident for its classification."""


@evidence("monitor", "Events of the model are recorded, and alerts on it are answered.", themes=("coverage", "alerts"))
def monitor(asked: Asked) -> Answer:
    """`coverage`: the newest sealed segment. `alerts`: each was answered in time; without any, events must be there."""
    books, as_of = asked.books, asked.books.books.as_of
    raised = _of_model(books, "alert.raised") if asked.theme == "alerts" else []
    found = [_alert(books, entry) for entry in raised[-50:]] if raised else _coverage(books, asked.query)
    lacking = "no recorded event of this model is in the ledger"
    return weigh(asked.query, found, as_of=as_of, fresh=asked.clause.fresh, lacking=lacking)


def _of_model(books: ModelBooks, *kinds: str) -> list[Entry]:
    return books.books.entries_of(books.model.name, *kinds)


def _coverage(books: ModelBooks, query: str) -> list[Evidence]:
    if books.sealed is None:
        return []
    row, seal, leaf = books.sealed
    words = f"events recorded until {to_iso(row.slice.last_at)}; {seal.events:,} events in their seal"
    at = min(row.slice.last_at, row.recorded_at)
    return [Evidence(query, books.model.name, words, True, at, seal.recorded_at, seal.intent, leaf)]


def _alert(books: ModelBooks, raised: Entry) -> Evidence:
    answers = [
        entry
        for entry in _of_model(books, "alert.acknowledged", "alert.closed")
        if entry.about == raised.about and entry.recorded_at >= raised.recorded_at
    ]
    if answers:
        waited = age_words(answers[0].recorded_at - raised.recorded_at)
        words = f"alert of {to_iso(raised.recorded_at)} was {answers[0].kind.removeprefix('alert.')} after {waited}"
        return entry_evidence(answers[0], "monitor:alerts", words, subject=books.model.name)
    waits = books.books.as_of - raised.recorded_at
    words = f"alert of {to_iso(raised.recorded_at)} has waited {age_words(waits)} for an answer"
    return entry_evidence(raised, "monitor:alerts", words, supports=waits <= ANSWER_WITHIN, subject=books.model.name)


@evidence(
    "incident",
    "Incidents were classified, and what has to be reported was, in time. Without an incident nothing is owed.",
    themes=("register", *sorted({clock.regime for clock in CLOCKS})),
)
def incident(asked: Asked) -> Answer:
    """`register`: every incident was classified in time. A regime (`dora`): its reports were attested in time."""
    happened = incidents(asked.books)
    if not happened:
        until = to_iso(asked.books.books.as_of)
        return Answer(asked.query, State.NOT_APPLICABLE, f"no incident was recorded until {until}")
    if asked.theme == "register":
        return _register(asked, happened)
    due = [(one, timer) for one in happened for timer in _timers(asked, one)]
    if due:
        return _clocked(asked, due)
    for opened, one in happened:
        if open_ := open_cases(one, asked.theme, cases(asked.books, one.aware_at)):
            words = f"nobody has said whether the incident known since {to_iso(one.aware_at)} is {' or '.join(open_)}"
            said = entry_evidence(opened, asked.query, words, subject=asked.books.model.name)
            return Answer(asked.query, State.AWAITING, words, (said,), one.aware_at)
    return Answer(asked.query, State.NOT_APPLICABLE, "no recorded incident starts this clock")


def incidents(books: ModelBooks) -> list[tuple[Entry, Incident]]:
    """What the ledger says of the incidents of a model: the entry that opened each, and its moments until then."""
    found: dict[str | None, tuple[Entry, Incident]] = {}
    for entry in _of_model(books, "incident.opened", "incident.classified", "incident.closed"):
        opened, known = found.get(entry.about) or (entry, Incident(from_iso(str(entry.body["aware_at"]))))
        if entry.kind == "incident.classified":
            known = known.classified(str(entry.body.get("as", "")), entry.recorded_at)
        found[entry.about] = (opened, known)
    return [(opened, replace(known, grave=_grave(books, known))) for opened, known in found.values()]


def _grave(books: ModelBooks, incident: Incident) -> frozenset[str]:
    return frozenset(case for case, holds in cases(books, incident.aware_at).items() if holds)


def cases(books: ModelBooks, aware_at: datetime) -> dict[str, bool]:
    """What people said of special cases since then: `register:incident-serious` and the like, affirmed or refused."""
    return {
        said.theme.removeprefix("incident-"): said.holds
        for said in books.books.attestations
        if said.kind == "register" and said.theme.startswith("incident-") and said.effective_at >= aware_at
        if said.model in (None, books.model.name)
    }


def _register(asked: Asked, happened: list[tuple[Entry, Incident]]) -> Answer:
    as_of, found, waiting = asked.books.books.as_of, [], False
    for opened, one in happened:
        late = one.classified_at is None and as_of - one.aware_at > ANSWER_WITHIN
        waiting |= one.classified_at is None
        said = "not classified" if one.classified_as is None else f"classified as {one.classified_as}"
        words = f"incident known since {to_iso(one.aware_at)}, {said}"
        found.append(entry_evidence(opened, asked.query, words, supports=not late, subject=asked.books.model.name))
    answer = weigh(asked.query, found, as_of=as_of, fresh=None, lacking="")
    if waiting and answer.state is State.SATISFIED:
        return Answer(asked.query, State.AWAITING, answer.reason, answer.evidence, answer.dated)
    return answer


def _timers(asked: Asked, one: tuple[Entry, Incident]) -> list[tuple[Entry, Timer]]:
    opened, known = one
    made = reports(asked.books, known)
    return [(opened, timer) for timer in timers(known, asked.books.books.as_of, made, regime=asked.theme)]


def reports(books: ModelBooks, incident: Incident) -> dict[str, datetime]:
    """When each report about an incident was first made, by its clock, as people attested it."""
    found: dict[str, datetime] = {}
    for said in books.books.attestations:
        fits = said.kind == "report" and said.holds and said.model in (None, books.model.name)
        if fits and said.effective_at >= incident.aware_at:
            found.setdefault(said.theme, said.effective_at)
    return found


def _clocked(asked: Asked, due: list[tuple[tuple[Entry, Incident], tuple[Entry, Timer]]]) -> Answer:
    found = []
    waiting = False
    for _, (opened, timer) in due:
        waiting |= timer.done_at is None
        words = f"{timer.clock.what}: {timer.words()}"
        found.append(
            entry_evidence(opened, asked.query, words, supports=not timer.missed, subject=asked.books.model.name)
        )
    answer = weigh(asked.query, found, as_of=asked.books.books.as_of, fresh=None, lacking="")
    if waiting and answer.state is State.SATISFIED:
        return Answer(asked.query, State.AWAITING, answer.reason, answer.evidence, answer.dated)
    return answer
