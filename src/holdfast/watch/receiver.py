"""The HTTP way in: a raw ASGI app. 202 means on disk; everything else means that nothing of the request was kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, Final

from holdfast.core.errors import DataError, HoldfastError, StoreError
from holdfast.watch.events import RefusedError
from holdfast.watch.intake import Intake, OverloadedError, Receipt, overloaded
from holdfast.watch.parse import ARROW, JSON, NDJSON, parser, read_json, too_large, unpack
from holdfast.watch.settings import WatchSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Authorize = Callable[[Scope], object | None]
"""Who sends this, or None: nobody who may."""

RETRY_S: Final = 1
BODY_S: Final = 30.0
"""A body that is not here after this long is given up."""
PARSERS: Final = 2
ENCODINGS: Final = {"": None, "identity": None, "gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}


_WARM: Final = (
    b'{"event_id":"0","time":"2026-01-05T09:00:00Z","model":"m","client":"c","features":{"x":1},'
    b'"producer":"p","epoch":0,"sequence":0}'
)


class _AnswerError(Exception):
    """An answer other than 202."""

    def __init__(self, status: int, fault: HoldfastError, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(status)
        self.status, self.fault, self.headers = status, fault, tuple(headers)


class Receiver:
    """POST events: Arrow IPC stream, NDJSON, or one JSON object; optionally gzip or zstd. Any path, any mount."""

    def __init__(self, intake: Intake, authorize: Authorize | None) -> None:
        self.intake, self.authorize = intake, authorize
        self.settings: WatchSettings = intake.settings
        self._held = 0
        self._parsers = ThreadPoolExecutor(PARSERS, "holdfast-parse")
        # pyarrow looks for pandas at its first conversion, which takes a second; not while a sender waits.
        self._parsers.submit(read_json, _WARM, self.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            raise RuntimeError(f"events come by HTTP, not by {scope['type']}")
        try:
            receipt = await self._take(scope, receive)
            await _reply(send, 202, {"accepted": receipt.accepted, "repeated": receipt.repeated})
        except _AnswerError as answer:
            await _reply(send, answer.status, error_body(answer.fault), answer.headers)

    async def _take(self, scope: Scope, receive: Receive) -> Receipt:
        headers = {name.lower(): value for name, value in scope["headers"]}
        parse, encoding = self._form(scope, headers)
        size = self._announced(headers)
        hold = _Hold(self, size)
        try:
            async with asyncio.timeout(BODY_S):
                body = await self._body(receive, hold)
            return await self._keep(body, encoding, parse)
        except TimeoutError:
            raise _AnswerError(
                408, _wrong("the body did not come in time", f"{BODY_S:g} s", "send it faster")
            ) from None
        finally:
            hold.release()

    def _form(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[Any, str | None]:
        """How to read the body. Raises _AnswerError before a byte of it is read."""
        if scope["method"] != "POST":
            raise _AnswerError(
                405, _wrong("events are sent by POST", scope["method"], "use POST"), [(b"allow", b"POST")]
            )
        if self.authorize is not None and self.authorize(scope) is None:
            fault = _wrong(
                "no right to send events", "the token is missing, wrong, or of another scope", "send a token"
            )
            raise _AnswerError(401, fault, [(b"www-authenticate", b"Bearer")])
        media = headers.get(b"content-type", b"").decode("latin-1")
        parse = parser(media)
        if parse is None:
            raise _AnswerError(415, _wrong("not a form of events", media[:100] or "no Content-Type", f"send {_FORMS}"))
        encoding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
        if encoding not in ENCODINGS:
            raise _AnswerError(415, _wrong("not an encoding of events", encoding[:100], "send gzip, zstd or nothing"))
        return parse, ENCODINGS[encoding]

    def _announced(self, headers: dict[bytes, bytes]) -> int:
        said = headers.get(b"content-length", b"0")
        size = int(said) if said.isdigit() and len(said) < 16 else self.settings.max_body_bytes + 1
        if size > self.settings.max_body_bytes:
            raise _AnswerError(413, too_large(f"the limit of a body is {self.settings.max_body_bytes:,} bytes"))
        return size

    async def _body(self, receive: Receive, hold: _Hold) -> bytes:
        pieces: list[bytes] = []
        total = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _AnswerError(400, _wrong("the sender went away", "the body is not complete", "send it again"))
            piece = message.get("body", b"")
            total += len(piece)
            if total > self.settings.max_body_bytes:
                raise _AnswerError(413, too_large(f"the limit of a body is {self.settings.max_body_bytes:,} bytes"))
            hold.grow(total)
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces) if len(pieces) > 1 else pieces[0]

    async def _keep(self, body: bytes, encoding: str | None, parse: Any) -> Receipt:
        def work() -> Any:
            plain = body if encoding is None else unpack(body, encoding, self.settings)
            return self.intake.submit(parse(plain, self.settings))

        try:
            waiting = await asyncio.get_running_loop().run_in_executor(self._parsers, work)
            return await asyncio.wrap_future(waiting)
        except OverloadedError as fault:
            raise _AnswerError(503, fault, _RETRY) from None
        except RefusedError as fault:
            raise _AnswerError(413 if fault.code == "HF-WAT-003" else 400, fault) from None
        except DataError as fault:
            raise _AnswerError(400, fault) from None
        except StoreError as fault:
            raise _AnswerError(503, fault, _RETRY) from None

    def hold(self, size: int) -> None:
        """Count bytes of bodies in memory. Raises _AnswerError (503) beyond the limit."""
        if self._held + self.intake.stats.waiting_bytes + size > self.settings.queue_bytes:
            self.intake.stats.overloaded += 1
            raise _AnswerError(503, overloaded(), _RETRY)
        self._held += size

    def let_go(self, size: int) -> None:
        """These bytes are no longer in memory."""
        self._held -= size


class _Hold:
    """The bytes that one request holds: what it announced, or more as more comes."""

    def __init__(self, receiver: Receiver, size: int) -> None:
        receiver.hold(size)
        self._receiver, self._size = receiver, size

    def grow(self, total: int) -> None:
        if total > self._size:
            self._receiver.hold(total - self._size)
            self._size = total

    def release(self) -> None:
        self._receiver.let_go(self._size)


_RETRY: Final = ((b"retry-after", str(RETRY_S).encode()),)
_FORMS: Final = f"{ARROW}, {NDJSON} or {JSON}"


def receiver(intake: Intake, authorize: Authorize | None = None) -> Receiver:
    """The ASGI app that takes events into `intake`. Without `authorize` everybody may send: for loopback and tests."""
    return Receiver(intake, authorize)


def error_body(fault: HoldfastError) -> dict[str, Any]:
    """The shape of every error that the server answers; refused rows beside it."""
    body: dict[str, Any] = {"code": fault.code, "message": fault.message, "cause": fault.cause, "fix": fault.fix}
    if isinstance(fault, RefusedError) and fault.rows:
        body["rows"] = [asdict(row) for row in fault.rows]
    return {"error": body}


def _wrong(message: str, cause: str, fix: str) -> DataError:
    return DataError(message, cause=cause, fix=fix, code="HF-WAT-006")


async def _reply(send: Send, status: int, body: Any, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    data = json.dumps(body).encode()
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": data})
