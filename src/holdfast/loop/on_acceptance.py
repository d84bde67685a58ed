"""A risk that is no longer accepted is work again."""

from __future__ import annotations

from holdfast.backlog.acceptance import end
from holdfast.backlog.sync import reopen
from holdfast.core.domain.backlog import ItemState
from holdfast.core.domain.topics import ACCEPTANCE_ENDED
from holdfast.core.store import Message
from holdfast.loop.reaction import reaction
from holdfast.loop.turn import Turn


@reaction(ACCEPTANCE_ENDED)
def reopen_item(turn: Turn, message: Message) -> None:
    """End what time alone has ended, and open the item with a clock that starts anew."""
    acceptance = turn.tx.acceptances.find(message.cause)
    item = turn.tx.backlog.find(message.body["item"])
    if acceptance is None or item is None:
        return
    actor = f"acceptance:{acceptance.id}"
    if acceptance.ended_at is None:
        acceptance = end(turn.tx, acceptance, message.body["why"], actor=actor, at=acceptance.expires_at, tell=False)
    if item.state is ItemState.ACCEPTED:
        at = acceptance.ended_at or turn.now
        reopen(turn.tx, item, actor=actor, why=f"no longer accepted: {acceptance.end}", at=at)
