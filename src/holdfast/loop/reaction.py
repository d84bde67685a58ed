"""What a reaction is: one function per reaction, called at most once for each cause on its topic."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from holdfast.core.store import Message
from holdfast.loop.turn import Turn

React = Callable[[Turn, Message], None]


@dataclass(frozen=True, slots=True)
class Reaction:
    """A function and the topic it answers. The id is what the record of done reactions knows it by."""

    id: str
    topic: str
    react: React


_REACTIONS: list[Reaction] = []


def reaction(topic: str) -> Callable[[React], React]:
    """Register a reaction of a module `loop/on_*.py`. Its id is module and function name: renaming repeats it."""

    def register(react: React) -> React:
        name = react.__module__.rpartition(".")[2]
        _REACTIONS.append(Reaction(f"{name}.{react.__name__}", topic, react))
        return react

    return register


@cache
def reactions() -> dict[str, tuple[Reaction, ...]]:
    """Every reaction, by topic, in the order of their ids."""
    import holdfast.loop as room

    for module in pkgutil.iter_modules(room.__path__):
        if module.name.startswith("on_"):
            import_module(f"{room.__name__}.{module.name}")
    topics = sorted({item.topic for item in _REACTIONS})
    ordered = sorted(_REACTIONS, key=lambda item: item.id)
    return {topic: tuple(item for item in ordered if item.topic == topic) for topic in topics}
