"""The door for events: the receiver of the watch room behind a token of scope ingest."""

from __future__ import annotations

import threading

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from holdfast.core.domain.access import Scope as TokenScope
from holdfast.server.auth.recognise import demand_identity
from holdfast.server.auth.refusals import not_signed_in
from holdfast.server.site import Site


class Events:
    """POST /watch/events, for tokens of scope ingest. Refuses before a byte of the body is read."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._opening = threading.Lock()
        self._inside: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive)
        request.state.route = "/watch/events"
        who = await demand_identity(self._site, request)
        who.demand_scope(TokenScope.INGEST)
        if who.secret is not None:
            # A browser that is signed in has no business here, and another site could make it send something.
            raise not_signed_in()
        inside = await run_in_threadpool(self._receiver)
        await inside(scope, receive, send)

    def _receiver(self) -> ASGIApp:
        """Made with the first events, so that a console that nobody sends any to opens no log."""
        with self._opening:
            if self._inside is None:
                from holdfast.watch.receiver import receiver

                self._inside = receiver(self._site.intake)
            return self._inside
