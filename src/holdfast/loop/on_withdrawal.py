"""What a feed, or a person, took back: its claims end, the state is derived again without it, verdicts follow.

Weighing knows only what is said now, so a withdrawal needs no undo: what others still say stays as it is.
"""

from __future__ import annotations

from holdfast.core.domain.topics import WITHDRAWN
from holdfast.core.store import Message
from holdfast.loop.on_intel import weigh_and_rejudge
from holdfast.loop.reaction import reaction
from holdfast.loop.turn import Turn


@reaction(WITHDRAWN)
def undo_by_deriving(turn: Turn, message: Message) -> None:
    """End the claims of causes that are gone and judge the models they touched again."""
    weigh_and_rejudge(turn, message.body["items"])
