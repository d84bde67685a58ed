"""Putting a data set under seal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from holdfast.core.domain import system_clock
from holdfast.core.errors import UsageError
from holdfast.core.sign import SigningKey
from holdfast.seal.code import Code, code_at
from holdfast.seal.files import earlier_of, load, seal_of, write_rows
from holdfast.seal.observe import observe
from holdfast.seal.statement import MAX_PARENTS, MAX_WORDS, Parent, Seal, Signed
from holdfast.seal.whole import write_whole


@dataclass(frozen=True, slots=True)
class Made:
    """A seal and its file. `fresh` is false where the data bore the same seal already."""

    path: Path
    signed: Signed
    fresh: bool


def make(  # noqa: PLR0913  (each is a thing users set, most have defaults)
    data: Path,
    key: SigningKey,
    *,
    parents: Sequence[Path] = (),
    by: str = "",
    save: Path | None = None,
    replace: bool = False,
    dry_run: bool = False,
    at: datetime | None = None,
    code: Code | None = None,
) -> Made:
    """Seal a file or folder; `by` says what was done to `parents` (seal files) to get it.

    Data that bears a seal with the same content and parents is left alone. Another seal in its place is refused without
    `replace`, and with it becomes a parent. Raises DataError HF-SEA-005 to -008, UsageError HF-SEA-009.
    """
    data, keys = Path(data), (key.public,)
    path = save or seal_of(data)
    lineage = _lineage(parents, by)
    old = load(path, keys) if path.exists() else None
    observed = observe(data)
    if old is not None and old.signer is not None and _same(old.seal, observed.data.digest, lineage):
        return Made(path, old, fresh=False)
    if old is not None and replace:
        lineage = (*lineage, Parent(old.seal.data.name, old.seal.digest, by or "sealed again"))
    seal = Seal(observed.data, at or system_clock(), lineage, code or code_at(data.resolve().parent))
    envelope = seal.sign(key).to_json()
    # Read back before anything is written: a seal that is out of bounds is none.
    made = Made(path, Signed.parse(envelope, keys, str(path)), fresh=True)
    if dry_run:
        return made
    if old is None or replace:
        write_rows(path, observed.leaves, observed.data)
    if old is not None and replace:
        write_whole(earlier_of(path, old.seal.digest), path.read_bytes(), replace=True)
    write_whole(path, envelope, replace=replace)
    return made


def _same(old: Seal, digest: str, lineage: tuple[Parent, ...]) -> bool:
    return old.data.digest == digest and (not lineage or set(lineage) <= set(old.parents))


def _lineage(parents: Sequence[Path], by: str) -> tuple[Parent, ...]:
    """Parents are named by the digest of what was signed, so that nobody can put another in their place."""
    if len(parents) > MAX_PARENTS or len(by) > MAX_WORDS:
        raise _refused(f"there are {len(parents)} parents", f"give at most {MAX_PARENTS}, and {MAX_WORDS} characters")
    if parents and not by:
        raise _refused("what was done to the parents is not said", "add --by 'joined, rows without income dropped'")
    found = (load(parent, ()).seal for parent in parents)
    return tuple(Parent(seal.data.name, seal.digest, by) for seal in found)


def _refused(cause: str, fix: str) -> UsageError:
    return UsageError("the lineage of the data cannot be sealed", cause=cause, fix=fix, code="HF-SEA-009")
