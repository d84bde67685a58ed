"""The HTTP way in: bounded, all or nothing, 202 when on disk. Most of it without a socket, some through uvicorn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import happenings
from holdfast.core.domain import FrozenClock
from holdfast.core.store import Store
from holdfast.watch import receiver as module
from holdfast.watch.intake import Intake
from holdfast.watch.parse import ARROW, JSON, NDJSON
from holdfast.watch.receiver import Receiver, receiver
from holdfast.watch.segments import Segments
from holdfast.watch.settings import WatchSettings

BOMB = pa.Codec("zstd").compress(b" " * 10_000_000, asbytes=True)


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    settings = WatchSettings(max_body_bytes=100_000, max_unpacked_bytes=1 << 20, queue_bytes=1 << 20)
    with (
        Store.open(None, tmp_path / "state", FrozenClock(happenings.NOON)) as store,
        Intake(store, settings, known=lambda name: name == "m") as intake,
    ):
        yield intake


def ask(
    app: Receiver,
    body: bytes,
    media: str,
    *,
    method: str = "POST",
    pieces: int = 1,
    announce: bool = True,
    **headers: str,
) -> tuple[int, Any, dict[bytes, bytes]]:
    """Status, body and headers of one request."""
    sent: list[dict[str, Any]] = []
    step = max(1, -(-len(body) // pieces))
    parts = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
    waiting = [
        {"type": "http.request", "body": part, "more_body": place < len(parts) - 1} for place, part in enumerate(parts)
    ]
    named = {"content-type": media, **({"content-length": str(len(body))} if announce else {}), **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": "/watch/events",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()],
    }

    async def receive() -> Any:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"]), dict(sent[0]["headers"])


def test_events_come_in_every_form_and_encoding(intake: Intake) -> None:
    app = receiver(intake)
    stream = happenings.stream(happenings.events(range(4)))
    assert ask(app, stream, ARROW)[:2] == (202, {"accepted": 4, "repeated": 0})
    packed = pa.Codec("gzip").compress(happenings.stream(happenings.events(range(6))), asbytes=True)
    assert ask(app, packed, ARROW, content_encoding="gzip")[:2] == (202, {"accepted": 2, "repeated": 4})
    lines = b"\n".join(json.dumps(happenings.row(n)).encode() for n in range(8))
    assert ask(app, lines, NDJSON, pieces=5, announce=False)[:2] == (202, {"accepted": 2, "repeated": 6})
    assert ask(app, json.dumps(happenings.row(8)).encode(), JSON)[:2] == (202, {"accepted": 1, "repeated": 0})
    assert ask(app, b"", NDJSON)[:2] == (202, {"accepted": 0, "repeated": 0})
    found = Segments(intake.store).after("m", 0)
    assert [one for _, table in found for one in table["event_id"].to_pylist()] == [f"e{n}" for n in range(9)]


@pytest.mark.parametrize(
    ("status", "code", "request_"),
    [
        (405, "HF-WAT-006", {"method": "GET"}),
        (415, "HF-WAT-006", {"media": "text/plain"}),
        (415, "HF-WAT-006", {"content_encoding": "br"}),
        (413, "HF-WAT-003", {"content_length": "100001"}),
        (413, "HF-WAT-003", {"content_length": "-1"}),
        (413, "HF-WAT-003", {"body": b"x" * 100_001, "announce": False, "pieces": 9}),
        (
            413,
            "HF-WAT-003",
            {"body": BOMB, "content_encoding": "zstd"},
        ),
        (400, "HF-WAT-004", {"body": b"what", "content_encoding": "gzip"}),
        (400, "HF-WAT-004", {"body": b"what", "media": ARROW}),
        (400, "HF-WAT-002", {"body": b"what"}),
        (400, "HF-WAT-005", {"body": json.dumps(happenings.row(1, model="other")).encode()}),
    ],
)
def test_what_is_wrong_is_answered_with_a_code(
    intake: Intake, status: int, code: str, request_: dict[str, Any]
) -> None:
    asked = {"body": b"{}", "media": NDJSON, **request_}
    found, body, _ = ask(receiver(intake), **asked)
    assert (found, body["error"]["code"]) == (status, code)
    assert set(body["error"]) >= {"code", "message", "cause", "fix"}
    assert Segments(intake.store).newest() == 0


def test_one_bad_row_refuses_all_and_is_named(intake: Intake) -> None:
    lines = b"\n".join(json.dumps(happenings.row(n, client="" if n == 3 else "c")).encode() for n in range(5))
    status, body, _ = ask(receiver(intake), lines, NDJSON)
    assert status == 400
    assert body["error"]["rows"] == [{"row": 3, "column": "client", "reason": "empty"}]
    assert Segments(intake.store).newest() == 0


def test_who_may_not_send_is_told_before_the_body_is_read(intake: Intake) -> None:
    def nobody(scope: Any) -> None:
        return None

    status, _, headers = ask(receiver(intake, nobody), b"x" * 1000, NDJSON)
    assert (status, headers[b"www-authenticate"]) == (401, b"Bearer")


def test_bodies_that_wait_are_bounded_in_bytes(intake: Intake) -> None:
    app = receiver(intake)
    app.hold((1 << 20) - 10)
    status, body, headers = ask(app, json.dumps(happenings.row(1)).encode(), JSON)
    assert (status, body["error"]["code"], headers[b"retry-after"]) == (503, "HF-WAT-010", b"1")
    status, _, _ = ask(app, json.dumps(happenings.row(1)).encode(), JSON, announce=False)
    assert status == 503
    app.let_go((1 << 20) - 10)
    assert ask(app, json.dumps(happenings.row(1)).encode(), JSON)[0] == 202
    assert app._held == 0


def test_a_body_that_does_not_come_is_given_up(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_S", 0.05)
    app = receiver(intake)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", NDJSON.encode())]}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert app._held == 0


def test_a_sender_that_goes_away_keeps_nothing(intake: Intake) -> None:
    app = receiver(intake)
    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": b'{"event', "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "method": "POST", "headers": [(b"content-type", NDJSON.encode())]}, receive, send))
    assert sent[0]["status"] == 400
    assert app._held == 0
