"""The settings of a running server and where each comes from, without what is secret in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from holdfast.app import Holdfast


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in force."""

    name: str
    value: str
    origin: str


def settings_in_force(holdfast: Holdfast) -> tuple[Setting, ...]:
    """Every setting by name. A database URL is shown without user and password."""
    settings = holdfast.settings
    resolved: dict[str, Any] = {"home": holdfast.home, "config": settings.config}
    found = []
    for name, value in settings:
        shown = value if value is not None else resolved.get(name)
        found.append(Setting(name, _plain(name, shown), _origin(name, name in settings.model_fields_set)))
    return tuple(found)


def _origin(name: str, given: bool) -> str:
    variable = f"HOLDFAST_{name.upper()}"
    if not given:
        return "default"
    return f"environment {variable}" if variable in os.environ else "given at start"


def _plain(name: str, value: Any) -> str:
    if value in (None, (), []):
        return "-"
    if name == "database":
        parts = urlsplit(str(value))
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
