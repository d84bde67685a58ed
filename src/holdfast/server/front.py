"""Under which address people reach the server, and what follows from it: hosts, origin, cookies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from holdfast.core.errors import ConfigError

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Front:
    """`url` is what people type, without a path; `hosts` the names under which requests are answered."""

    url: str
    hosts: frozenset[str]

    @classmethod
    def of(cls, host: str, port: int, *, tls: bool, public_url: str | None = None) -> Front:
        """Where the server listens, and the address that others see if that differs."""
        own = f"{'https' if tls else 'http'}://{_bracketed(host)}:{port}"
        names = LOOPBACK | {host} if host in LOOPBACK else frozenset({host})
        if public_url is None:
            return cls(own, names)
        parts = urlsplit(public_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ConfigError(
                "the public URL cannot be used",
                cause=f"{public_url!r} is no scheme and host without a path",
                fix="write it as https://holdfast.bank.example",
                code="HF-SRV-008",
            )
        return cls(f"{parts.scheme}://{parts.netloc}", names | {parts.hostname})

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return self.url.startswith("https://")

    @property
    def cookie(self) -> str:
        """The session cookie; over TLS its name alone keeps other hosts and paths from setting it."""
        return "__Host-holdfast" if self.secure else "holdfast"

    def answers(self, host: str) -> bool:
        """Whether a Host header names this server."""
        return _hostname(host) in self.hosts

    def is_own(self, origin: str, host: str) -> bool:
        """Whether an Origin header is this site: the public address, or the very host that was asked."""
        return origin == self.url or (urlsplit(origin).netloc == host and self.answers(host))


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
