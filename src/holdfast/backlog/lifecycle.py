"""The life of an item: who may move it where. People move it up to claimed; only results open, return and prove it.

Every move is a journal line, a ledger intent about the item, and news for the trackers, in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from holdfast.core.domain.backlog import BacklogItem, ItemState, Step, leads_to
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.topics import TRACKER
from holdfast.core.errors import UsageError
from holdfast.core.store import Transaction
from holdfast.core.store.types import storable

MAX_WORDS: Final = 2_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}", re.ASCII)


def person(name: str) -> str:
    """The actor that a person is. Raises UsageError (HF-BLG-003) for what is no name."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "a person needs a name of letters, digits, and . _ @ + -",
            cause=f"found {name[:60]!a}",
            fix="write a user name or an address, for example --by ana@bank.example",
            code="HF-BLG-003",
        )
    return f"person:{name}"


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's; their case says nothing."""
    return one.casefold() == other.casefold()


def record(
    tx: Transaction,
    item: BacklogItem,
    step: Step,
    *,
    actor: str,
    why: str,
    body: Mapping[str, JSONValue] | None = None,
    effective_at: datetime | None = None,
) -> BacklogItem:
    """Move an item one step. Raises UsageError (HF-BLG-002) where the step is not possible in its state."""
    if leads_to(item.state, step) is None:
        raise not_possible(item, step)
    words = storable(why)[:MAX_WORDS]
    after = tx.backlog.append(item.model, item.id, step, actor=actor, why=words, body=body, effective_at=effective_at)
    tell(tx, after, step, actor)
    return after


def tell(tx: Transaction, item: BacklogItem, step: Step, actor: str) -> None:
    """The ledger and the trackers learn of a step with the transaction that takes it."""
    said = {"item": item.id, "finding": item.fingerprint, "state": item.state.value, "by": actor, "proof": item.proof}
    tx.intend(f"backlog.{step.value}", said, about=item.id)
    if item.elsewhere:
        return
    sequence = tx.backlog.last_sequence(item.id)
    for link in tx.tickets.links():
        tx.outbox.publish(f"{TRACKER}{link.name}", f"{item.id}@{sequence}", {"item": item.id})


def start(tx: Transaction, item: BacklogItem, who: str) -> BacklogItem:
    """Somebody works on it now."""
    return record(tx, item, Step.STARTED, actor=person(who), why="work has begun", body={"assignee": who})


def claim(tx: Transaction, item: BacklogItem, actor: str, why: str) -> BacklogItem:
    """Somebody says that it is done. It stays unproven until the same check passes on what serves."""
    if item.elsewhere:
        raise not_possible(item, Step.CLAIMED)
    return record(tx, item, Step.CLAIMED, actor=actor, why=why)


def not_possible(item: BacklogItem, step: Step) -> UsageError:
    """The error for a step that does not exist from where an item is."""
    where = "only on versions that do not serve" if item.elsewhere else f"'{item.state}'"
    hints = {
        ItemState.PROVEN: "it is proven done; it opens again by itself if its check finds it again",
        ItemState.ACCEPTED: "its risk is accepted; withdraw that first: holdfast backlog withdraw ITEM --by NAME",
        ItemState.CLAIMED: "it is claimed done; audit and deploy the better version, and its check proves it",
    }
    return UsageError(
        f"the item {item.id} cannot be '{step.value}'",
        cause=f"it is {where}",
        fix=hints.get(item.state, "`holdfast backlog show ITEM` says what has happened to it"),
        code="HF-BLG-002",
    )
