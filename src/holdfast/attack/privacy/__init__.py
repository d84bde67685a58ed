"""What a model's answers betray of the rows it was trained on, and of what is in them.

Importing the room costs nothing; numpy is loaded by the first attack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.attack.privacy.attribute import Inference, infer
    from holdfast.attack.privacy.game import Game
    from holdfast.attack.privacy.membership import Membership, Method, play
    from holdfast.attack.privacy.shadows import Shadows, train_shadows
    from holdfast.attack.privacy.threat import Threat
    from holdfast.attack.privacy.trainer import Task, train

_HOMES = {
    "Game": "game",
    "Inference": "attribute",
    "Membership": "membership",
    "Method": "membership",
    "Shadows": "shadows",
    "Task": "trainer",
    "Threat": "threat",
    "infer": "attribute",
    "play": "membership",
    "train": "trainer",
    "train_shadows": "shadows",
}
__all__ = [
    "Game",
    "Inference",
    "Membership",
    "Method",
    "Shadows",
    "Task",
    "Threat",
    "infer",
    "play",
    "train",
    "train_shadows",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
