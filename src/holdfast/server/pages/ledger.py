"""The ledger: its head, its newest leaves, and the proof that one leaf is in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.core.data.merkle import leaf_hash
from holdfast.core.domain import from_iso
from holdfast.server.faults import not_found
from holdfast.server.page import page
from holdfast.server.visit import Visit

PAGE_SIZE = 50
MAX_INDEX = 10**12


@dataclass(frozen=True, slots=True)
class Head:
    """The newest published checkpoint."""

    origin: str
    size: int
    root: str
    note: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry; `body` is left out for users who do not see every unit."""

    index: int
    id: str
    kind: str
    recorded_at: datetime
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """The head, and the leaves before `before`, newest first."""

    head: Head | None
    size: int
    pending: int
    leaves: tuple[Leaf, ...]
    older: int | None
    hidden: bool
    verify_command: str


VERIFY = "holdfast ledger verify --key holdfast.pub"


@page("/ledger", "ledger.html", "ledger", query={"before": "Only leaves before this index."})
def ledger(visit: Visit) -> LedgerPage:
    """The checkpoint and the newest leaves."""
    state = visit.tx.intents.state()
    stop = min(state.size, visit.count("before", state.size, MAX_INDEX))
    start = max(0, stop - PAGE_SIZE)
    entries = visit.tx.intents.entries(start, stop)
    leaves = [_leaf(visit, start + step, entry) for step, entry in enumerate(entries)]
    return LedgerPage(
        _head(visit),
        state.size,
        visit.tx.intents.count_pending(),
        tuple(reversed(leaves)),
        start or None,
        not visit.who.sees_everything,
        VERIFY,
    )


def _head(visit: Visit) -> Head | None:
    found = visit.site.holdfast.ledger.checkpoint()
    if found is None:
        return None
    return Head(found.origin, found.size, found.root.hex(), found.note.decode("utf-8", "replace"))


def _leaf(visit: Visit, index: int, entry: bytes) -> Leaf:
    said = json.loads(entry)
    body = said["body"] if visit.who.sees_everything else {}
    return Leaf(index, said["id"], said["kind"], from_iso(said["recorded_at"]), body)


@dataclass(frozen=True, slots=True)
class LeafPage:
    """One leaf and its inclusion proof: hashes from the leaf up, which lead to the checkpoint's root.

    `proven` is the server's own word, recomputed for this page; the proof is there so that nobody has to take it.
    """

    leaf: Leaf
    entry: str
    leaf_hash: str
    published: bool
    proven: bool
    path: tuple[str, ...]
    checkpoint: str
    hidden: bool
    verify_command: str


@page("/ledger/leaves/{index}", "leaf.html", "ledger")
def leaf(visit: Visit) -> LeafPage:
    """One leaf with its inclusion proof."""
    text = visit.params["index"]
    entries = visit.tx.intents.entries(int(text), int(text) + 1) if _is_index(text) else []
    if not entries:
        raise not_found(f"leaf {text[:20]}")
    holdfast, (entry,) = visit.site.holdfast, entries
    shown = _leaf(visit, int(text), entry)
    proof = holdfast.ledger.prove(shown.id)
    return LeafPage(
        leaf=shown,
        entry=entry.decode("utf-8", "replace") if visit.who.sees_everything else "",
        leaf_hash=leaf_hash(entry).hex(),
        published=proof is not None,
        proven=proof is not None and proof.holds(holdfast.public_key, holdfast.ledger.origin),
        path=() if proof is None else tuple(step.hex() for step in proof.path),
        checkpoint="" if proof is None else proof.checkpoint.decode("utf-8", "replace"),
        hidden=not visit.who.sees_everything,
        verify_command=VERIFY,
    )


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12
