"""Trackers that show the backlog elsewhere, how far each was read, and which ticket is which item."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, select, update

from holdfast.core.domain.backlog import Ticket, TrackerLink
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session
from holdfast.core.store.tables.backlog import tickets, trackers


class Tickets:
    """One ticket per tracker and item, for ever."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def connect(self, link: TrackerLink) -> None:
        """Show the backlog in a tracker from now on, or change where it is."""
        known = self._sql.scalar(select(trackers.c.cursor).where(trackers.c.name == link.name))
        values = {"name": link.name, "body": encode(link), "cursor": known, "recorded_at": self._session.now}
        self._session.put(trackers, values)

    def disconnect(self, name: str) -> bool:
        """Show nothing more in a tracker; what is there stays there."""
        return self._session.changed(delete(trackers).where(trackers.c.name == name)) == 1

    def links(self) -> list[TrackerLink]:
        """The connected trackers, by name."""
        return [
            decode(body, TrackerLink) for body in self._sql.scalars(select(trackers.c.body).order_by(trackers.c.name))
        ]

    def cursor(self, name: str) -> str | None:
        """How far the changes of a tracker were read."""
        return self._sql.scalar(select(trackers.c.cursor).where(trackers.c.name == name))

    def set_cursor(self, name: str, cursor: str) -> None:
        """Remember how far the changes of a tracker were read."""
        self._sql.execute(update(trackers).where(trackers.c.name == name).values(cursor=cursor))

    def put(self, ticket: Ticket) -> None:
        """Keep a ticket as the tracker last showed it."""
        names = ("tracker", "item", "number", "version", "url", "closed")
        values = {name: getattr(ticket, name) for name in names}
        self._session.put(tickets, {**values, "recorded_at": self._session.now})

    def find(self, tracker: str, item: str) -> Ticket | None:
        """The ticket of an item in a tracker."""
        row = self._sql.execute(
            select(tickets).where(tickets.c.tracker == tracker, tickets.c.item == item)
        ).one_or_none()
        return None if row is None else _ticket(row)

    def numbered(self, tracker: str, number: str) -> Ticket | None:
        """The ticket with this number in a tracker."""
        query = select(tickets).where(tickets.c.tracker == tracker, tickets.c.number == number)
        row = self._sql.execute(query.order_by(tickets.c.item).limit(1)).one_or_none()
        return None if row is None else _ticket(row)

    def of_item(self, item: str) -> list[Ticket]:
        """The tickets of an item, by tracker."""
        query = select(tickets).where(tickets.c.item == item).order_by(tickets.c.tracker)
        return [_ticket(row) for row in self._sql.execute(query)]


def _ticket(row: Row[Any]) -> Ticket:
    return Ticket(row.tracker, row.item, row.number, row.version, row.closed, row.url)
