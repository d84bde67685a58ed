"""The door for events: the receiver of the watch room behind a token of scope ingest."""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from holdfast.core.domain.access import Scope as TokenScope
from holdfast.server.auth.recognise import demand_identity
from holdfast.server.auth.refusals import not_signed_in
from holdfast.server.site import Site

_opening = threading.Lock()
_receivers: WeakKeyDictionary[Site, ASGIApp] = WeakKeyDictionary()


def events_app(site: Site) -> ASGIApp:
    """POST /watch/events. Raises AccessError before a byte of the body is read."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        request.state.route = "/watch/events"
        who = await demand_identity(site, request)
        who.demand_scope(TokenScope.INGEST)
        if who.secret is not None:
            # A browser that is signed in has no business here, and another site could make it send something.
            raise not_signed_in()
        inside = await run_in_threadpool(_receiver, site)
        await inside(scope, receive, send)

    return app


def _receiver(site: Site) -> ASGIApp:
    """Made with the first events, so that a console nobody sends any to opens no log."""
    with _opening:
        found = _receivers.get(site)
        if found is None:
            from holdfast.watch.receiver import receiver

            found = _receivers[site] = receiver(site.intake)
        return found
