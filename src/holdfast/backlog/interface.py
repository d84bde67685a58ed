"""What a tracker is: a place where people see items as tickets. It may claim and ask; it proves and grants nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from holdfast.core.domain.backlog import TrackerLink
from holdfast.core.errors import PrerequisiteError
from holdfast.core.plugins import Registry

LABEL: Final = "holdfast"
"""On every ticket of ours, so that changes are read without everybody else's."""
ASKS: Final = "accept-requested"
"""The label by which people in a tracker ask for an acceptance."""
_BEGIN, _END = "<!-- holdfast -->", "<!-- /holdfast -->"


@dataclass(frozen=True, slots=True)
class Draft:
    """A ticket as it should be. `key` never changes and is on the ticket; `closed` None: as it is there."""

    key: str
    title: str
    body: str
    closed: bool | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """A ticket as the tracker shows it. `version` guards an update; `key` None: none of ours."""

    number: str
    key: str | None
    title: str
    body: str
    closed: bool
    version: str | None
    asks: bool = False
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """Tickets that changed, oldest change first, and from where to read on."""

    tickets: tuple[Remote, ...]
    cursor: str | None


class Tracker(Protocol):
    """Six calls. Each may be repeated: the second one changes nothing. Raises TrackerError where nothing is known."""

    def create(self, draft: Draft) -> Remote:
        """Make the ticket, unless one with this key is there: then that one."""
        ...

    def find(self, key: str) -> Remote | None:
        """The ticket with this key."""
        ...

    def read(self, number: str) -> Remote | None:
        """The ticket as it is now; None where it is gone."""
        ...

    def update(self, remote: Remote, draft: Draft) -> Remote | None:
        """Bring the ticket to the draft; None, and nothing is changed, where somebody changed it since `remote`."""
        ...

    def comment(self, number: str, key: str, text: str) -> None:
        """Say something on a ticket, once per key."""
        ...

    def changed(self, since: str | None) -> Changes:
        """Tickets of ours that changed since a cursor (None: ever), at least once each."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class TrackerError(PrerequisiteError):
    """The tracker did not answer as it should; what was to be sent is sent again later."""


Factory = Callable[[TrackerLink, Mapping[str, str]], Tracker]
"""Makes a tracker of a link and the environment that holds its token."""


def _load_own() -> None:
    import holdfast.backlog.trackers.rest  # noqa: F401


TRACKERS: Registry[Factory] = Registry("tracker", "holdfast.trackers", _load_own)


def tracker(kind: str) -> Callable[[Factory], Factory]:
    """Register a kind of tracker."""
    return lambda factory: TRACKERS.add(kind, factory)


def block(text: str) -> str:
    """Our part of a ticket's text, between marks."""
    return f"{_BEGIN}\n{text.replace(_BEGIN, '').replace(_END, '')}\n{_END}"


def merged(body: str, draft: str) -> str:
    """A ticket's text with our part renewed; what people wrote around it stays."""
    before, begin, rest = body.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        return f"{body.rstrip()}\n\n{block(draft)}" if body.strip() else block(draft)
    return f"{before}{block(draft)}{after}"
