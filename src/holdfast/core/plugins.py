"""Variants of a room: found by decorator in the tree, by entry point outside it, and off unless named.

A third-party plug-in runs only when `HOLDFAST_PLUGINS` or the settings name its distribution, and every
result it gives states that distribution, its version and the hash of its files.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from holdfast.core.errors import PrerequisiteError, UsageError

Plugin = TypeVar("Plugin")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who ships a plug-in."""

    distribution: str
    version: str
    digest: str


class Registry(Generic[Plugin]):
    """The variants of one kind, by id. `group` is the entry-point group for others' variants."""

    def __init__(self, kind: str, group: str, load_own: Callable[[], None]) -> None:
        self.kind = kind
        self.group = group
        self._load_own = load_own
        self._loaded = False
        self._plugins: dict[str, Plugin] = {}
        self._origins: dict[str, Origin] = {}
        self._points: set[str] = set()

    def add(self, plugin_id: str, plugin: Plugin) -> Plugin:
        """Register a variant; an id names one variant for ever."""
        if plugin_id in self._plugins and self._plugins[plugin_id] is not plugin:
            raise ValueError(f"two {self.kind}s are named {plugin_id!r}")
        self._plugins[plugin_id] = plugin
        return plugin

    def get(self, plugin_id: str) -> Plugin:
        """The variant named `plugin_id`. Raises UsageError with the nearest names."""
        self._ensure()
        if plugin_id not in self._plugins:
            from holdfast.core.documents import suggest

            raise UsageError(
                f"there is no {self.kind} '{plugin_id}'",
                cause=f"known: {', '.join(sorted(self._plugins))}",
                fix=suggest(plugin_id, sorted(self._plugins)),
                code="HF-USE-002",
            )
        return self._plugins[plugin_id]

    def __iter__(self) -> Iterator[tuple[str, Plugin]]:
        self._ensure()
        return iter(sorted(self._plugins.items()))

    def origin(self, plugin_id: str) -> Origin | None:
        """Who ships it; None for Holdfast's own."""
        return self._origins.get(plugin_id)

    def load_named(self, distributions: Iterable[str]) -> None:
        """Load the variants of the named distributions, and of no others."""
        wanted = {name.lower() for name in distributions}
        if not wanted:
            return
        self._ensure()
        for point in importlib.metadata.entry_points(group=self.group):
            if point.dist is not None and point.dist.name.lower() in wanted and point.name not in self._points:
                self._points.add(point.name)
                self._load(point)

    def _ensure(self) -> None:
        if not self._loaded:
            self._loaded = True
            self._load_own()

    def _load(self, point: importlib.metadata.EntryPoint) -> None:
        """Import the module the entry point names; the decorators in it register its variants."""
        before = set(self._plugins)
        try:
            point.load()
        except Exception as fault:
            raise self._broken(point, f"{type(fault).__name__}: {fault}") from fault
        added = set(self._plugins) - before
        if not added:
            raise self._broken(point, f"its module registers no {self.kind}")
        self._origins.update(dict.fromkeys(added, _origin(point)))

    def _broken(self, point: importlib.metadata.EntryPoint, cause: str) -> PrerequisiteError:
        return PrerequisiteError(
            f"the {self.kind} plug-in '{point.name}' does not load",
            cause=cause,
            fix=f"repair or remove it: pip uninstall {point.dist.name if point.dist else point.name}",
            code="HF-PRE-002",
        )


def _origin(point: importlib.metadata.EntryPoint) -> Origin:
    dist = point.dist
    assert dist is not None
    record = hashlib.sha256((dist.read_text("RECORD") or "").encode()).hexdigest()
    return Origin(dist.name, dist.version, f"sha256:{record}")
