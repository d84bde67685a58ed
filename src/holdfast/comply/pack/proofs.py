"""Inclusion proofs for the leaves a pack names, and their check by somebody who has only the pack and a key."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from holdfast.comply.views import Chain, Posture
from holdfast.core.data.merkle import leaf_hash, root_from_inclusion
from holdfast.core.ledger import Checkpoint
from holdfast.core.ledger.tree import Tree
from holdfast.core.store import Transaction


def leaves_of(posture: Posture, chain: Chain) -> tuple[int, ...]:
    """Every leaf that the two name, in order."""
    return tuple(sorted({leaf for leaf in (*_of_posture(posture), *_of_chain(chain)) if leaf is not None}))


def _of_posture(posture: Posture) -> Iterator[int | None]:
    for view in posture.frameworks:
        for clause in view.clauses:
            for state in clause.models:
                yield from (one.leaf for one in state.exempt)
                yield from (one.leaf for answer in state.answers for one in answer.evidence)


def _of_chain(chain: Chain) -> Iterator[int | None]:
    for link in chain.links:
        yield link.leaf
        yield from (one.leaf for one in link.evidence)


def prove(tx: Transaction, leaves: Iterable[int], size: int) -> list[dict[str, Any]]:
    """For each leaf its entry and the path to the root of the tree of `size` leaves."""
    tree = Tree(tx.intents.state().size, tx.intents.hashes)
    found = []
    for leaf in leaves:
        (entry,) = tx.intents.entries(leaf, leaf + 1)
        path = [step.hex() for step in tree.inclusion(leaf, size)]
        found.append({"leaf": leaf, "entry": base64.standard_b64encode(entry).decode(), "path": path})
    return found


def holds(proof: Mapping[str, Any], head: Checkpoint) -> bool:
    """Whether a proof, as read from a file, leads to the root of a checkpoint. False for anything malformed."""
    try:
        entry = base64.b64decode(proof["entry"], validate=True)
        path = tuple(bytes.fromhex(step) for step in proof["path"])
        return root_from_inclusion(leaf_hash(entry), int(proof["leaf"]), head.size, path) == head.root
    except (KeyError, TypeError, ValueError, IndexError):
        return False
