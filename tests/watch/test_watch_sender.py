"""From a model's process to the server: nothing lost while the server is away, nothing in the model's way."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import happenings
from holdfast.core.errors import ConfigError
from holdfast.watch.sender import Sender, SenderOptions
from holdfast.watch.spill import Spill
from holdfast.watch.wire import Wire

FAST = SenderOptions(linger_s=0.01, timeout_s=2)


class Server:
    """A server that answers as told and remembers what it took."""

    def __init__(self) -> None:
        outer = self
        self.status = 202
        self.events: list[dict[str, Any]] = []
        self.posts = 0
        self.refuse = ""
        self.headers: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.posts += 1
                outer.headers.append(self.headers)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                rows = [json.loads(line) for line in body.splitlines()]
                bad = bool(outer.refuse) and any(row["client"] == outer.refuse for row in rows)
                status = 400 if bad else outer.status
                if status == 202:
                    outer.events += rows
                said = json.dumps({"accepted": len(rows), "repeated": 0}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def event(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {"time": happenings.NOON, "model": "m", "client": "c", "features": {"n": number}, **changes}


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


def test_events_arrive_in_order_numbered_from_nought(server: Server) -> None:
    sender = Sender(server.url, token="t0ken", producer="p", options=FAST)
    ids = [sender.record(event(n)) for n in range(2500)]
    assert sender.flush()
    stats = sender.close()
    assert [row["event_id"] for row in server.events] == ids
    assert [row["sequence"] for row in server.events] == list(range(2500))
    assert {(row["producer"], row["epoch"]) for row in server.events} == {("p", sender.epoch)}
    assert (stats.recorded, stats.sent, stats.waiting, stats.waiting_bytes) == (2500, 2500, 0, 0)
    assert server.headers[0]["Authorization"] == "Bearer t0ken"
    assert server.posts < 50


def test_while_the_server_is_away_events_wait_and_then_arrive_once(server: Server) -> None:
    server.status = 503
    sender = Sender(server.url, options=FAST)
    for number in range(50):
        sender.record(event(number))
    wait_for(lambda: sender.stats.failures >= 2)
    assert (server.events, sender.stats.waiting) == ([], 50)
    server.status = 202
    assert sender.flush(20)
    sender.close()
    assert [row["sequence"] for row in server.events] == list(range(50))


def test_what_memory_cannot_hold_is_spilled_and_sent_later_by_the_next_process(server: Server, tmp_path: Path) -> None:
    server.status = 503
    small = SenderOptions(queue_bytes=20_000, linger_s=0.01)
    sender = Sender(server.url, producer="p", spill=tmp_path, options=small)
    for number in range(400):
        sender.record(event(number))
        if number % 20 == 0:
            wait_for(lambda: sender.stats.waiting_bytes < 15_000)
    stats = sender.close(2)
    assert stats.dropped == 0
    assert stats.spilled == 400
    server.status = 202
    other = Sender(server.url, producer="q", spill=tmp_path, options=small)
    other.record(event())
    wait_for(lambda: len(server.events) == 401)
    other.close()
    assert {row["sequence"] for row in server.events if row["producer"] == "p"} == set(range(400))
    assert list(tmp_path.glob("*.ndjson")) == []


def test_what_has_no_room_is_counted_and_leaves_a_gap(server: Server) -> None:
    server.status = 503
    sender = Sender(server.url, options=SenderOptions(queue_bytes=2000, linger_s=0.01))
    for number in range(100):
        sender.record(event(number))
    dropped = sender.stats.dropped
    assert 0 < dropped < 100
    sender.skip(5)
    server.status = 202
    assert sender.flush(20)
    sender.record(event())
    sender.flush()
    assert sender.close().dropped == dropped + 5
    assert server.events[-1]["sequence"] == 105
    assert len(server.events) == 101 - dropped


def test_recording_never_waits_for_a_server_that_hangs(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = Sender(f"http://127.0.0.1:{silent.getsockname()[1]}", options=SenderOptions(timeout_s=30, linger_s=0))
        sender.record(event())
        time.sleep(0.05)
        began = time.thread_time()
        for number in range(2000):
            sender.record(event(number))
        assert time.thread_time() - began < 2
        assert sender.stats.waiting == 2001
        sender.close(0.1)
        assert sender.stats.dropped == 2001


def test_a_row_that_is_refused_does_not_hold_up_the_others(server: Server) -> None:
    server.refuse = "bad"
    sender = Sender(server.url, options=FAST)
    for number in range(64):
        sender.record(event(number, client="bad" if number == 37 else "c"))
    assert sender.flush()
    assert sender.close().refused == 1
    assert sorted(row["sequence"] for row in server.events) == [n for n in range(64) if n != 37]


def test_an_event_that_cannot_be_said_is_dropped_and_told(server: Server) -> None:
    sender = Sender(server.url, options=FAST)
    sender.record(event(features={"x": object()}))
    assert sender.stats.dropped == 1
    assert "encoded" in sender.stats.last_error
    sender.close()


def test_a_forked_child_is_a_producer_with_an_epoch_of_its_own(server: Server) -> None:
    sender = Sender(server.url, producer="p", options=FAST)
    sender.record(event(1))
    assert sender.flush()
    child = os.fork()
    if child == 0:
        sender.record(event(2))
        sender.flush()
        sender.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    sender.record(event(3))
    assert sender.flush()
    sender.close()
    assert [(row["features"]["n"], row["sequence"]) for row in server.events] == [(1, 0), (2, 0), (3, 1)]
    assert server.events[0]["epoch"] != server.events[1]["epoch"]


def test_a_batch_taken_by_a_process_that_died_is_given_back(tmp_path: Path) -> None:
    spill = Spill(tmp_path, 1000)
    assert spill.put(b"x" * 600, 1, "a")
    assert not spill.put(b"x" * 600, 2, "b"), "beyond the limit"
    taken = spill.take()
    assert taken is not None
    taken.rename(taken.with_suffix(".taken-999999999"))
    assert Spill(tmp_path, 1000).take() is not None


@pytest.mark.parametrize("address", ["", "ftp://x", "127.0.0.1:8000", "http://"])
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Wire(address, None, 1)
    assert caught.value.code == "HF-WAT-030"
