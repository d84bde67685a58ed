"""What a pack says, once, for HTML and PDF alike: headings, tables and plots of plain text, out of the store.

Every text is made printable here; that it cannot act as markup is the renderers' duty. Tables are bounded, and say
what they leave out; `pack.json` leaves out nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from holdfast.comply.evidence.answer import age_words
from holdfast.comply.views import Chain, ClauseView, FrameworkView, ModelState, Posture
from holdfast.core.domain import to_iso
from holdfast.core.domain.control import Evidence, State
from holdfast.core.ledger import Checkpoint
from holdfast.core.report.escape import visible
from holdfast.core.report.plot import Plot, Series

MAX_MODELS: Final = 30
MAX_ROWS: Final = 60
MAX_WORDS: Final = 320
MAX_REASONS: Final = 5
MAX_NAMES: Final = 12
METHOD: Final = (
    "The worst state wins: over the evidence of a clause, its models, its framework. Stale and missing evidence counts "
    "as not satisfied, and nothing is satisfied without a dated source in the ledger."
)
PROVING: Final = (
    "Each leaf number in this pack is the place of an entry in the ledger whose checkpoint stands below. The whole "
    "ledger lies in the folder ledger/, an inclusion proof for every leaf in proofs.json, and manifest.dsse.json signs "
    "the digest of every file. Verifying needs no service and no trust in us, only the public key, which must come "
    "from elsewhere."
)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of text. `states` names the column, if any, whose cells are states. `widths` are relative."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    states: int | None = None
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, paragraphs, plots with their tables, tables, sections below."""

    title: str
    state: str = ""
    words: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    below: tuple[Section, ...] = ()
    code: tuple[str, ...] = ()
    apart: bool = True
    """Whether it begins a page."""


@dataclass(frozen=True, slots=True)
class Document:
    """The whole pack."""

    title: str
    state: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    as_of: datetime
    tags: tuple[str, ...] = field(default=())


def document(posture: Posture, chain: Chain, head: Checkpoint, signature: str, key_id: str) -> Document:
    """The document of a posture whose evidence lies in the ledger of `head`."""
    known = posture.known_at or posture.as_of
    facts = (
        ("As of", moment(posture.as_of)),
        ("As known at", moment(known)),
        ("Models", ", ".join(visible(name, 60) for name in posture.models[:MAX_MODELS]) or "none"),
        ("Ledger", f"{head.origin}, {head.size:,} entries, root {head.root.hex()}"),
    )
    sections = [_verdicts(posture), *(_framework(view, posture.as_of) for view in posture.frameworks)]
    sections += [_exceptions(posture), _chain(chain), _proof(posture, head, signature, key_id)]
    return Document("Evidence pack", posture.state.value, facts, tuple(sections), posture.as_of)


def moment(at: datetime) -> str:
    """A moment to the second."""
    return to_iso(at.replace(microsecond=0))


def short(source: str) -> str:
    """An id that fits a table: its kind and twelve signs."""
    kind, colon, rest = source.partition(":")
    return visible(f"{kind}{colon}{rest[:12]}" if colon else source[:20])


def _verdicts(posture: Posture) -> Section:
    shown = [state for state in State if state is not State.NOT_APPLICABLE]
    rows = tuple(
        (view.id, view.state.value, *(str(view.counts[state]) for state in shown), str(_later(view)))
        for view in posture.frameworks
    )
    head = ("framework", "state", *(state.value for state in shown), "not binding yet")
    counts = Table(head, rows, (2, 2, *(1 for _ in shown), 1), states=1)
    clauses = [clause for view in posture.frameworks for clause in view.clauses]
    return Section(
        "Where every clause stands",
        words=(f"Overall: {posture.state}. {METHOD}",),
        tables=(counts, _overview(clauses)),
        plots=tuple(_plots(posture)),
    )


def _later(view: FrameworkView) -> int:
    return sum(not clause.binding for clause in view.clauses)


def _overview(clauses: Sequence[ClauseView]) -> Table:
    """Worst first; what does not apply to any model is counted, not listed."""
    order = list(State)
    listed = [clause for clause in clauses if clause.state is not State.NOT_APPLICABLE]
    rows = tuple(
        (
            f"{clause.framework} {clause.ref}",
            clause.title,
            clause.level.value,
            clause.state.value,
            _age(clause),
            _bound(clause),
        )
        for clause in sorted(listed, key=lambda one: (-order.index(one.state), one.framework))
    )
    idle = len(clauses) - len(listed)
    return Table(
        ("clause", "about", "level", "state", "oldest evidence", "binds"),
        rows,
        (2.4, 3.4, 1.2, 1.8, 1.6, 2.2),
        states=3,
        left_out=f"{idle} clauses apply to none of the models and are listed in their sections." if idle else "",
    )


def _elsewhere(view: FrameworkView) -> Iterable[Table]:
    """The clauses that apply to none of the models, and why."""
    idle = [clause for clause in view.clauses if clause.state is State.NOT_APPLICABLE]
    if idle:
        rows = tuple(
            (clause.ref, clause.title, clause.applies, visible("; ".join(clause.reasons), MAX_WORDS)) for clause in idle
        )
        yield Table(("clause", "about", "applies to", "why not here"), rows, (1.2, 2.6, 2.6, 5))


def _age(clause: ClauseView) -> str:
    return "none" if clause.age_s is None else age_words(timedelta(seconds=clause.age_s))


def _bound(clause: ClauseView) -> str:
    if clause.under is None:
        return f"from {clause.since}"
    return "yes" if clause.under == clause.framework else f"as {clause.under}"


def _plots(posture: Posture) -> Iterable[Plot]:
    counts = posture.counts
    shown = [state for state in State if counts[state] and state is not State.NOT_APPLICABLE]
    if shown:
        points = tuple((float(place), float(counts[state])) for place, state in enumerate(shown))
        words = ", ".join(f"{counts[state]} {state}" for state in shown)
        labels = tuple("awaiting" if state is State.AWAITING else state.value for state in shown)
        yield Plot(
            "Applicable clauses by state", words, "state", "clauses", "bars", (Series("clauses", points),), labels
        )
    met = [(view.id, _share(view)) for view in posture.frameworks]
    found = [(name, share) for name, share in met if share is not None]
    if found:
        points = tuple((float(place), share) for place, (_, share) in enumerate(found))
        words = ", ".join(f"{name} {share:.0%}" for name, share in found)
        labels = tuple(name for name, _ in found)
        title = "Share of applicable clauses that are satisfied"
        yield Plot(title, words, "framework", "share", "bars", (Series("satisfied", points),), labels)


def _share(view: FrameworkView) -> float | None:
    applicable = sum(count for state, count in view.counts.items() if state is not State.NOT_APPLICABLE)
    return view.counts[State.SATISFIED] / applicable if applicable else None


def _framework(view: FrameworkView, as_of: datetime) -> Section:
    replaced = () if view.replaces is None else (f"It replaced {view.replaces}.",)
    words = (
        f"{view.title}: {view.source}.",
        visible(f"{view.status} {view.note} How this was checked: {view.verified}."),
        *replaced,
    )
    asked = (clause for clause in view.clauses if clause.state is not State.NOT_APPLICABLE)
    below = tuple(_clause(clause, as_of) for clause in asked)
    return Section(view.id, view.state.value, words, tables=tuple(_elsewhere(view)), below=below)


def _clause(clause: ClauseView, as_of: datetime) -> Section:
    fresh = "per event" if clause.fresh_s is None else f"at most {age_words(timedelta(seconds=clause.fresh_s))} old"
    since = f"since {clause.since} ({clause.since_status}; date checked: {clause.since_verified})"
    who = f"Level {clause.level}. Evidence {fresh}: {', '.join(clause.evidence)}. Binds: {_bound(clause)}; {since}."
    asked = [one for one in clause.models if one.state is not State.NOT_APPLICABLE]
    others = [one for one in clause.models if one.state is State.NOT_APPLICABLE]
    words = [clause.text, who, f"Applies to: {clause.applies}."]
    words += _exempted(others)
    tables = tuple(table for table in (_states(asked, as_of), _evidence(asked)) if table.rows)
    return Section(f"{clause.ref} {clause.title}", clause.state.value, tuple(words), tables=tables)


def _exempted(others: Sequence[ModelState]) -> Iterable[str]:
    """To whom a clause does not apply, by reason."""
    found: dict[str, list[str]] = {}
    for one in others:
        found.setdefault(one.applies, []).append(one.model)
    for reason, names in list(found.items())[:MAX_REASONS]:
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        yield visible(f"{', '.join(names[:MAX_NAMES])}{more}: {reason}", MAX_WORDS)


def _states(asked: Sequence[ModelState], as_of: datetime) -> Table:
    order = list(State)
    worst = sorted(asked, key=lambda one: (-order.index(one.state), one.model))
    rows = tuple(
        (
            visible(one.model, 60),
            one.state.value,
            "none" if one.dated is None else f"{moment(one.dated)} ({age_words(as_of - one.dated)})",
            visible(f"{one.applies}. {'; '.join(one.reasons)}", MAX_WORDS * 2),
        )
        for one in worst[:MAX_MODELS]
    )
    return Table(
        ("model", "state", "oldest evidence", "why"),
        rows,
        (1.6, 1.4, 2.3, 6),
        1,
        _more(len(worst), MAX_MODELS, "models"),
    )


def _evidence(asked: Sequence[ModelState]) -> Table:
    pieces = {
        (one.source, one.statement): one
        for state in asked[:MAX_MODELS]
        for answer in state.answers
        for one in answer.evidence
    }
    rows = tuple(_piece(one) for one in list(pieces.values())[:MAX_ROWS])
    head = ("evidence", "about", "effective", "recorded", "source", "leaf")
    return Table(head, rows, (5, 1.3, 2.3, 2.3, 2.4, 0.8), None, _more(len(pieces), MAX_ROWS, "pieces of evidence"))


def _piece(one: Evidence) -> tuple[str, ...]:
    said = one.statement if one.supports else f"AGAINST: {one.statement}"
    return (
        visible(f"{one.kind}. {said}", MAX_WORDS),
        visible(one.subject, 60),
        moment(one.effective_at),
        moment(one.recorded_at),
        short(one.source),
        leaf_words(one.leaf),
    )


def leaf_words(leaf: int | None) -> str:
    """A leaf as a word; without one the statement is not provable yet."""
    return "none" if leaf is None else str(leaf)


def _more(total: int, shown: int, what: str) -> str:
    return "" if total <= shown else f"{total - shown} more {what} are in pack.json."


def _exceptions(posture: Posture) -> Section:
    found = {
        one.id: (state.model, one)
        for view in posture.frameworks
        for clause in view.clauses
        for state in clause.models
        for one in state.exempt
    }
    rows = tuple(
        (
            visible(model, 60),
            visible(one.owner, 80),
            visible(one.approver, 80),
            visible(one.reason, MAX_WORDS),
            moment(one.expires_at),
            short(one.id),
            leaf_words(one.leaf),
        )
        for model, one in list(found.values())[:MAX_ROWS]
    )
    head = ("model", "owner", "approved by", "reason", "expires", "source", "leaf")
    table = Table(head, rows, (1.4, 2.1, 2.1, 3.2, 2.1, 2, 0.8), None, _more(len(found), MAX_ROWS, "exceptions"))
    if not rows:
        return Section("Exceptions", words=("No accepted risk stands behind a failing clause.",))
    words = (
        "Risks that somebody took for a while. The clauses fail nevertheless; this says who answers, and until when."
    )
    return Section("Exceptions", words=(words,), tables=(table,))


def _chain(chain: Chain) -> Section:
    rows = tuple(
        (
            visible(f"{link.model} ({link.tier})", 60),
            visible(link.risk, MAX_WORDS),
            visible(", ".join(link.clauses[:8]) + (" …" if len(link.clauses) > 8 else ""), MAX_WORDS) or "none",
            ", ".join(dict.fromkeys(f"leaf {leaf_words(one.leaf)}" for one in link.evidence)) or "none",
            visible(link.decision, MAX_WORDS),
            "none" if link.decided_at is None else moment(link.decided_at),
            leaf_words(link.leaf),
        )
        for link in chain.links[:MAX_ROWS]
    )
    if not rows:
        return Section("From model to decision", words=("No model was judged until then.",), apart=False)
    head = ("model", "risk or finding", "clauses", "evidence", "decision", "decided", "leaf")
    table = Table(head, rows, (1.6, 3.2, 3, 1.1, 2, 2.1, 0.7), None, _more(len(chain.links), MAX_ROWS, "links"))
    return Section("From model to decision", tables=(table,), apart=False)


def _proof(posture: Posture, head: Checkpoint, signature: str, key_id: str) -> Section:
    rows = (
        ("ledger", head.origin),
        ("entries", f"{head.size:,}"),
        ("root hash", head.root.hex()),
        ("signature of the checkpoint", signature),
        ("signed by the key", key_id),
        ("digest of the posture", posture.digest),
    )
    code = (
        "holdfast comply verify PACK --key holdfast.pub",
        "holdfast ledger verify PACK/ledger --key holdfast.pub",
    )
    return Section("Proof", words=(PROVING,), tables=(Table(("what", "value"), rows, (1.4, 5)),), code=code)
