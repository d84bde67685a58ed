"""Our own bundle (see `intel/bundle.py`): refused when changed, expired, replayed, or when one before it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.intelligence import ADVISORY, INDICATOR, KINDS, TECHNIQUE, Indicator
from holdfast.core.domain.severity import Severity
from holdfast.core.sign import PublicKey
from holdfast.core.store.intel import BODIES
from holdfast.intel.bundle import ITEMS, MANIFEST, SIGNED, check_chain, opened
from holdfast.intel.faults import malformed
from holdfast.intel.identity import normal_name
from holdfast.intel.interface import (
    MAX_ID,
    MAX_STATEMENTS,
    MAX_TITLE,
    Context,
    Document,
    Reading,
    Statement,
    Unreadable,
    feed,
)


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    native_id: str
    title: str
    severity: Severity
    modified_at: datetime
    withdrawn_at: datetime | None
    body: dict[str, Any]


@feed("bundle", says="a Holdfast bundle: a folder or ZIP", gives=(ADVISORY, TECHNIQUE, INDICATOR))
def read(documents: Iterator[Document], context: Context) -> Reading:
    """Every item of a bundle that is whole, in time, in order and, where the feed has a key, signed by it."""
    wanted = (ITEMS, MANIFEST, SIGNED)
    files = {name: one.data for one in documents if (name := one.name.rpartition("/")[2]) in wanted}
    key = None if context.feed.key is None else PublicKey.from_pem(context.feed.key.encode(), "the feed's key")
    manifest = opened(files, key, context.feed.location)
    check_chain(manifest, dict(context.cursor), context.now, context.feed.location)
    lines = files[ITEMS].splitlines()
    if len(lines) > MAX_STATEMENTS:
        raise malformed(ITEMS, f"more than {MAX_STATEMENTS:,} items")
    cursor = {"sequence": manifest.sequence, "bundle": manifest.digest, "made_at": manifest.plain()["made_at"]}
    return Reading(map(_statement, enumerate(lines, 1)), manifest.complete, cursor)


def _statement(numbered: tuple[int, bytes]) -> Statement | Unreadable:
    number, text = numbered
    try:
        line = msgspec.json.decode(text, type=_Line)
        body = msgspec.convert(line.body, {kind: BODIES[kind] for kind in KINDS}[line.kind])
    except (ValueError, KeyError, RecursionError) as fault:
        return Unreadable(f"{ITEMS}:{number}", str(fault)[:200])
    moments = [line.modified_at, *([] if line.withdrawn_at is None else [line.withdrawn_at])]
    if any(moment.tzinfo is None for moment in moments) or not 0 < len(line.native_id) <= MAX_ID:
        return Unreadable(f"{ITEMS}:{number}", "a date without a timezone, or no usable id")
    try:
        known = _checked(body)
    except ValueError as fault:
        return Unreadable(f"{ITEMS}:{number}", str(fault))
    return Statement(line.native_id, known, line.title[:MAX_TITLE], line.severity, line.modified_at, line.withdrawn_at)


def _checked(body: Advisory | Technique | Indicator) -> Advisory | Technique | Indicator:
    """Names in their one spelling, as every other reader gives them."""
    if not isinstance(body, Advisory):
        return body
    names = [normal_name(name) for name in (body.id, *body.aliases)]
    known = [name for name in names if name is not None]
    if len(known) < len(names) or not (body.ranges or body.versions):
        raise ValueError("an advisory with an id that is none, or without any affected version")
    return replace(body, id=known[0], aliases=tuple(sorted(set(known[1:]) - {known[0]})))
