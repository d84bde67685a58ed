"""What was judged becomes work, or the proof that work is done."""

from __future__ import annotations

from holdfast.backlog.sync import sync
from holdfast.core.domain.topics import ALERT, ALERT_CLOSED, DEPLOYED, JUDGED
from holdfast.core.store import Message
from holdfast.loop.reaction import reaction
from holdfast.loop.turn import Turn


@reaction(JUDGED)
def sync_items(turn: Turn, message: Message) -> None:
    """Open, return, rank and prove the items of the model by its findings as they are now."""
    sync(turn.tx, message.body["model"], f"check:{message.cause}")


@reaction(DEPLOYED)
def sync_what_serves(turn: Turn, message: Message) -> None:
    """Another version serves: its findings are work now, and what it no longer has is proven done."""
    sync(turn.tx, message.body["model"], f"deployment:{message.cause}")


@reaction(ALERT)
def rank_again(turn: Turn, message: Message) -> None:
    """What is seen live ranks higher, though nothing else has changed."""
    sync(turn.tx, message.body["model"], f"alert:{message.cause}")


@reaction(ALERT_CLOSED)
def rank_without_it(turn: Turn, message: Message) -> None:
    """What is no longer seen live ranks as it did before."""
    sync(turn.tx, message.body["model"], f"alert:{message.cause}")
