"""Models at work: events taken in and kept, detectors, campaigns, alerts.

Importing this costs a model's process next to nothing: names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.watch.capture import Watched, wrap
    from holdfast.watch.directives import BlockedError, Plan, ThrottledError
    from holdfast.watch.intake import Intake
    from holdfast.watch.middleware import WatchMiddleware
    from holdfast.watch.segments import Segments
    from holdfast.watch.sender import Sender, SenderOptions

__all__ = [
    "BlockedError",
    "Intake",
    "Plan",
    "Segments",
    "Sender",
    "SenderOptions",
    "ThrottledError",
    "WatchMiddleware",
    "Watched",
    "wrap",
]

_LAZY = {
    "BlockedError": "directives",
    "Intake": "intake",
    "Plan": "directives",
    "Segments": "segments",
    "Sender": "sender",
    "SenderOptions": "sender",
    "ThrottledError": "directives",
    "WatchMiddleware": "middleware",
    "Watched": "capture",
    "wrap": "capture",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
