"""Scene 6: nine days after the feed was last asked. The recommender joins, and nobody can say that it is safe."""

from __future__ import annotations

from holdfast.demo.cast import RECOMMENDER
from holdfast.demo.story import Story

TITLE = "Nine days later: the recommender joins while intelligence is stale"
DAY = 13


def play(story: Story) -> None:
    """Verdicts age without any event; a refreshed feed makes them whole again, and nothing is measured twice."""
    story.join(RECOMMENDER.name)
    story.audit(RECOMMENDER.name)
    story.deploy(RECOMMENDER.name)
    story.receive()
