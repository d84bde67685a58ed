"""Versions of the model libraries beside Holdfast itself, without starting or importing anything heavy."""

from __future__ import annotations

import site

from holdfast.core.sandbox.inside.versions import installed


def own_libraries() -> dict[str, str]:
    """By distribution name, of the interpreter that runs this."""
    return installed(site.getsitepackages())
