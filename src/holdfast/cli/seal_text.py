"""Seals and what became of the data under them, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.cli.output import table
from holdfast.core.domain.clock import to_iso

if TYPE_CHECKING:
    from holdfast.core.data.seal import SealedFile
    from holdfast.seal.diff import Difference
    from holdfast.seal.making import Made
    from holdfast.seal.statement import Signed
    from holdfast.seal.suspects import Suspects
    from holdfast.seal.verifying import Verified

FILES_SHOWN = 20


def made_text(made: Made) -> str:
    """What was sealed, in two lines; columns that are not under seal are said."""
    seal = made.signed.seal
    what = "sealed" if made.fresh else "is under this seal already"
    lines = [f"{seal.data.name} {what}: {seal.data.rows:,} rows in {_count(len(seal.data.files), 'file')}"]
    lines.append(f"  {made.path}  {seal.digest}")
    bare = [file for file in seal.data.files if file.table is None]
    lines += [f"  {file.name} by its bytes only: {file.note}" for file in bare[:FILES_SHOWN]]
    return "\n".join(lines)


def signed_text(signed: Signed) -> str:
    """Everything a seal says, for people."""
    seal = signed.seal
    lines = [f"{seal.data.name}  {seal.digest}", f"  sealed at {to_iso(seal.sealed_at)}, {_signer(signed)}"]
    lines.append(f"  code: {seal.code.commit or 'no repository'}{', changed since' if seal.code.dirty else ''}")
    lines += [f"  from {one.name} {one.seal}: {one.by}" for one in seal.parents]
    for file in seal.data.files[:FILES_SHOWN]:
        lines += ["", *_file(file)]
    if len(seal.data.files) > FILES_SHOWN:
        lines.append(f"\n{len(seal.data.files) - FILES_SHOWN} more files; --format json lists all")
    return "\n".join(lines)


def verified_text(found: Verified) -> str:
    """The answer first, then why."""
    lines = [str(found.standing), f"  {found.signed.seal.data.name}: {_signer(found.signed)}"]
    return "\n".join([*lines, *(f"  {problem}" for problem in found.problems)])


def difference_text(found: Difference, seen: Suspects | None) -> str:
    """What changed, and what speaks against the new rows."""
    from holdfast.seal.verifying import in_words

    words = list(in_words(found.changes))
    head = f"{found.old.path} -> {found.new.path}: {'changed' if words else 'the same'}"
    lines = [head, *(f"  {word}" for word in words)]
    lines += [f"  {side.path} is signed by no trusted key" for side in (found.old, found.new) if side.trusted is False]
    return "\n".join([*lines, *([] if seen is None else [f"  {word}" for word in seen.words])])


def _file(file: SealedFile) -> list[str]:
    head = f"{file.name}  {file.bytes:,} bytes  {file.digest}"
    if file.table is None:
        return [head, f"  by its bytes only: {file.note}"]
    rows = [(column.name, column.kind, column.digest) for column in file.table.columns]
    listed = table(rows, ("COLUMN", "KIND", "DIGEST")).splitlines()
    return [head, f"  {file.table.rows:,} rows, root {file.table.root}", *(f"  {line}" for line in listed)]


def _signer(signed: Signed) -> str:
    if signed.signer is not None:
        return f"signed by {signed.signer.key_id}"
    return f"signed by {', '.join(signed.claimed)}, which is no trusted key"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
