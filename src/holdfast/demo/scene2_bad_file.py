"""Scene 2: a new version of the money-laundering model is a trap. It is read as data and never loaded."""

from __future__ import annotations

from holdfast.demo.cast import AML
from holdfast.demo.malice import plant
from holdfast.demo.story import Story

TITLE = "A new version of aml arrives"
DAY = 1


def play(story: Story) -> None:
    """Version 2 of aml is a pickle that would run a command; its audit ends at the scan, version 1 stays deployed."""
    plant(story.folder / AML.name / "model-v2.joblib")
    story.stamp.artifacts[AML.name] = "model-v2.joblib"
    story.declare()
    story.audit(AML.name)
