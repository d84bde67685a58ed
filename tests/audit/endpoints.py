"""Real servers on real sockets: a decent scoring endpoint, and ones that each do one thing wrong."""

from __future__ import annotations

import json
import math
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "s3cret-of-the-endpoint"


@dataclass
class Behaviour:
    """A decent endpoint is the default; each flag breaks one thing."""

    width: int = 5
    token: str | None = TOKEN
    any_token: bool = False
    max_bytes: int | None = 256 * 1024
    max_rows: int | None = 256
    validate: bool = True
    trace: bool = False
    digits: int = 3
    plain: bool = False
    methods: tuple[str, ...] = ()
    any_type: bool = False
    redirect: str | None = None
    dies: bool = False
    banner: str = "bank"
    seen: list[tuple[str, str | None]] = field(default_factory=list)
    broken: bool = False


class _RefusedError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour
    protocol_version = "HTTP/1.1"

    def version_string(self) -> str:
        return self.behaviour.banner

    def do_POST(self) -> None:
        be = self.behaviour
        be.seen.append((self.command, self.headers.get("authorization")))
        if be.redirect:
            self.send_response(307)
            self.send_header("location", be.redirect)
            self._end(b"{}")
            return
        try:
            self._say(200, self._answer())
        except _RefusedError as fault:
            self._say(fault.status, {"error": "refused"})
        except Exception:
            be.broken = be.dies
            if be.trace:
                self._say(500, {"error": traceback.format_exc()})
            else:
                self._say(500, {"error": "something went wrong"})

    def _other(self) -> None:
        self.behaviour.seen.append((self.command, self.headers.get("authorization")))
        ok = self.command in self.behaviour.methods
        self._say(200 if ok else 405, {})

    def do_PUT(self) -> None:
        self._other()

    def do_DELETE(self) -> None:
        self._other()

    def do_TRACE(self) -> None:
        self._other()

    def _answer(self) -> dict[str, Any]:
        be = self.behaviour
        if be.broken:
            raise ValueError("broken for good")
        given = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if be.token is not None and (not given if be.any_token else given != be.token):
            raise _RefusedError(401)
        length = int(self.headers.get("content-length") or 0)
        if be.max_bytes is not None and length > be.max_bytes:
            self.close_connection = True
            raise _RefusedError(413)
        if not be.any_type and self.headers.get("content-type") != "application/json":
            raise _RefusedError(415)
        rows = self._rows(self.rfile.read(length))
        if be.max_rows is not None and rows > be.max_rows:
            raise _RefusedError(413)
        if be.plain:
            return {"outputs": [{"reply": "at nine"}] * rows}
        score = round(1 / math.pi, be.digits)
        return {"outputs": [{"name": "score", "shape": [rows], "datatype": "FP64", "data": [score] * rows}]}

    def _rows(self, data: bytes) -> int:
        """How many rows a body holds; what is malformed is refused by those who validate, and ends in a 500 else."""
        try:
            inputs = json.loads(data)["inputs"]
            if self.behaviour.plain:
                if not isinstance(inputs, list) or not all(isinstance(one, str) for one in inputs):
                    raise ValueError
                return len(inputs)
            (tensor,) = inputs
            rows, width = tensor["shape"]
            values = [float(value) for value in tensor["data"]]
            if rows < 1 or width != self.behaviour.width or len(values) != rows * width:
                raise ValueError
            if any(math.isinf(value) for value in values):
                raise ValueError
            return rows
        except (ValueError, KeyError, TypeError, RecursionError):
            if self.behaviour.validate:
                raise _RefusedError(400) from None
            raise

    def _say(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self._end(data)

    def _end(self, data: bytes) -> None:
        self.send_header("content-length", str(len(data)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that goes away in the middle is no news."""


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """The address of a server that behaves so."""
    handler = type("Handler", (_Handler,), {"behaviour": behaviour})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v2/models/m/infer"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
