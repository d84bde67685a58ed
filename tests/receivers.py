"""Real receivers on real sockets, for the tests of sinks: they keep what they got and can be turned off and on."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Got:
    """One HTTP request."""

    path: str
    headers: dict[str, str]
    body: bytes


class HttpReceiver:
    """Answers every POST with `status`, or with what `answer` does with the handler."""

    def __init__(self, port: int = 0, status: int = 204) -> None:
        self.got: list[Got] = []
        self.status = status
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                outer.got.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                if outer.answer is not None:
                    outer.answer(self)
                    return
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = int(self.server.server_address[1])
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def ids(self) -> list[str]:
        return [item.headers["webhook-id"] for item in self.got]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(item.body) for item in self.got]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class StreamReceiver:
    """Reads octet-counted frames until the sender is done, then closes, as syslog servers do."""

    context: ssl.SSLContext | None = None
    got: list[bytes] = field(default_factory=list)
    stubborn: bool = False
    """Never close the connection."""

    def __enter__(self) -> Self:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.stopping = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        # Closing alone leaves a thread that is accepting where it is.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        try:
            if self.context is not None:
                link = self.context.wrap_socket(link, server_side=True)
            data = b""
            while chunk := link.recv(65536):
                data += chunk
            self.got += frames(data)
            if self.stubborn:
                self.stopping.wait(10)
            if isinstance(link, ssl.SSLSocket):
                link.unwrap()
        except OSError:
            pass
        finally:
            link.close()


def frames(data: bytes) -> list[bytes]:
    """The messages of an octet-counted stream (RFC 6587 section 3.4.1)."""
    found = []
    while data:
        length, space, rest = data.partition(b" ")
        assert space, "a frame begins with its length"
        assert length.isdigit(), "a frame begins with its length"
        size = int(length)
        assert len(rest) >= size, "a frame is cut off"
        found.append(rest[:size])
        data = rest[size:]
    return found


@dataclass
class UdpReceiver:
    """Keeps datagrams."""

    got: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(2)
        self.port = int(self.socket.getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def take(self, count: int) -> list[bytes]:
        """Wait for so many datagrams."""
        while len(self.got) < count:
            self.got.append(self.socket.recv(65536))
        return self.got
