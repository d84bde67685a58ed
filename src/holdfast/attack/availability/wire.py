"""One connection per request, written by hand: bodies and paces are tested that no client library would send."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from holdfast.core.errors import UsageError

MAX_REPLY_BYTES = 1 << 16
NO_REPLY = 0
"""Status of a request that ended without an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, how long it took from the last byte sent, and what was sent."""

    status: int
    seconds: float
    sent: int
    why: str = ""

    @property
    def broken(self) -> bool:
        """No answer at all, or one that blames the server."""
        return self.status == NO_REPLY or self.status >= 500

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go. The token goes there, in a header, and nowhere else."""

    host: str
    port: int
    path: str
    tls: bool
    token: str | None
    timeout_s: float

    @classmethod
    def of(cls, url: str, token: str | None = None, timeout_s: float = 5.0) -> Place:
        """Raises UsageError (HF-ATK-010) where the address is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                "the endpoint cannot be tested",
                cause=f"'{url[:80]}' is no http or https address",
                fix="correct endpoint.url in holdfast.yaml",
                code="HF-ATK-010",
            )
        tls = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname, parts.port or (443 if tls else 80), path, tls, token, timeout_s)

    def head(self, length: int, encoding: str | None) -> bytes:
        """The lines before a body of `length` bytes."""
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"host: {self.host}:{self.port}",
            "content-type: application/json",
            "accept: application/json",
            "user-agent: holdfast-audit",
            "connection: close",
            f"content-length: {length}",
        ]
        lines += [f"content-encoding: {encoding}"] if encoding else []
        lines += [f"authorization: Bearer {self.token}"] if self.token is not None else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def post(place: Place, body: bytes, *, encoding: str | None = None) -> Answer:
    """One request with an answer in any case; time runs from the last byte sent."""
    return _exchange(place, [place.head(len(body), encoding) + body])


def hold(place: Place, body: bytes, patience_s: float) -> tuple[float, Answer]:
    """Send all but the end of a body and wait: seconds until the other side ended it, at most `patience_s`."""
    begun = time.monotonic()
    try:
        with _connected(place) as link:
            link.sendall(place.head(len(body), None) + body[: len(body) // 2])
            link.settimeout(patience_s)
            head = link.recv(4096)
    except TimeoutError:
        return patience_s, Answer(NO_REPLY, patience_s, len(body) // 2, "still waiting")
    except OSError as fault:
        return time.monotonic() - begun, Answer(NO_REPLY, 0.0, len(body) // 2, type(fault).__name__)
    seconds = time.monotonic() - begun
    return seconds, Answer(_status(head), seconds, len(body) // 2)


def _exchange(place: Place, pieces: Iterable[bytes]) -> Answer:
    sent, begun = 0, time.monotonic()
    try:
        with _connected(place) as link:
            refused = None
            for piece in pieces:
                try:
                    link.sendall(piece)
                except TimeoutError:
                    raise
                except OSError as fault:  # it may have answered, and closed before all was read
                    refused = fault
                sent += len(piece)
            begun = time.monotonic()
            head = _read(link, place.timeout_s)
            if not head and refused is not None:
                raise refused
    except OSError as fault:
        return Answer(NO_REPLY, time.monotonic() - begun, sent, type(fault).__name__)
    return Answer(_status(head), time.monotonic() - begun, sent, "" if head else "closed without an answer")


def _connected(place: Place) -> socket.socket:
    link = socket.create_connection((place.host, place.port), timeout=place.timeout_s)
    if place.tls:
        return ssl.create_default_context().wrap_socket(link, server_hostname=place.host)
    return link


def _read(link: socket.socket, timeout_s: float) -> bytes:
    """The answer up to its end or the bound; a trickle is cut off at the timeout as a whole."""
    held, end = bytearray(), time.monotonic() + timeout_s
    while len(held) < MAX_REPLY_BYTES:
        link.settimeout(max(0.01, end - time.monotonic()))
        try:
            piece = link.recv(65_536)
        except ConnectionError:
            break
        except TimeoutError:
            if held:
                break
            raise
        if not piece:
            break
        held += piece
    return bytes(held[:MAX_REPLY_BYTES])


def _status(head: bytes) -> int:
    """The status line's number; NO_REPLY where it is none."""
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return NO_REPLY
    return min(int(words[1]), 999)
