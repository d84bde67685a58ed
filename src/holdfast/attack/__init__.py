"""Adversarial tests of a model: over a target, a contract, a goal and a budget.

Importing the room costs nothing; kernels are loaded by the first attack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.attack.blackbox.target import BlackBox
    from holdfast.attack.interface import Budget, EvasionResult, Goal
    from holdfast.attack.nets.target import NetTarget
    from holdfast.attack.run import attack, proven_share, robust_share
    from holdfast.attack.target import TreeTarget
    from holdfast.attack.warm import warm_up

__all__ = [
    "BlackBox",
    "Budget",
    "EvasionResult",
    "Goal",
    "NetTarget",
    "TreeTarget",
    "attack",
    "proven_share",
    "robust_share",
    "warm_up",
]

_HOMES = {
    "BlackBox": "blackbox.target",
    "Budget": "interface",
    "EvasionResult": "interface",
    "Goal": "interface",
    "NetTarget": "nets.target",
    "TreeTarget": "target",
    "attack": "run",
    "proven_share": "run",
    "robust_share": "run",
    "warm_up": "warm",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
