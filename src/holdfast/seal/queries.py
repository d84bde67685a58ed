"""Views of seals that the command line and a library user share: plain values for JSON."""

from __future__ import annotations

from typing import Any, Final

from holdfast.core.data.seal_changes import Changes, FileChanges, RowChanges
from holdfast.seal.diff import Difference, State
from holdfast.seal.making import Made
from holdfast.seal.statement import Seal, Signed
from holdfast.seal.verifying import Verified, in_words

MAX_ROWS: Final = 1_000
"""How many row numbers a view lists before it only counts."""


def seal_view(seal: Seal) -> dict[str, Any]:
    """Everything a seal says."""
    return {
        "seal": seal.digest,
        "name": seal.data.name,
        "sealed_at": seal.sealed_at,
        "rows": seal.data.rows,
        "files": seal.statement().predicate["files"],
        "parents": [{"name": one.name, "seal": one.seal, "by": one.by} for one in seal.parents],
        "code": seal.code.to_json(),
    }


def signed_view(signed: Signed) -> dict[str, Any]:
    """A seal, and who signed it; `signer` is null where no trusted key did."""
    signer = None if signed.signer is None else signed.signer.key_id
    return {**seal_view(signed.seal), "signer": signer, "claimed_signers": list(signed.claimed)}


def made_view(made: Made) -> dict[str, Any]:
    """A seal that was made, or was there already."""
    return {"path": str(made.path), "fresh": made.fresh, **signed_view(made.signed)}


def verified_view(found: Verified) -> dict[str, Any]:
    """Data held against its seal."""
    return {
        "status": str(found.standing),
        "path": str(found.path),
        "problems": list(found.problems),
        "changes": changes_view(found.changes),
        "seal": signed_view(found.signed),
    }


def difference_view(found: Difference) -> dict[str, Any]:
    """Two states and what lies between them."""
    return {
        "old": _state(found.old),
        "new": _state(found.new),
        "same": not found.changes,
        "words": list(in_words(found.changes)),
        "changes": changes_view(found.changes),
    }


def changes_view(found: Changes) -> dict[str, Any]:
    """Files, columns, rows."""
    return {
        "added": list(found.added),
        "removed": list(found.removed),
        "changed": [_file(file) for file in found.changed],
    }


def _state(state: State) -> dict[str, Any]:
    seal = None if state.seal is None else state.seal.digest
    return {"path": str(state.path), "seal": seal, "trusted": state.trusted, "rows": state.data.rows}


def _file(file: FileChanges) -> dict[str, Any]:
    columns = file.columns
    return {
        "name": file.name,
        "content": file.content,
        "why": file.why or None,
        "columns": {
            "changed": list(columns.changed),
            "added": list(columns.added),
            "removed": list(columns.removed),
            "renamed": [{"old": old, "new": new} for old, new in columns.renamed],
            "reordered": columns.reordered,
        },
        "rows": None if file.rows is None else _rows(file.rows),
    }


def _rows(rows: RowChanges) -> dict[str, Any]:
    named = {"changed": rows.changed, "added": rows.added, "removed": rows.removed, "moved": rows.moved}
    return {name: {"count": int(part.size), "first": part[:MAX_ROWS].tolist()} for name, part in named.items()}
