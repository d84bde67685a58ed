"""Real servers that each choke on one thing, and one that chokes on nothing."""

from __future__ import annotations

import gzip
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "audit"))

from endpoints import TOKEN, Behaviour, serving

from holdfast.attack.availability.fuzz import Bounds, Damage, Fuzz
from holdfast.attack.availability.payloads import payloads
from holdfast.attack.availability.wire import NO_REPLY, Place, hold, post
from holdfast.core.errors import UsageError

QUICK = Bounds(seconds=20.0, patience_s=0.3)


def batch(rows: int = 1) -> bytes:
    tensor = {"name": "input", "shape": [rows, 5], "datatype": "FP64", "data": [1.0] * 5 * rows}
    return json.dumps({"inputs": [tensor]}).encode()


def fuzz(url: str, bounds: Bounds = QUICK, rows: tuple[int, ...] = (16, 64, 512)) -> Damage:
    return Fuzz(Place.of(url, TOKEN, 3.0), batch, bounds).run(payloads(batch()), rows)


def test_a_decent_endpoint_holds() -> None:
    with serving(Behaviour()) as url:
        seen = fuzz(url)
    assert seen.down_after is None
    assert seen.broke == {}
    assert seen.taken == []
    assert not seen.cut
    assert set(seen.rows_s) == {16, 64}
    assert seen.held_s > 0
    assert seen.requests < 60
    assert seen.sent < 3 * 2**20


def test_a_careless_one_breaks_on_named_payloads() -> None:
    with serving(Behaviour(validate=False)) as url:
        seen = fuzz(url)
    assert {"deep nesting", "null at the top", "a column missing"} <= set(seen.broke)
    assert seen.down_after is None


def test_one_that_dies_ends_the_test() -> None:
    behaviour = Behaviour(validate=False, dies=True)
    with serving(behaviour) as url:
        seen = fuzz(url)
    assert seen.down_after is not None
    assert len(seen.broke) == 1
    assert seen.rows_s == {}


def test_one_that_answers_nothing_valid_is_not_fuzzed() -> None:
    behaviour = Behaviour(token="other")
    with serving(behaviour) as url:
        seen = fuzz(url)
    assert seen.baseline_s == 0
    assert seen.requests == 5


@contextmanager
def server(answer: Callable[[bytes, dict[str, str]], int]) -> Iterator[str]:
    """A server whose status is what `answer` makes of body and headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(answer(body, {k.lower(): v for k, v in self.headers.items()}))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}/score"
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def test_what_is_taken_is_told() -> None:
    with server(lambda body, headers: 200) as url:
        seen = fuzz(url)
    assert {"deep nesting", "a shape beyond memory"} <= set(seen.taken)
    assert "huge number" not in " ".join(seen.taken)
    assert set(seen.rows_s) == {16, 64, 512}


def test_a_compressed_body_that_is_unpacked_is_seen() -> None:
    def unpack(body: bytes, headers: dict[str, str]) -> int:
        if headers.get("content-encoding") == "gzip":
            return 500 if len(gzip.decompress(body)) > 2**20 else 200
        return 200 if len(body) < 400 else 413

    with server(unpack) as url:
        seen = fuzz(url, rows=())
    assert seen.broke == {"a compressed body that grows a thousandfold": 500}


def test_a_slow_answer_is_the_slowest() -> None:
    def slow(body: bytes, headers: dict[str, str]) -> int:
        if len(body) > 400_000:
            time.sleep(0.3)
        return 200 if len(body) < 400 else 413

    with server(slow) as url:
        seen = fuzz(url, rows=())
    assert seen.slowest == "a text of half a MiB"
    assert seen.inflation > 1


@pytest.mark.parametrize("bounds", [Bounds(requests=9), Bounds(bytes=20_000), Bounds(seconds=0.4)])
def test_bounds_hold(bounds: Bounds) -> None:
    behaviour = Behaviour()
    with serving(behaviour) as url:
        seen = fuzz(url, bounds)
    assert seen.cut
    assert seen.requests <= bounds.requests
    assert seen.sent <= bounds.bytes + 2_000


def test_a_body_that_never_ends_is_held_as_long_as_patience_lasts() -> None:
    with serving(Behaviour()) as url:
        seconds, answer = hold(Place.of(url, TOKEN), batch(), 0.2)
        assert post(Place.of(url, TOKEN), batch()).accepted
    assert seconds == 0.2
    assert answer.status == NO_REPLY


def test_nobody_there_is_no_answer() -> None:
    with serving(Behaviour()) as url:
        pass
    assert post(Place.of(url, TOKEN), batch()).broken


@pytest.mark.parametrize("url", ["ftp://bank.example/x", "nothing", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Place.of(url)
    assert caught.value.code == "HF-ATK-010"


def test_payloads_of_plain_questions_need_no_tensor() -> None:
    names = {payload.name for payload in payloads(b'{"inputs": ["When are you open?"]}')}
    assert "not a number" in names
    assert "a column missing" not in names
    assert b'{"inputs": [NaN]}' in {payload.body for payload in payloads(b'{"inputs": ["When?"]}')}
