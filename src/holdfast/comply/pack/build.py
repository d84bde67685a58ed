"""Writes a pack: posture and chain of one moment, their document in three forms, the ledger, the proofs, the manifest.

It is made in a folder beside the one asked for and takes its name when it is whole and verifies, or not at all.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.comply.pack.document import document
from holdfast.comply.pack.page import page
from holdfast.comply.pack.paper import paper
from holdfast.comply.pack.proofs import leaves_of, prove
from holdfast.comply.queries import chain_view, posture
from holdfast.comply.views import Chain, Posture
from holdfast.core.domain import to_iso
from holdfast.core.errors import DataError, LedgerError
from holdfast.core.ledger import Checkpoint, Ledger, LedgerStatus, verify_ledger
from holdfast.core.sign import PAYLOAD_TYPE, SigningKey, Statement, Subject, dsse_sign, manifest
from holdfast.core.store import Store

FILES: Final = ("pack.html", "pack.pdf", "pack.json", "proofs.json")
LEDGER: Final = "ledger"
MANIFEST: Final = "manifest.dsse.json"
PREDICATE: Final = "https://holdfast.dev/evidence-pack/v1"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a pack is about. `known_at` None: all that is known now."""

    as_of: datetime
    known_at: datetime | None = None
    framework: str | None = None
    model: str | None = None
    pdf: bool = True


@dataclass(frozen=True, slots=True)
class Built:
    """A written pack."""

    folder: Path
    posture: Posture
    head: Checkpoint
    leaves: int


def build(store: Store, ledger: Ledger, key: SigningKey, wish: Wish, folder: Path) -> Built:
    """Write a pack into `folder`, new or empty. What waits for the ledger is appended first.

    Raises DataError (HF-CPL-011) for a folder that holds something, LedgerError (HF-CPL-012) where the ledger does not
    carry the evidence, PrerequisiteError where typst is missing or refuses, ConfigError and UsageError for names.
    """
    _refuse_used(folder)
    ledger.append_pending()
    now, chain = _read(store, wish)
    staging = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        built = _write(store, ledger, key, wish, staging, now, chain)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.rmdir()
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Built(folder, now, built[0], built[1])


def preview(store: Store, wish: Wish) -> tuple[Posture, int]:
    """What a pack would say, and how many leaves it would name."""
    now, chain = _read(store, wish)
    return now, len(leaves_of(now, chain))


def _read(store: Store, wish: Wish) -> tuple[Posture, Chain]:
    with store.reading() as tx:
        known = wish.known_at or tx.now
        now = posture(tx, wish.as_of, known, wish.framework, wish.model)
        return now, chain_view(tx, wish.as_of, wish.model, known)


def _write(
    store: Store, ledger: Ledger, key: SigningKey, wish: Wish, folder: Path, now: Posture, chain: Chain
) -> tuple[Checkpoint, int]:
    folder.mkdir(parents=True)
    head = ledger.export(folder / LEDGER)
    shutil.rmtree(folder / f"{LEDGER}.staging", ignore_errors=True)
    leaves = leaves_of(now, chain)
    _refuse_unproven(folder / LEDGER, key, head, leaves)
    with store.reading() as tx:
        proofs = prove(tx, leaves, head.size)
    said = document(now, chain, head, head.note.decode().rsplit(" ", 1)[-1].strip(), key.public.key_id)
    (folder / "pack.html").write_text(page(said), encoding="utf-8")
    if wish.pdf:
        (folder / "pack.pdf").write_bytes(paper(said))
    _json(folder / "pack.json", as_data(now, chain, head))
    _json(folder / "proofs.json", {"schema_version": 1, "checkpoint": head.note.decode(), "proofs": proofs})
    (folder / MANIFEST).write_bytes(_signed(folder, key, now, head))
    return head, len(leaves)


def as_data(now: Posture, chain: Chain, head: Checkpoint) -> dict[str, Any]:
    """All that the pack says, for machines."""
    return {
        "schema_version": 1,
        "as_of": to_iso(now.as_of),
        "state": now.state.value,
        "posture_digest": now.digest,
        "ledger": {"origin": head.origin, "size": head.size, "root": head.root.hex()},
        "posture": now.to_json(),
        "chain": chain.to_json(),
    }


def _signed(folder: Path, key: SigningKey, now: Posture, head: Checkpoint) -> bytes:
    files = manifest([folder], root=folder).files
    predicate = {
        "as_of": to_iso(now.as_of),
        "state": now.state.value,
        "posture": now.digest,
        "ledger": {"origin": head.origin, "size": head.size, "root": head.root.hex()},
    }
    statement = Statement(tuple(Subject.of(file.name, file.digest) for file in files), PREDICATE, predicate)
    return dsse_sign(PAYLOAD_TYPE, statement.to_json(), key).to_json()


def _refuse_used(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"{folder} is not a new or empty folder",
            cause="files of two packs in one folder could not be told apart",
            fix="name a new folder",
            code="HF-CPL-011",
        )


def _refuse_unproven(folder: Path, key: SigningKey, head: Checkpoint, leaves: tuple[int, ...]) -> None:
    found = verify_ledger(folder, key.public, origin=head.origin)
    beyond = [leaf for leaf in leaves if leaf >= head.size]
    if found.status is not LedgerStatus.OK or beyond:
        raise LedgerError(
            "the ledger does not carry the evidence of the pack",
            cause=found.problems[0] if found.problems else f"leaf {beyond[0]} is not under the checkpoint",
            fix="run holdfast ledger verify, and write the pack again",
            code="HF-CPL-012",
        )


def _json(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
