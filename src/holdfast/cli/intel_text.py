"""Intelligence as text on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.cli.output import table
from holdfast.core.domain.clock import to_iso

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.intel.importer import Imported
    from holdfast.intel.queries import EffectView, FeedView, ImpactView, ItemView

SHOWN = 5
WIDE = 70


def _at(moment: datetime | None) -> str:
    return "-" if moment is None else to_iso(moment.replace(microsecond=0))


def imported_text(done: Sequence[Imported]) -> str:
    """One row per feed, and what could not be read."""
    rows = [
        (one.feed, *(str(n) for n in (one.said, one.new, one.changed, one.withdrawn)), _came_to(one)) for one in done
    ]
    lines = [table(rows, ("FEED", "SAYS", "NEW", "CHANGED", "WITHDRAWN", "RESULT"))]
    for one in done:
        lines += [f"  {one.feed}: cannot read {item.name}: {item.why}" for item in one.unreadable[:SHOWN]]
    return "\n".join(lines)


def _came_to(one: Imported) -> str:
    if one.fault is not None:
        return one.fault
    return "not changed since" if one.unchanged else f"{len(one.unreadable)} unreadable" if one.unreadable else "ok"


def feeds_text(views: Sequence[FeedView], held: Sequence[ItemView]) -> str:
    """The feeds, then what waits for a person."""
    rows = [
        (one.id, one.kind, one.state, str(one.trust), one.ceiling, one.tlp, str(one.items), _at(one.last_ok))
        for one in views
    ]
    lines = [table(rows, ("FEED", "KIND", "STATE", "TRUST", "CEILING", "TLP", "ITEMS", "LAST ANSWER"))]
    lines += [f"  {one.id}: {one.fault}" for one in views if one.fault]
    lines += [f"needs a person: {one.title} ({one.uid}) hits {one.models} models" for one in held]
    return "\n".join(lines)


def effects_text(views: Sequence[EffectView]) -> str:
    """One row per effect."""
    rows = [
        (one.effect, one.target, one.ceiling, _at(one.until), ", ".join(one.feeds or one.causes), one.why[:WIDE])
        for one in views
    ]
    return table(rows, ("EFFECT", "TARGET", "CEILING", "UNTIL", "BY", "WHY"))


def impact_text(view: ImpactView) -> str:
    """An item, who says it, whom it hits and what it changed."""
    item = view.item
    about = [
        ("state", item.state + (", needs a person" if item.needs_person else "")),
        ("severity, tlp", f"{item.severity}, {item.tlp}"),
        ("known as", ", ".join(item.aliases) or item.key),
        ("uid", item.uid),
        *((f"said by {one.feed}", _says(one.standing, one.withdrawn_at or one.recorded_at)) for one in item.sources),
    ]
    parts = [table(about, (item.title[:WIDE], ""))]
    hits = [(one.model, one.value, "yes" if one.current else "no", str(one.verdict or "-")) for one in view.hits]
    if hits:
        parts.append(table(hits, ("MODEL", "HOLDS", "CURRENT", "VERDICT")))
    changes = [(one.model, f"{one.was or '-'} to {one.now}", _at(one.at)) for one in view.changes]
    if changes:
        parts.append(table(changes, ("MODEL", "VERDICT", "AT")))
    claims = [(one.effect, one.target, one.ceiling, _at(one.since), _at(one.ended_at)) for one in view.claims]
    if claims:
        parts.append(table(claims, ("EFFECT", "TARGET", "CEILING", "SINCE", "ENDED")))
    return "\n\n".join(parts)


def _says(standing: bool, moment: datetime) -> str:
    return f"{'since' if standing else 'withdrawn'} {_at(moment)}"
