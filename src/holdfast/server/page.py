"""How a page is declared: one function gives the view that the HTML shows and that its JSON twin is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import msgspec

from holdfast.core.domain import digest_bytes, to_iso
from holdfast.server.auth.rights import Right
from holdfast.server.visit import Deed, Visit

SCHEMA_VERSION = 1
AS_OF = {"as_of": "The moment to look at, such as 2026-01-05T09:00:00Z. Default: now."}


@dataclass(frozen=True, slots=True)
class Page:
    """A view under a path. `kind` is its type; `query` says what each query parameter means."""

    path: str
    template: str
    section: str
    view: Callable[[Visit], Any]
    kind: type
    summary: str
    query: Mapping[str, str] = field(default_factory=dict)
    right: Right | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What an action says when it is done: where to look next, and anything to be shown there once."""

    location: str
    shown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """A change under a path. `right` None: everybody, for themselves.

    `said` is what the next page says; `fields` says what each field of the form means.
    """

    path: str
    right: Right | None
    act: Callable[[Deed], Done]
    name: str
    said: str
    summary: str
    fields: Mapping[str, str] = field(default_factory=dict)


PAGES: list[Page] = []
ACTIONS: list[Action] = []


def page(
    path: str, template: str, section: str, *, query: Mapping[str, str] | None = None, right: Right | None = None
) -> Callable[[Callable[[Visit], Any]], Callable[[Visit], Any]]:
    """Declare the page at `path`: `@page("/ledger", "ledger.html", "ledger")` above the function of its view."""

    def declare(view: Callable[[Visit], Any]) -> Callable[[Visit], Any]:
        summary = (view.__doc__ or "").strip().split("\n")[0]
        kind = get_type_hints(view)["return"]
        PAGES.append(Page(path, template, section, view, kind, summary, query or {}, right))
        return view

    return declare


def action(
    path: str, right: Right | None, *, said: str, fields: Mapping[str, str] | None = None
) -> Callable[[Callable[[Deed], Done]], Callable[[Deed], Done]]:
    """Declare what a POST to `path` does. The name of the function becomes the action's."""

    def declare(act: Callable[[Deed], Done]) -> Callable[[Deed], Done]:
        summary = (act.__doc__ or "").strip().split("\n")[0]
        ACTIONS.append(Action(path, right, act, act.__name__, said, summary, fields or {}))
        return act

    return declare


@dataclass(frozen=True, slots=True)
class Answer:
    """A view made for one visit."""

    page: Page
    visit: Visit
    view: Any
    inputs_digest: str

    @property
    def body(self) -> bytes:
        """The JSON twin."""
        head = {
            "schema_version": SCHEMA_VERSION,
            "as_of": to_iso(self.visit.as_of),
            "inputs_digest": self.inputs_digest,
        }
        return msgspec.json.encode({**msgspec.to_builtins(self.view), **head})


def answer(item: Page, visit: Visit) -> Answer:
    """Make a page's view. Raises what the view raises, and AccessError without the right to it."""
    if item.right is not None:
        visit.who.demand(item.right)
    view = item.view(visit)
    said = {name: value for name, value in msgspec.to_builtins(view).items() if name != "as_of"}
    return Answer(item, visit, view, digest_bytes(msgspec.json.encode(said)))
