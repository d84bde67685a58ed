"""Items as tickets elsewhere, both ways: what happens here is shown there, what people say there is heard here.

Sending is driven by the outbox and may be killed at any moment: a ticket's key is its item's id, and a comment's key
the item's journal line, so whatever is sent again is found and not made again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from holdfast.backlog.interface import TRACKERS, Draft, Remote, Tracker, TrackerError
from holdfast.backlog.lifecycle import claim, person, record
from holdfast.core.domain import to_iso
from holdfast.core.domain.backlog import BacklogItem, Entry, ItemState, Step, Ticket, TrackerLink
from holdfast.core.domain.topics import TRACKER
from holdfast.core.errors import HoldfastError, UsageError
from holdfast.core.report.escape import markdown, visible
from holdfast.core.store import Message, Store, Transaction, new_owner

BATCH: Final = 20
MOST: Final = 10_000
HEAR_EVERY: Final = timedelta(seconds=30)
LEASE_S: Final = 60.0
HELD_S: Final = 300.0
"""For how long a tracker is one process's; more than all requests for one ticket may take."""
LONGEST_WAIT_S: Final = 600.0
TRIES: Final = 4
"""How often an update is tried anew when somebody else was faster."""
SAID_ALOUD: Final = (Step.RETURNED, Step.ACCEPTED, Step.REOPENED, Step.PROVEN)
"""Steps that become comments; the others only change the ticket's text."""
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PROJECT: Final = re.compile(r"[A-Za-z0-9._-]{1,100}(/[A-Za-z0-9._-]{1,100})?")
_HERE: Final = ("127.0.0.1", "localhost", "::1")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What went over: messages sent, tickets heard, and what failed, to be tried again."""

    sent: int = 0
    heard: int = 0
    faults: tuple[HoldfastError, ...] = ()

    def __add__(self, other: Exchanged) -> Exchanged:
        return Exchanged(self.sent + other.sent, self.heard + other.heard, self.faults + other.faults)


def connect(tx: Transaction, link: TrackerLink, who: str) -> TrackerLink:
    """Show the backlog in a tracker from now on, all of its present work included. Raises UsageError (HF-BLG-012)."""
    by = person(who)
    tx.tickets.connect(check(link))
    tx.intend("tracker.connected", {"tracker": link.name, "kind": link.kind, "project": link.project, "by": by})
    for item in tx.backlog.all():
        if item.undone or item.state is ItemState.ACCEPTED:
            tx.outbox.publish(topic(link), f"{item.id}@{tx.backlog.last_sequence(item.id)}", {"item": item.id})
    return link


def check(link: TrackerLink) -> TrackerLink:
    """The link, if its parts are possible. Raises UsageError (HF-BLG-012; HF-USE-002 for no such kind)."""
    wrong = _wrong(link)
    if wrong is not None:
        raise UsageError(
            "this tracker cannot be connected",
            cause=wrong,
            fix="correct it; `holdfast backlog tracker add --help` has an example",
            code="HF-BLG-012",
        )
    TRACKERS.get(link.kind)
    return link


def find_link(tx: Transaction, name: str) -> TrackerLink:
    """A connected tracker. Raises UsageError (HF-BLG-012) for one that is not."""
    links = {link.name: link for link in tx.tickets.links()}
    if name not in links:
        raise UsageError(
            f"there is no tracker '{name}'",
            cause=f"connected are {', '.join(links) or 'none'}",
            fix="`holdfast backlog tracker list` shows them",
            code="HF-BLG-012",
        )
    return links[name]


def disconnect(tx: Transaction, name: str, who: str) -> None:
    """Show nothing more in a tracker; its tickets stay. Raises UsageError (HF-BLG-012) for one that is not known."""
    by = person(who)
    tx.tickets.disconnect(find_link(tx, name).name)
    tx.intend("tracker.disconnected", {"tracker": name, "by": by})


def _wrong(link: TrackerLink) -> str | None:
    parts = urlsplit(link.url)
    if not _NAME.fullmatch(link.name):
        return "its name must be small letters, digits and -, 40 at most"
    if parts.scheme not in ("http", "https") or not parts.hostname or len(link.url) > 2000:
        return "its address must be an http or https URL"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "its address must not hold a user, a query or a fragment"
    if link.token_env is not None and parts.scheme == "http" and parts.hostname not in _HERE:
        return "a token must not travel unencrypted; use https"
    if not _PROJECT.fullmatch(link.project) or ".." in link.project:
        return "its project must be written as owner/name"
    if link.token_env is not None and not _VARIABLE.fullmatch(link.token_env):
        return "the token's environment variable must be written like TRACKER_TOKEN"
    return None


def exchange(
    store: Store,
    environ: Mapping[str, str] = os.environ,
    *,
    lease_s: float = LEASE_S,
    hearing: bool = True,
    most: int = MOST,
) -> Exchanged:
    """Send what waits to every tracker (`most` each), and hear what changed there. What fails is tried again.

    One process at a time speaks with a tracker: two that look for the same ticket at once would both make it.
    """
    with store.reading() as tx:
        links = [link for link in tx.tickets.links() if hearing or tx.outbox.waiting([topic(link)])]
    done = Exchanged()
    for link in links:
        done += _exchange(store, link, environ, lease_s=lease_s, hearing=hearing, most=most)
    return done


def _exchange(
    store: Store, link: TrackerLink, environ: Mapping[str, str], *, lease_s: float, hearing: bool, most: int
) -> Exchanged:
    owner = new_owner()
    if not store.run(lambda tx: tx.leases.claim(topic(link), owner, HELD_S)):
        return Exchanged()
    try:
        with closing(TRACKERS.get(link.kind)(link, environ)) as made:
            sent = deliver(store, link, made, owner, lease_s=lease_s, most=most)
            return sent if sent.faults or not hearing else sent + hear(store, link, made)
    except (TrackerError, UsageError) as fault:
        return Exchanged(faults=(fault,))
    finally:
        store.run(lambda tx: tx.leases.release(topic(link), owner))


@dataclass
class Exchanger:
    """Exchanging as background work: sends soon, a batch at a time, and hears now and then."""

    store: Store
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    _heard_at: datetime | None = None

    def __call__(self) -> int:
        """One round; how much went over. Raises TrackerError where a tracker failed, after all had their turn."""
        now = self.store.clock()
        due = self._heard_at is None or now >= self._heard_at + HEAR_EVERY
        done = exchange(self.store, self.environ, hearing=due, most=BATCH)
        if due:
            self._heard_at = now
        if done.faults:
            raise done.faults[0]
        return done.sent + done.heard


def deliver(
    store: Store, link: TrackerLink, made: Tracker, owner: str, *, lease_s: float = LEASE_S, most: int = MOST
) -> Exchanged:
    """Send what waits for one tracker, oldest first. After a fault the rest waits too, as the tracker is down."""
    for sent in range(most):
        message = store.run(lambda tx: _next(tx, link, owner, lease_s))
        if message is None:
            return Exchanged(sent)
        try:
            _send(store, link, made, message)
        except TrackerError as fault:
            wait_s = min(LONGEST_WAIT_S, 2.0**message.deliveries)
            store.run(lambda tx, held=message, s=wait_s: tx.outbox.postpone(held.sequence, owner, s))  # type: ignore[misc]
            return Exchanged(sent, faults=(fault,))
        store.run(lambda tx, done=message: tx.outbox.ack([done.sequence]))  # type: ignore[misc]
    return Exchanged(most)


def _next(tx: Transaction, link: TrackerLink, owner: str, lease_s: float) -> Message | None:
    """The next message, while the tracker is still this process's to speak with."""
    if not tx.leases.renew(topic(link), owner, HELD_S):
        return None
    batch = tx.outbox.claim_batch(owner, topics=[topic(link)], limit=1, ttl_s=lease_s)
    return batch[0] if batch else None


def hear(store: Store, link: TrackerLink, made: Tracker) -> Exchanged:
    """Take what people did in a tracker: a closed ticket is a claim, a label may ask for an acceptance; no more."""
    with store.reading() as tx:
        since = tx.tickets.cursor(link.name)
    changes = made.changed(since)
    heard = sum(store.run(lambda tx, one=remote: _heard(tx, link, one)) for remote in changes.tickets)  # type: ignore[misc]
    if changes.cursor is not None and changes.cursor != since:
        cursor = changes.cursor
        store.run(lambda tx: tx.tickets.set_cursor(link.name, cursor))
    return Exchanged(heard=heard)


def topic(link: TrackerLink) -> str:
    """The outbox topic of a tracker."""
    return f"{TRACKER}{link.name}"


def draft_of(item: BacklogItem) -> Draft:
    """An item as a ticket: open there while it is work, closed when proven; claimed or accepted, as people have it."""
    closed = {ItemState.PROVEN: True, ItemState.CLAIMED: None, ItemState.ACCEPTED: None}.get(item.state, False)
    lines = [
        f"**{item.rank.urgency}**, {item.points} points, {item.state}, due {to_iso(item.due_at)}",
        "",
        *(f"- {markdown(reason)}" for reason in item.rank.reasons),
        "",
        f"Item {item.id}. Closing this ticket claims that it is done; only the same check on what serves proves it.",
    ]
    return Draft(item.id, visible(f"[{item.model}] {item.title}"), "\n".join(lines), closed)


def _send(store: Store, link: TrackerLink, made: Tracker, message: Message) -> None:
    """Bring one item's ticket to what the item is now."""
    number, entry = None, None
    for _ in range(TRIES):
        with store.reading() as tx:
            item, ticket = tx.backlog.find(message.body["item"]), tx.tickets.find(link.name, message.body["item"])
            entry = _line(tx, message) if item is not None else None
        if item is None:
            return
        remote = None if ticket is None else made.read(ticket.number)
        if remote is None:
            remote = made.create(draft_of(item))
            remote = made.read(remote.number) or remote
        if store.run(lambda tx, one=remote: _heard(tx, link, one)):  # type: ignore[misc]
            continue
        draft = draft_of(item)
        if draft.closed and not remote.closed:
            # Written down first: killed right after it, our own closing must not look like somebody else's.
            _keep(store, link, item, replace(remote, closed=True))
        after = made.update(remote, draft)
        if after is not None:
            _keep(store, link, item, after)
            number = after.number
            break
    else:
        raise TrackerError(
            f"a ticket in '{link.name}' changes all the time",
            cause=f"{TRIES} updates came too late",
            fix="nothing is to be done; it is tried again",
            code="HF-BLG-013",
        )
    if entry is not None and entry.step in SAID_ALOUD:
        made.comment(number, message.cause, f"{entry.step}: {entry.why}")


def _line(tx: Transaction, message: Message) -> Entry | None:
    """The journal line that a message is about."""
    _, _, sequence = message.cause.rpartition("@")
    lines = (one for one in tx.backlog.history(message.body["item"]) if str(one.sequence) == sequence)
    return next(lines, None)


def _keep(store: Store, link: TrackerLink, item: BacklogItem, remote: Remote) -> None:
    store.run(lambda tx: tx.tickets.put(_ticket(link, item.id, remote)))


def _heard(tx: Transaction, link: TrackerLink, remote: Remote) -> bool:
    """Take what a ticket says that is news; True where that moved its item."""
    item = None if remote.key is None else tx.backlog.find(remote.key)
    if item is None:
        return False
    known = tx.tickets.find(link.name, item.id)
    if known is not None and known.number != remote.number:
        return False
    was_closed = known is not None and known.closed
    tx.tickets.put(_ticket(link, item.id, remote))
    actor, moved = f"tracker:{link.name}", False
    if remote.closed and not was_closed and item.state in (ItemState.OPEN, ItemState.PLANNED, ItemState.ACTIVE):
        item = claim(tx, item, actor, f"ticket {remote.number} was closed")
        moved = True
    if remote.asks and item.state is not ItemState.PROVEN and not _asked(tx, item, actor):
        why = f"ticket {remote.number} asks to accept the risk; a person here decides"
        record(tx, item, Step.NOTED, actor=actor, why=why, body={"asks": "acceptance"})
        moved = True
    return moved


def _asked(tx: Transaction, item: BacklogItem, actor: str) -> bool:
    """Whether this tracker's wish is on record since the item was opened last."""
    history = [one for one in tx.backlog.history(item.id) if one.effective_at >= item.opened_at]
    return any(one.actor == actor and one.body.get("asks") == "acceptance" for one in history)


def _ticket(link: TrackerLink, item: str, remote: Remote) -> Ticket:
    return Ticket(link.name, item, remote.number, remote.version, remote.closed, remote.url)
