"""Evidence that only people can give: documents, registers, sign-offs. The platform dates it and lets it expire."""

from __future__ import annotations

from holdfast.comply.evidence.answer import Answer, age_words, weigh
from holdfast.comply.evidence.kinds import Asked, evidence
from holdfast.core.domain import to_iso
from holdfast.core.domain.control import Attestation, Evidence, State


@evidence("doc", "A document is in force; its digest is kept, its text is not.", person=True)
@evidence("register", "A register is kept and was reviewed.", person=True)
@evidence("signoff", "A named person approved.", person=True)
@evidence("training", "Training took place.", person=True)
@evidence("report", "A report was received.", person=True)
@evidence("drill", "A plan was tried out.", person=True)
def people(asked: Asked) -> Answer:
    """The newest attestation for this model and clause counts, also where it refuses."""
    said = _newest(asked)
    as_of = asked.books.books.as_of
    if said is None:
        return Answer(asked.query, State.AWAITING, f"nobody has attested {asked.query}", fresh=asked.clause.fresh)
    item = _evidence(asked, said)
    if said.holds and said.expires_at is not None and said.expires_at <= as_of:
        why = f"expired {age_words(as_of - said.expires_at)} ago, on {to_iso(said.expires_at)}: {item.statement}"
        return Answer(asked.query, State.STALE, why, (item,), said.effective_at, asked.clause.fresh)
    return weigh(asked.query, [item], as_of=as_of, fresh=asked.clause.fresh, lacking="")


def _newest(asked: Asked) -> Attestation | None:
    kind = asked.query.partition(":")[0]
    fitting = (
        said
        for said in reversed(asked.books.books.attestations)
        if (said.kind, said.theme) == (kind, asked.theme)
        and said.model in (None, asked.books.model.name)
        and (not said.clauses or asked.clause.id in said.clauses)
    )
    return next(fitting, None)


def _evidence(asked: Asked, said: Attestation) -> Evidence:
    entry = asked.books.books.proofs([said.id]).get(said.id)
    words = f"{said.by}: {said.statement}" if said.holds else f"refused by {said.by}: {said.statement}"
    return Evidence(
        asked.query,
        said.model or "all models",
        words,
        said.holds,
        said.effective_at,
        said.recorded_at,
        said.id,
        None if entry is None else entry.leaf,
    )
