"""Evidence out of the audit and the gate: what checks saw on the version in service, and what was judged of it."""

from __future__ import annotations

from typing import Final

from holdfast.comply.evidence.answer import Answer, weigh
from holdfast.comply.evidence.books import ModelBooks
from holdfast.comply.evidence.kinds import Asked, evidence
from holdfast.core.domain import Finding, Status, Verdict, to_iso
from holdfast.core.domain.control import Evidence, State
from holdfast.core.report.words import short

ALL: Final = "all"
FRESH_INTEL: Final = "fresh-intel"
"""The rule under which the judge says that intelligence is too old."""


@evidence("audit", "Checks of this theme were measured on the version in service and gave no finding.")
def audit(asked: Asked) -> Answer:
    """The theme is a check, an area of checks (`evasion`), or `all`."""
    books = asked.books
    if books.judgement is None:
        return _never_judged(asked)
    seen = [one for one in books.seen if _themed(one.check, asked.theme)]
    blind = [one for one in seen if one.observation.status is Status.UNKNOWN]
    broken = [item for item in books.judgement.findings if _themed(item.check, asked.theme)]
    if blind and not broken:
        why = f"{blind[0].check} could not decide: {blind[0].observation.reason or 'no reason given'}"
        return Answer(asked.query, State.MISSING, why, tuple(books.remarks[one.key] for one in blind))
    if not broken and (old := _old_intelligence(books)) and any(_themed(one.check, "deps") for one in seen):
        said = tuple(books.remarks[one.key] for one in seen)
        return Answer(asked.query, State.STALE, old, said, books.judgement.as_of, asked.clause.fresh)
    found = [_finding(books, item) for item in broken] or [books.remarks[one.key] for one in seen]
    return weigh(
        asked.query,
        found,
        as_of=books.books.as_of,
        fresh=asked.clause.fresh,
        lacking=f"no result of {asked.theme} on version {short(books.judgement.version)}",
    )


@evidence("gate", "The verdict on the version in service was passed, and its time is not over.", themes=("verdict",))
def gate(asked: Asked) -> Answer:
    """The judgement in force at the moment."""
    books, judgement = asked.books, asked.books.judgement
    if judgement is None:
        return _never_judged(asked)
    words = f"{judgement.verdict} under policy {judgement.policy} on version {short(judgement.version)}"
    said = books.judged("gate:verdict", words, supports=judgement.verdict is not Verdict.FAILED)
    if judgement.verdict is Verdict.UNKNOWN:
        why = next((one.why for one in judgement.reasons if one.verdict is Verdict.UNKNOWN), "nothing was shown")
        return Answer(asked.query, State.MISSING, f"the gate could not decide: {why}", (said,), judgement.as_of)
    until = judgement.valid_until
    if judgement.verdict is Verdict.PASSED and until is not None and until <= books.books.as_of:
        return Answer(asked.query, State.STALE, f"{words}, valid until {to_iso(until)}", (said,), judgement.as_of)
    return weigh(asked.query, [said], as_of=books.books.as_of, fresh=asked.clause.fresh, lacking="")


def _old_intelligence(books: ModelBooks) -> str:
    """Why what is known of packages is too old to say that they are well; empty where it is not."""
    reasons = () if books.judgement is None else books.judgement.reasons
    return next((one.why for one in reasons if one.rule == FRESH_INTEL and one.verdict is Verdict.UNKNOWN), "")


def _never_judged(asked: Asked) -> Answer:
    serving = asked.books.serving
    what = "the model" if serving is None else f"version {short(serving)}, which is in service,"
    return Answer(asked.query, State.MISSING, f"{what} was not judged until then", fresh=asked.clause.fresh)


def _themed(check: str, theme: str) -> bool:
    return theme in (ALL, check) or check.startswith(f"{theme}.")


def _finding(books: ModelBooks, item: Finding) -> Evidence:
    return books.judged(
        f"audit:{item.check}", f"{item.severity} finding of {item.check}: {item.message}"[:400], supports=False
    )
