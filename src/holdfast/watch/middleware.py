"""ASGI middleware for servers of models: what is asked and answered becomes events, and orders in force are obeyed.

What it cannot read passes through untouched and is counted as unobserved. It answers in the model's place only under an
enforced order, and says little: an attacker learns more from a reason than from a shrug.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final

from holdfast.core.domain.clock import Clock, system_clock
from holdfast.watch.capture import Guard, column_names
from holdfast.watch.dialects import Question, Spoken, spoken
from holdfast.watch.directives import HttpSource, Orders, Plan, Source
from holdfast.watch.sender import Sender, SenderOptions

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Mapping[str, str]

MAX_BYTES: Final = 8 << 20
"""Requests and answers beyond this pass unobserved."""
MAX_MODELS: Final = 1000
CLIENT_HEADER: Final = "x-client-id"
SUBJECT_HEADER: Final = "x-subject-id"
OVERHEAD_HEADER: Final = b"x-holdfast-overhead-us"
STEP_UP_HEADER: Final = b"x-holdfast-step-up"
MISREAD: Final = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)


class WatchMiddleware:
    """Wraps an ASGI app; `app = WatchMiddleware(app, server=..., model="credit-default")`."""

    def __init__(  # noqa: PLR0913  (each is a thing users set, all but one have defaults)
        self,
        app: App,
        *,
        server: str | None = None,
        model: str | None = None,
        version: str | None = None,
        contracts: Mapping[str, Any] | None = None,
        client: Callable[[Scope, Headers], str | None] | None = None,
        subject: Callable[[Scope, Headers], str | None] | None = None,
        paths: Sequence[str] = ("/predict",),
        shadow: App | None = None,
        token_env: str = "HOLDFAST_TOKEN",  # noqa: S107  (the name of a variable, not a token)
        producer: str | None = None,
        spill: Path | str | None = None,
        orders: Callable[[str], Source] | None = None,
        options: SenderOptions | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """Watch the models behind `app`.

        `model` is the one behind `/invocations` and `paths` (plain JSON); under /v2/models/NAME/infer the path names
        it. `contracts` gives each model's columns (Contract, path or names). `client` and `subject` read who asks and
        whom it is about from a request; default: the headers x-client-id (else the peer's address) and x-subject-id.
        `shadow` answers in the app's place under an order to shadow. The rest is as in `holdfast.watch.wrap`.
        """
        address = server or os.environ.get("HOLDFAST_SERVER", "")
        token = os.environ.get(token_env)
        self.app, self.model, self.version, self.paths, self.shadow = app, model, version, tuple(paths), shadow
        self._names = {name: column_names(one) for name, one in (contracts or {}).items()}
        self._client, self._subject, self._clock = client, subject, clock
        folder = None if spill is None else Path(spill)
        self.sender = Sender(address, token=token, producer=producer, spill=folder, options=options, clock=clock)
        self._orders = orders or (lambda name: HttpSource(address, name, token))
        self._guards: dict[str, Guard] = {}
        self.unobserved = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        found = spoken(scope["path"], self.paths) if scope["type"] == "http" and scope["method"] == "POST" else None
        name = None if found is None else found.model or self.model
        if found is None or name is None or (name not in self._guards and len(self._guards) >= MAX_MODELS):
            if scope["type"] == "lifespan":
                await self._lifespan(scope, receive, send)
            else:
                await self.app(scope, receive, send)
            return
        await _Exchange(self, self._guard(name), found, scope).run(receive, send)

    def stats(self) -> dict[str, Any]:
        """Counters by model, and how many requests could not be read."""
        return {"unobserved": self.unobserved, "models": {name: one.stats() for name, one in self._guards.items()}}

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits."""
        self.sender.close(timeout_s)
        for guard in self._guards.values():
            guard.orders.close()

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            self.close()

    def _guard(self, name: str) -> Guard:
        if name not in self._guards:
            orders = Orders(self._orders(name), self._clock)
            self._guards[name] = Guard(name, self.version, self.sender, orders, self._clock)
        return self._guards[name]

    def names(self, model: str) -> Sequence[str]:
        """The columns of a model's matrices, where they are known."""
        return self._names.get(model, ())

    def who(self, scope: Scope) -> tuple[str, str | None]:
        """Who asks, and whom it is about."""
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        peer = (scope.get("client") or ("unknown",))[0]
        try:
            client = self._client(scope, headers) if self._client else headers.get(CLIENT_HEADER)
            subject = self._subject(scope, headers) if self._subject else headers.get(SUBJECT_HEADER)
        except Exception:  # the user's function is part of the recording, not of the answer
            client = subject = None
        return (client or peer)[:256], None if subject is None else subject[:256]


class _Exchange:
    """One request for a model and its answer."""

    def __init__(self, owner: WatchMiddleware, guard: Guard, found: Spoken, scope: Scope) -> None:
        self.owner, self.guard, self.found, self.scope = owner, guard, found, scope
        self.question: Question | None = None
        self.client, self.subject = owner.who(scope)
        self.status = 200
        self.head: Message = {}
        self.pieces: list[bytes] | None = []
        self.overhead_us = 0

    async def run(self, receive: Receive, send: Send) -> None:
        """Ask, obey, pass on, record."""
        messages = await _whole(receive)
        began = time.perf_counter()
        self.question = self._read(messages)
        plan = self.guard.plan([self.client], max(1, len(self.question.rows) if self.question else 1))
        self.overhead_us = int((time.perf_counter() - began) * 1e6)
        if plan.block or plan.retry_s is not None:
            self._record([(None, "blocked" if plan.block else "throttled")] * self._count())
            await _refuse(send, plan)
            return
        app = self.owner.shadow if plan.shadow and self.owner.shadow is not None else self.owner.app
        await app(self.scope, _replay(messages, receive), lambda message: self._answer(message, send, plan))

    def _read(self, messages: list[Message]) -> Question | None:
        body = b"".join(message.get("body", b"") for message in messages)
        complete = messages[-1]["type"] == "http.request" and not messages[-1].get("more_body", False)
        try:
            if not complete:
                raise ValueError("too long, or cut off")
            return self.found.dialect.question(json.loads(body), self.owner.names(self.guard.model))
        except MISREAD:
            self.owner.unobserved += 1
            return None

    def _count(self) -> int:
        return 0 if self.question is None else len(self.question.rows)

    async def _answer(self, message: Message, send: Send, plan: Plan) -> None:
        """Pass on what the app says; hold it back only where it has to be made coarser."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.head = {**message, "headers": [*message.get("headers", ()), *self._marks(plan)]}
            if plan.digits is None:
                await send(self.head)
            return
        if message["type"] != "http.response.body":
            await send(message)
            return
        last = not message.get("more_body", False)
        self._gather(message.get("body", b""))
        if plan.digits is None:
            await send(message)
        elif last:
            await self._send_coarse(send, plan.digits)
        if last:
            self._observe()

    def _gather(self, piece: bytes) -> None:
        if self.pieces is not None:
            self.pieces.append(piece)
            if sum(map(len, self.pieces)) > MAX_BYTES:
                self.pieces = None

    def _marks(self, plan: Plan) -> list[tuple[bytes, bytes]]:
        marks = [(OVERHEAD_HEADER, str(self.overhead_us).encode())]
        return [*marks, (STEP_UP_HEADER, b"1")] if plan.step_up else marks

    async def _send_coarse(self, send: Send, digits: int) -> None:
        """The answer with fewer digits. One that cannot be made coarse is withheld: the order is enforced."""
        body = b"" if self.pieces is None else b"".join(self.pieces)
        if self.status < 300:
            try:
                body = json.dumps(self.found.dialect.coarsened(json.loads(body), digits)).encode()
            except MISREAD:
                self.head["status"], body = 503, b'{"error": "not available"}'
        kept = [(key, value) for key, value in self.head["headers"] if key.lower() != b"content-length"]
        await send({**self.head, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})

    def _observe(self) -> None:
        if self.question is None:
            return
        answers: Iterable[tuple[float | None, str | None]] = [(None, None)] * self._count()
        try:
            if self.status < 300 and self.pieces is not None:
                answers = self.found.dialect.answers(json.loads(b"".join(self.pieces)), self._count())
        except MISREAD:
            self.owner.unobserved += 1
        self._record(list(answers))

    def _record(self, answers: list[tuple[float | None, str | None]]) -> None:
        if self.question is None:
            return
        count = self._count()
        said = [*self.question.subjects[:count], *[None] * count][:count]
        subjects = [one if self.subject is None else self.subject for one in said]
        try:
            self.guard.record(
                self.question.rows, answers[:count], [self.client] * count, subjects, self.question.request_id
            )
        except Exception:  # recording never breaks an answer
            self.guard.faults += 1


async def _whole(receive: Receive) -> list[Message]:
    """The messages of a body, up to the limit; what is beyond it stays where it is."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False) or size > MAX_BYTES:
            return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    left = list(messages)

    async def again() -> Message:
        return left.pop(0) if left else await receive()

    return again


async def _refuse(send: Send, plan: Plan) -> None:
    headers = [(b"content-type", b"application/json")]
    body = b'{"error": "not available"}'
    if not plan.block and plan.retry_s is not None:
        headers.append((b"retry-after", str(max(1, round(plan.retry_s))).encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 403 if plan.block else 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
