"""The outermost layer: which requests come in at all, what every answer carries, and what the log says of it."""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.core.errors import HoldfastError
from holdfast.core.report.escape import visible
from holdfast.server.faults import as_json, internal, status_of, too_large, wrong_host
from holdfast.server.headers import security_headers
from holdfast.server.site import Site

MAX_BODY_BYTES: Final = 65_536
EVENTS_PATH: Final = "/watch/events"
"""The receiver bounds its bodies itself."""

_access = logging.getLogger("holdfast.access")
_faults = logging.getLogger("holdfast.server")


class TooLargeError(Exception):
    """A body grew beyond its bound while it was read."""


@dataclass
class _Exchange:
    """One request as the log will know it."""

    scope: Scope
    send: Send
    secure: bool
    status: int = 0
    began: float = field(default_factory=perf_counter)

    async def answer(self, message: Message) -> None:
        """Pass a message on; its first part gains the headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in security_headers(self.scope["path"], secure=self.secure).items():
                headers[name] = value
            if "server" in headers:
                del headers["server"]
        await self.send(message)


class Guard:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._site.front.secure)
        scope.setdefault("state", {})
        try:
            await self._serve(scope, receive, exchange)
        finally:
            self._note(exchange)

    async def _serve(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        headers = Headers(scope=scope)
        refusal = self._refusal(scope["path"], headers)
        if refusal is not None:
            await _refuse(refusal, scope, receive, exchange)
            return
        try:
            await self._app(scope, _bounded(receive, scope["path"]), exchange.answer)
        except TooLargeError:
            if exchange.status == 0:
                await _refuse(too_large(MAX_BODY_BYTES), scope, receive, exchange)
        except Exception:
            await self._failed(scope, receive, exchange)

    def _refusal(self, path: str, headers: Headers) -> HoldfastError | None:
        if path != "/healthz" and not self._site.front.answers(headers.get("host", "")):
            return wrong_host(headers.get("host", ""))
        length = headers.get("content-length", "0")
        if path != EVENTS_PATH and (not length.isdigit() or int(length[:18]) > MAX_BODY_BYTES):
            return too_large(MAX_BODY_BYTES)
        return None

    async def _failed(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        """What no handler answered; where one did, it has logged the fault already."""
        if exchange.status == 0:
            await _refuse(logged(scope), scope, receive, exchange)

    def _note(self, exchange: _Exchange) -> None:
        scope, elapsed_s = exchange.scope, perf_counter() - exchange.began
        route = scope["state"].get("route", "other")
        self._site.metrics.seen(scope["method"], route, exchange.status, elapsed_s)
        _access.info("%s", _line(exchange, elapsed_s))


def _line(exchange: _Exchange, elapsed_s: float) -> str:
    """One line of JSON. No query, no body, no header: that is where secrets and persons are."""
    scope = exchange.scope
    said: dict[str, Any] = {
        "method": scope["method"],
        "path": visible(scope["path"], 200),
        "status": exchange.status,
        "ms": round(elapsed_s * 1000, 1),
        "user": scope["state"].get("user"),
        "address": (scope.get("client") or ("-",))[0],
    }
    return json.dumps(said)


def logged(scope: Scope) -> HoldfastError:
    """The error for the fault that is being handled: logged under a reference, and only the reference goes out."""
    reference = secrets.token_hex(6)
    _faults.exception("fault %s on %s %s", reference, scope["method"], visible(scope["path"], 200))
    return internal(reference)


async def _refuse(fault: HoldfastError, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
    await JSONResponse(as_json(fault), status_of(fault))(scope, receive, exchange.answer)


def _bounded(receive: Receive, path: str) -> Receive:
    """`receive`, until a body of unknown length has grown too large."""
    if path == EVENTS_PATH:
        return receive
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise TooLargeError
        return message

    return bounded
