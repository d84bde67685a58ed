"""Models trained again so that they resist evasion, and the proof that they do.

    from holdfast.harden import Wish, run

    made = run(subject, Wish(seed=7), store=store, key=key)

Importing the room costs nothing; what trains and judges is loaded by the first run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.harden.runs import Hardened, Step, Watcher, Wish, run

__all__ = ["Hardened", "Step", "Watcher", "Wish", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.runs"), name)
