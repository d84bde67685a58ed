"""Scene 3: churn gains weight, then news arrives about a package in its lock, then the news is taken back."""

from __future__ import annotations

from holdfast.demo import advisories
from holdfast.demo.cast import CHURN
from holdfast.demo.story import Story

TITLE = "Intelligence: an advisory hits churn, and is withdrawn"
DAY = 2


def play(story: Story) -> None:
    """No artifact is opened again: the advisory meets stored facts, and only verdicts change."""
    story.stamp.tiers[CHURN.name] = "high"
    story.declare()
    story.audit(CHURN.name)
    advisories.weakness(story.folder, story.clock())
    story.receive()
    story.begin(DAY + 1)
    advisories.weakness(story.folder, story.clock(), withdrawn=True)
    story.receive()
