"""Scene 1: the bank's first morning. Five models are registered, audited and gated; what serves is recorded."""

from __future__ import annotations

from holdfast.demo import advisories
from holdfast.demo.cast import AML, ASSISTANT, CARD_FRAUD, CHURN, CREDIT_DEFAULT
from holdfast.demo.story import Story

TITLE = "The first morning: five models are registered, audited and gated"
DAY = 0
PLAYERS = (CARD_FRAUD, CREDIT_DEFAULT, AML, CHURN, ASSISTANT)


def play(story: Story) -> None:
    """All five stand somewhere by the evening, and the ledger knows which versions serve."""
    advisories.unrelated(story.folder, story.clock())
    names = tuple(player.name for player in PLAYERS)
    story.join(*names)
    story.receive()
    with story.endpoints(CARD_FRAUD.name, ASSISTANT.name):
        story.audit(*names)
    story.deploy(*names)
