"""The licence that a model file states of itself: as a fact, and what that licence asks. It counts against no file."""

from __future__ import annotations

import re
from typing import Any, Final

from holdfast.scan.inspect import Seen
from holdfast.scan.licences.expression import Expression
from holdfast.scan.licences.terms import classes_of, of_hub, together

MAX_CARD: Final = 64_000
MAX_LICENCES: Final = 20
_FRONT: Final = re.compile(r"---[ \t]*\r?\n(.{0,64000}?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_LICENCE: Final = re.compile(r"^license:[ \t]*(\S[^\r\n#]{0,200})?$", re.MULTILINE)
_ITEM: Final = re.compile(r"\s{0,4}-[ \t]+([^\r\n#]{1,200})(?:\r?\n|$)")


def read_card(text: str, seen: Seen) -> None:
    """The licence in the YAML head of a model card (README.md); nothing for other text."""
    if not text.startswith("---"):
        return
    front = _FRONT.match(text[:MAX_CARD])
    found = None if front is None else _LICENCE.search(front[1])
    if front is None or found is None:
        return
    if found[1]:
        named = [one.strip(" \t'\"") for one in found[1].strip().strip("[]").split(",")]
    else:
        named, at = [], found.end() + 1
        while len(named) < MAX_LICENCES and (item := _ITEM.match(front[1], at)) is not None:
            named.append(item[1].strip(" \t'\""))
            at = item.end()
    read_licence([one for one in named if one], seen)


def read_licence(said: Any, seen: Seen, *, member: str | None = None) -> None:
    """State what a file says of its licence: a text, or several that hold together."""
    named = [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str) and one.strip()]
    if not named:
        return
    known = [of_hub(one[:200]) for one in named[:MAX_LICENCES]]
    told: list[Expression] = [one for one in known if one is not None]
    whole = together(told) if len(told) == len(named) else None
    seen.add("licence", str(whole) if whole is not None else ", ".join(named)[:200], member=member)
    for kind in ("unknown",) if whole is None else classes_of(whole):
        seen.add("licence.class", str(kind), member=member)
