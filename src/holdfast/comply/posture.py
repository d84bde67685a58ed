"""Where clauses stand at a moment: worst wins over the evidence of a clause, over its models, over its framework."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from holdfast.comply.catalogue import Framework
from holdfast.comply.evidence.answer import Answer
from holdfast.comply.evidence.books import Books, ModelBooks
from holdfast.comply.evidence.kinds import ask
from holdfast.comply.views import AnswerView, ClauseView, Exempt, FrameworkView, ModelState
from holdfast.core.domain.control import Clause, State


def framework_view(framework: Framework, books: Books, models: Iterable[ModelBooks]) -> FrameworkView:
    """A framework with every clause, on these models."""
    chosen = tuple(models)
    clauses = tuple(clause_of(framework, clause, books, chosen) for clause in framework.clauses.values())
    file = framework.file
    return FrameworkView(
        id=file.id,
        title=file.title,
        source=file.source,
        status=file.status,
        verified=file.verified,
        note=file.note,
        replaces=None if file.replaces is None else f"{file.replaces.id} (until {file.replaces.ended})",
        state=State.worst(view.state for view in clauses if view.binding),
        clauses=clauses,
    )


def clause_of(framework: Framework, clause: Clause, books: Books, models: Iterable[ModelBooks]) -> ClauseView:
    """A clause on these models."""
    states = tuple(_on_model(framework, clause, one) for one in models)
    state = State.worst(one.state for one in states)
    under = framework.binds(clause, books.as_of.date())
    return ClauseView(
        framework=clause.framework,
        ref=clause.ref,
        title=clause.title,
        text=clause.text,
        level=clause.level,
        fresh_s=_seconds(clause.fresh),
        applies=clause.applies,
        evidence=clause.evidence,
        since=clause.since,
        since_status=clause.since_status,
        since_verified=clause.since_verified,
        under=under,
        state=state,
        reasons=tuple(_said(states, state)),
        models=states,
    )


def _on_model(framework: Framework, clause: Clause, books: ModelBooks) -> ModelState:
    applicability = framework.rules[clause.ref].on(books.facts)
    if not applicability.applies:
        return ModelState(books.model.name, State.NOT_APPLICABLE, applicability.why, (applicability.why,))
    answers = [ask(query, clause, books) for query in clause.evidence]
    state = State.worst(answer.state for answer in answers)
    dated = min((answer.dated for answer in answers if answer.dated is not None), default=None)
    return ModelState(
        model=books.model.name,
        state=state,
        applies=applicability.why,
        reasons=tuple(f"{answer.query}: {answer.reason}" for answer in answers if answer.state is state),
        dated=dated,
        age_s=None if dated is None else (books.books.as_of - dated).total_seconds(),
        answers=tuple(_answer(answer) for answer in answers),
        exempt=tuple(_exempt(answers, books)),
    )


def _answer(answer: Answer) -> AnswerView:
    return AnswerView(answer.query, answer.state, answer.reason, answer.dated, answer.evidence)


def _exempt(answers: Iterable[Answer], books: ModelBooks) -> Iterator[Exempt]:
    """Where the clause fails by findings that are accepted: by whom, and until when. It fails nevertheless."""
    if not any(answer.state is State.FAILING for answer in answers):
        return
    for one in books.acceptances:
        entry = books.approval(one)
        leaf = None if entry is None else entry.leaf
        yield Exempt(one.id, one.owner, one.approver or "", one.reason, one.expires_at, leaf)


def _said(states: Iterable[ModelState], state: State) -> Iterator[str]:
    """The reasons of the models that decide, each once; the models after it."""
    found: dict[str, list[str]] = {}
    for one in states:
        if one.state is state:
            for reason in one.reasons:
                found.setdefault(reason, []).append(one.model)
    for reason, names in list(found.items())[:5]:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"{', '.join(names[:3])}{more}: {reason}"


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
