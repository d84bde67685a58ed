"""Intelligence: feeds and their health, what they say, and everything it causes."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.errors import UsageError
from holdfast.intel.decide import dismiss, release
from holdfast.intel.queries import (
    EffectView,
    FeedView,
    ImpactView,
    ItemView,
    effects_view,
    feeds_view,
    find_item,
    impact_view,
    items_view,
)
from holdfast.server.auth.rights import Right
from holdfast.server.faults import not_found
from holdfast.server.page import AS_OF, Done, action, page
from holdfast.server.visit import Deed, Visit

MAX_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Intel:
    """Feeds, the items that changed last (those that wait for a person first), and every derived effect."""

    feeds: tuple[FeedView, ...]
    items: tuple[ItemView, ...]
    effects: tuple[EffectView, ...]
    waiting: int


KIND = {"kind": "Only items of this kind: advisory, technique, indicator."}


@page("/intel", "intel.html", "intel", query={**AS_OF, **KIND})
def intel(visit: Visit) -> Intel:
    """Feeds, items and effects with their causes."""
    items = items_view(visit.tx, MAX_ITEMS, kind=visit.word("kind"))
    effects = (item for item in effects_view(visit.tx, visit.as_of) if _visible(visit, item.target))
    return Intel(feeds_view(visit.tx, visit.as_of), items, tuple(effects), sum(item.needs_person for item in items))


def _visible(visit: Visit, target: str) -> bool:
    """Whether an effect's target is no model, or one that the user may see."""
    kind, _, name = target.partition(":")
    if kind not in ("model", "version", "client"):
        return True
    return name.partition("@")[0].partition("/")[0] in visit.models


@page("/intel/items/{id}", "intel_item.html", "intel")
def intel_item(visit: Visit) -> ImpactView:
    """One item: who says so, which models it hits, what it caused, which verdicts it changed."""
    name = visit.params["id"]
    try:
        found = impact_view(visit.tx, find_item(visit.tx, name))
    except UsageError:
        raise not_found(f"intelligence '{name[:80]}'") from None
    return ImpactView(
        found.item,
        tuple(hit for hit in found.hits if hit.model in visit.models),
        tuple(claim for claim in found.claims if _visible(visit, claim.target)),
        tuple(change for change in found.changes if change.model in visit.models),
    )


@action(
    "/intel/items/{id}/withdraw",
    Right.HANDLE_INTEL,
    said="The item is taken back; effects with other causes stay.",
    fields={"reason": "Why it is wrong."},
)
def withdraw_item(deed: Deed) -> Done:
    """Take an item back, whatever feeds say of it."""
    dismiss(deed.tx, _uid(deed), deed.who.name, deed.text("reason", most=500))
    return Done(f"/intel/items/{deed.params['id']}")


@action(
    "/intel/items/{id}/release",
    Right.HANDLE_INTEL,
    said="The item may take effect.",
    fields={"reason": "Why it may take effect."},
)
def release_item(deed: Deed) -> Done:
    """Let an item count that waits for a person, or that somebody took back."""
    if release(deed.tx, _uid(deed), deed.who.name, deed.text("reason", most=500)) is None:
        raise not_found("item that waits for a person under this id")
    return Done(f"/intel/items/{deed.params['id']}")


def _uid(deed: Deed) -> str:
    name = deed.params["id"]
    try:
        return find_item(deed.tx, name)
    except UsageError:
        raise not_found(f"intelligence '{name[:80]}'") from None
