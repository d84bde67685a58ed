"""What people attest, checked before it is kept: it counts as the machine's evidence does, and is held to the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from holdfast.comply.catalogue import builtin
from holdfast.comply.evidence.kinds import kind_of, kinds
from holdfast.core.documents import suggest
from holdfast.core.domain import Clock, new_id
from holdfast.core.domain.control import Attestation
from holdfast.core.errors import SignatureError, UsageError
from holdfast.core.sign import file_digest
from holdfast.core.store import Transaction

MAX_WORDS = 500


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to attest. `what` is the evidence it gives, `kind:theme`."""

    what: str
    by: str
    statement: str
    model: str | None = None
    clauses: tuple[str, ...] = ()
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    file: Path | None = None
    holds: bool = True


def attest(tx: Transaction, wish: Wish, clock: Clock, *, dry_run: bool = False) -> Attestation:
    """Check, keep and ledger an attestation; `dry_run` only checks. Raises UsageError (HF-CPL-010)."""
    _check_words(wish)
    kind, _, theme = wish.what.partition(":")
    clauses = tuple(_clause(text) for text in wish.clauses)
    if wish.model is not None and tx.models.find(wish.model) is None:
        raise _refused(
            f"there is no model '{wish.model}'", "attest for a registered model, or for all: leave --model out"
        )
    now = clock()
    since = wish.effective_at or now
    if wish.expires_at is not None and wish.expires_at <= since:
        raise _refused("it would end before it begins", "give an --expires-at after --effective-at")
    said = Attestation(
        id=new_id("att", clock),
        kind=kind,
        theme=theme,
        by=wish.by.strip(),
        statement=wish.statement.strip(),
        effective_at=since,
        expires_at=wish.expires_at,
        recorded_at=now,
        model=wish.model,
        clauses=clauses,
        holds=wish.holds,
        digest=None if wish.file is None else _digest(wish.file),
        document=None if wish.file is None else wish.file.name,
    )
    return said if dry_run else tx.attestations.add(said)


def _check_words(wish: Wish) -> None:
    try:
        kind = kind_of(wish.what)
    except ValueError as fault:
        raise _refused(
            str(fault), "name the evidence as a clause asks for it: holdfast comply show GDPR '35(1)'"
        ) from None
    if not kind.person:
        people = ", ".join(name for name, one in kinds().items() if one.person)
        raise _refused(f"'{wish.what}' is evidence that only the platform gives", f"people attest {people}")
    for name, words in (("--by", wish.by), ("--statement", wish.statement)):
        if not words.strip() or len(words) > MAX_WORDS:
            raise _refused(f"{name} needs 1 to {MAX_WORDS} characters", f"say it in {name}")


def _clause(text: str) -> str:
    """`GDPR 35(1)`, as one of the clauses there are."""
    name, _, ref = text.strip().partition(" ")
    framework = builtin().get(name.upper())
    known = [clause.id for one in builtin().values() for clause in one.clauses.values()]
    if framework is None or ref.strip() not in framework.clauses:
        raise _refused(f"there is no clause '{text}'", suggest(text, known))
    return framework.clauses[ref.strip()].id


def _digest(path: Path) -> str:
    try:
        return file_digest(path)[0]
    except SignatureError as fault:
        raise _refused(f"{path} cannot be read: {fault.cause}", "check the path and its permissions") from fault


def _refused(cause: str, fix: str) -> UsageError:
    return UsageError("this cannot be attested", cause=cause, fix=fix, code="HF-CPL-010")
