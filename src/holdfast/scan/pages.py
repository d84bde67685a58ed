"""The pages of the rules, in parts: what a finding means, why it matters, and how to save a model so that it passes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_CODE: Final = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class RulePage:
    """One page. `before` and `after` are code, `fix` is the sentence in front of the latter; texts are Markdown."""

    means: str
    matters: str
    before: str
    fix: str
    after: str


@cache
def rule_page(rule: str) -> RulePage:
    """The page of a rule by its id. Raises FileNotFoundError where there is no such rule."""
    text = (files("holdfast") / "pages" / "scan" / f"{rule}.md").read_text(encoding="utf-8")
    _, *parts = _SECTION.split(text)
    said = {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
    (before,), (after,) = (_CODE.findall(said[name] + "\n") for name in ("Before", "After"))
    fix = _CODE.sub("", said["After"] + "\n").strip()
    return RulePage(said["What it means"], said["Why it matters"], before.rstrip(), fix, after.rstrip())
