"""HTTP from a process that runs a model to the Holdfast server: standard library, one connection, bounded answers."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from holdfast.core.errors import ConfigError

MAX_ANSWER_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    body: bytes
    retry_s: float | None


class Wire:
    """One kept connection. Raises OSError or http.client.HTTPException where the server cannot be reached."""

    def __init__(self, server: str, token: str | None, timeout_s: float) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"'{server}' is no address of a Holdfast server",
                cause="it is neither http://host[:port] nor https://host[:port]",
                fix="give the address that `holdfast serve` prints",
                code="HF-WAT-030",
            )
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._token, self._timeout_s = token, timeout_s
        self._begin()

    def _begin(self) -> None:
        """At the start, and in a forked child: it must not speak on its parent's connection or wait for its threads."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._open: http.client.HTTPConnection | None = None

    def get(self, path: str) -> Answer:
        """GET."""
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: bytes, media: str) -> Answer:
        """POST."""
        return self._ask("POST", path, body, {"Content-Type": media})

    def close(self) -> None:
        """Close the connection, unless a request is under way; the next request opens one."""
        if self._lock.acquire(blocking=False):
            self._drop()
            self._lock.release()

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        sent = {**headers, **({"Authorization": f"Bearer {self._token}"} if self._token else {})}
        if self._pid != os.getpid():
            self._begin()
        with self._lock:
            kept = self._open is not None
            try:
                return self._once(method, path, body, sent)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A kept connection may have been closed meanwhile; events carry ids, so asking twice is safe.
                if not kept:
                    raise
                return self._once(method, path, body, sent)

    def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        if self._open is None:
            self._open = self._kind(self._host, self._port, timeout=self._timeout_s)
        try:
            self._open.request(method, self._prefix + path, body, dict(headers))
            answer = self._open.getresponse()
            data = answer.read(MAX_ANSWER_BYTES + 1)
            if len(data) > MAX_ANSWER_BYTES:
                raise http.client.HTTPException("the answer is too long")
            if answer.will_close:
                self._drop()
            return Answer(answer.status, data, _seconds(answer.getheader("Retry-After")))
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _seconds(said: str | None) -> float | None:
    return float(said) if said is not None and said.isdigit() and len(said) < 6 else None
