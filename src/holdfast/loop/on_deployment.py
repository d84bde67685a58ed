"""A version that goes into service changes what every other version is compared with, and what is open."""

from __future__ import annotations

from holdfast.core.domain.topics import DEPLOYED
from holdfast.core.store import Message
from holdfast.loop.reaction import reaction
from holdfast.loop.turn import Turn


@reaction(DEPLOYED)
def judge_against_it(turn: Turn, message: Message) -> None:
    """Judge the current versions of the model again, compared with the one that serves now."""
    turn.rejudge([message.body["model"]])
