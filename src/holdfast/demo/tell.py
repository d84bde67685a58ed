"""Tells the story: builds the bank, then plays every scene that was not told yet."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from holdfast.core.settings import Settings
from holdfast.demo.bank import build
from holdfast.demo.interrupts import interruptible
from holdfast.demo.story import Story

if TYPE_CHECKING:
    from holdfast.audit.reconcile import Watcher

SCENES = (
    "scene1_first_gate",
    "scene2_bad_file",
    "scene3_intelligence",
    "scene4_campaign",
    "scene5_sprint",
    "scene6_nine_days",
    "scene7_evidence",
)
WITH_ENDPOINTS = ("card-fraud", "assistant")


def tell(
    folder: Path, seed: int, *, settings: Settings, say: Callable[[str], None], watch: Watcher, until: int = len(SCENES)
) -> Story:
    """Play scenes up to number `until`; gives the story as it then stands. Raises UsageError on others' folders."""
    with interruptible() as check:
        stamp = build(folder, seed, say)
        story = Story.of(folder, stamp, settings=settings, say=say, watch=watch)
        story.open_ports(*WITH_ENDPOINTS)
        story.declare()
        for number, name in enumerate(SCENES[:until], 1):
            if stamp.scene < number:
                check()
                _play(story, number, import_module(f"holdfast.demo.{name}"))
        check()
    if stamp.runs:
        say(f"scenes 1 to {stamp.scene} are told; this folder was opened {stamp.runs + 1} times")
    return story


def _play(story: Story, number: int, scene: ModuleType) -> None:
    story.begin(scene.DAY, getattr(scene, "HOUR", 9))
    story.say(f"scene {number} of {len(SCENES)}: {scene.TITLE} (day {scene.DAY + 1})")
    try:
        scene.play(story)
    finally:
        story.keep()
    story.told(number)
