"""From a model to the log and back: real sockets, a real server, orders that arrive and go."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from holdfast.core.store import Store
from holdfast.watch import BlockedError, SenderOptions, WatchMiddleware, wrap
from holdfast.watch.intake import Intake
from holdfast.watch.receiver import receiver
from holdfast.watch.segments import Segments

QUICK = SenderOptions(linger_s=0.01)


class Served:
    """An ASGI app behind uvicorn on a socket of its own."""

    def __init__(self, app: Any) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listening]}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)


class Console:
    """The two doors of a Holdfast server that capture knows: events in, orders out."""

    def __init__(self, intake: Intake) -> None:
        self.events = receiver(
            intake, lambda scope: dict(scope["headers"]).get(b"authorization") == b"Bearer t" or None
        )
        self.orders: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/watch/events":
            await self.events(scope, receive, send)
            return
        model = scope["query_string"].decode().partition("model=")[2]
        found = [order for order in self.orders if order["model"] == model]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"directives": found}).encode()})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(None, tmp_path / "state") as store:
        yield store


@pytest.fixture
def console(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Console, str]]:
    monkeypatch.setenv("HOLDFAST_TOKEN", "t")
    monkeypatch.setattr("holdfast.watch.directives.FRESH_S", 0.02)
    with Intake(store, known=lambda _: True) as intake:
        console = Console(intake)
        served = Served(console)
        yield console, served.url
        served.close()


def block(model: str, client: str | None = None) -> dict[str, Any]:
    return {
        "action": "block",
        "model": model,
        "client": client,
        "enforce": True,
        "ceiling": "quarantine",
        "causes": ["alert:a"],
        "until": None,
        "body": {},
    }


def wait_for(condition: Any, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def decisions(store: Store, model: str) -> list[str | None]:
    return [value for _, table in Segments(store).after(model, 0) for value in table["decision"].to_pylist()]


def test_a_wrapped_model_is_watched_blocked_and_free_again(store: Store, console: tuple[Console, str]) -> None:
    desk, url = console
    model = wrap(lambda rows: ["yes"] * len(rows), name="m", server=url, client="c1", options=QUICK)
    assert model([{"x": 1}, {"x": 2}]) == ["yes", "yes"]
    desk.orders.append(block("m", "c1"))

    def blocked() -> bool:
        try:
            model([{"x": 3}])
        except BlockedError:
            return True
        return False

    wait_for(blocked)
    desk.orders.clear()
    wait_for(lambda: not blocked())
    assert model.flush(15)
    model.close()
    found = decisions(store, "m")
    assert found[:2] == ["yes", "yes"]
    assert found[-1] == "yes"
    assert "blocked" in found
    assert len(found) == model.stats()["sent"] == model.stats()["recorded"]


def test_a_model_server_is_watched_and_blocked(store: Store, console: tuple[Console, str]) -> None:
    async def scorer(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        body = json.dumps({"predictions": [0.5]}).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    desk, url = console
    app = WatchMiddleware(scorer, server=url, model="fraud", contracts={"fraud": ["a"]}, options=QUICK)
    served = Served(app)
    with httpx.Client(base_url=served.url, headers={"x-client-id": "bob"}) as client:

        def ask() -> int:
            return client.post("/invocations", json={"instances": [[1.5]]}).status_code

        assert ask() == 200
        desk.orders.append(block("fraud", "bob"))
        wait_for(lambda: ask() == 403)
        other = client.post("/invocations", json={"instances": [[1.5]]}, headers={"x-client-id": "eve"})
        assert other.status_code == 200
    served.close()
    assert app.sender.flush(15)
    app.close()
    found = [event for _, table in Segments(store).after("fraud", 0) for event in table.to_pylist()]
    assert {(event["client"], event["decision"]) for event in found} >= {
        ("bob", None),
        ("bob", "blocked"),
        ("eve", None),
    }
    assert found[0]["features"] == {"a": 1.5}
    assert found[0]["score"] == 0.5


def test_without_the_token_nothing_is_kept_and_nothing_is_lost(
    store: Store, console: tuple[Console, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOLDFAST_TOKEN", "wrong")
    _, url = console
    model = wrap(lambda rows: [0.5], name="m", server=url, options=QUICK, spill=tmp_path / "spill")
    model([{"x": 1}])
    wait_for(lambda: model.stats()["failures"] > 0)
    assert "401" in model.stats()["last_error"]
    model.close(1)
    assert model.stats()["spilled"] == 1
    assert Segments(store).newest() == 0
