"""Orders on models came or went: what the judge says of them may follow."""

from __future__ import annotations

from holdfast.core.domain.topics import CLAIMS_CHANGED
from holdfast.core.store import Message
from holdfast.loop.reaction import reaction
from holdfast.loop.turn import Turn


@reaction(CLAIMS_CHANGED)
def judge_again(turn: Turn, message: Message) -> None:
    """Judge the models again; where nothing changes for them, nothing is kept."""
    turn.rejudge(message.body["models"])
