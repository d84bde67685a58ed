"""Notices as syslog messages (RFC 5424) over UDP, TCP or TLS (octet counting, RFC 6587 and RFC 5425).

The ids are structured data under `holdfast@<enterprise number>`, the text is one line. UDP promises nothing: a
message is gone where nobody listens, unless the network says so. Over TCP and TLS the receiver is asked to read to
the end: the message counts as delivered when the receiver has closed its side.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.response import Notice
from holdfast.core.domain.severity import Severity
from holdfast.core.policy.schema import Strict, word_of
from holdfast.respond.interface import MAX_WAIT_S, Sink, SinkError, sink

DOCUMENTATION_NUMBER: Final = 32473
"""The enterprise number that RFC 5612 sets aside for examples; a bank puts its own."""

LEVELS: Final = {
    Severity.CRITICAL: 2,
    Severity.HIGH: 3,
    Severity.MEDIUM: 4,
    Severity.LOW: 5,
    Severity.INFO: 6,
}
"""Severity -> level of RFC 5424: critical, error, warning, notice, informational."""

PARTS: Final = ("alert", "model", "version", "severity", "technique", "finding", "incident", "tier")
MAX_PART: Final = 256
LOCALLY_REFUSED_S: Final = 0.02
"""How long to wait for the answer of a machine without a listener, after a datagram."""

Transport = Annotated[Literal["udp", "tcp", "tls"], word_of(["udp", "tcp", "tls"])]


class SyslogOptions(Strict):
    """`facility` is a number of RFC 5424 (13: log audit). `ca`: a PEM file that replaces the system's authorities."""

    host: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+$")]
    port: Annotated[int, Field(ge=1, le=65535)]
    transport: Transport = "tls"
    facility: Annotated[int, Field(ge=0, le=23)] = 13
    enterprise: Annotated[int, Field(ge=1, le=2**32 - 1)] = DOCUMENTATION_NUMBER
    hostname: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,255}$")] | None = None
    max_bytes: Annotated[int, Field(ge=480, le=65_000)] = 2048
    timeout_s: Annotated[float, Field(gt=0, le=MAX_WAIT_S)] = 5.0
    ca: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


@dataclass(frozen=True)
class Syslog:
    """One receiver; every notice has a connection of its own, so that its end can be told."""

    options: SyslogOptions
    folder: Path

    def send(self, notice: Notice) -> None:
        """Send one message. See the module for what that means on each transport."""
        message = render(notice, self.options, self.options.hostname or socket.gethostname())
        if self.options.transport == "udp":
            self._datagram(message)
        else:
            self._stream(b"%d %s" % (len(message), message))

    def _datagram(self, message: bytes) -> None:
        family, address = self._address(socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as link:
            link.settimeout(LOCALLY_REFUSED_S)
            link.connect(address)
            link.send(message)
            # A machine that is there but does not listen says so; one that is not there says nothing.
            try:
                link.recv(1)
            except TimeoutError:
                return

    def _address(self, kind: socket.SocketKind) -> tuple[socket.AddressFamily, tuple[object, ...]]:
        family, _, _, _, address = socket.getaddrinfo(self.options.host, self.options.port, type=kind)[0]
        return family, address

    def _stream(self, frame: bytes) -> None:
        ends = time.monotonic() + self.options.timeout_s
        plain = socket.create_connection((self.options.host, self.options.port), self.options.timeout_s)
        with plain, self._secured(plain) as link:
            link.settimeout(_left(ends))
            link.sendall(frame)
            self._finish(link, ends)

    def _secured(self, plain: socket.socket) -> socket.socket:
        if self.options.transport == "tcp":
            return plain
        ca = None if self.options.ca is None else str(self.folder / self.options.ca)
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context.wrap_socket(plain, server_hostname=self.options.host)

    def _finish(self, link: socket.socket, ends: float) -> None:
        """Say that nothing follows, and wait until the receiver has read that far."""
        link.settimeout(_left(ends))
        if isinstance(link, ssl.SSLSocket):
            try:
                link.unwrap()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return
            return
        link.shutdown(socket.SHUT_WR)
        while True:
            link.settimeout(_left(ends))
            if not link.recv(4096):
                return


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise SinkError("the receiver did not finish in time")
    return left


def render(notice: Notice, options: SyslogOptions, hostname: str) -> bytes:
    """The message as bytes, at most `max_bytes`: the text gives way first, then parts of the structured data."""
    priority = options.facility * 8 + _level(notice)
    # RFC 5424 allows six digits of a second, which is what a moment has.
    stamp, host, kind = to_iso(notice.at), _name(hostname, 255), _name(notice.kind, 32)
    head = f"<{priority}>1 {stamp} {host} holdfast - {kind} "
    data = _data(notice, options, options.max_bytes - len(head.encode()))
    text = " ".join(str(notice.body.get("message") or notice.body.get("title") or notice.kind).split())
    room = options.max_bytes - len((head + data).encode()) - 4
    if room < 1 or not text:
        return (head + data).encode()
    # The byte order mark says that the text is UTF-8, as RFC 5424 wants it.
    return (head + data).encode() + b" \xef\xbb\xbf" + _cut(_printable(text), room)


def _level(notice: Notice) -> int:
    word = notice.body.get("severity")
    return LEVELS[Severity(word)] if word in list(Severity) else 5


def _data(notice: Notice, options: SyslogOptions, room: int) -> str:
    """As many parts as fit, the ids first."""
    found = f"[holdfast@{options.enterprise}"
    named = {"notice": notice.id, "state": notice.state, "tlp": notice.tlp}
    named |= {name: value for name in PARTS if isinstance(value := notice.body.get(name), str) and value}
    for name, value in named.items():
        part = f' {name}="{_escaped(value)}"'
        if len((found + part).encode()) + 1 > room:
            break
        found += part
    return found + "]"


def _escaped(value: str) -> str:
    """A parameter value: quote, backslash and bracket behind a backslash, control characters made visible."""
    text = _cut(_printable(value), MAX_PART).decode()
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _printable(text: str) -> str:
    """No control characters, which split lines in receivers, and no lone surrogates, which no UTF-8 holds."""
    return "".join("\ufffd" if not letter.isprintable() else letter for letter in text)


def _name(text: str, longest: int) -> str:
    """A header field: visible ASCII without spaces, `-` for nothing."""
    return "".join(letter for letter in text if "!" <= letter <= "~")[:longest] or "-"


def _cut(text: str, size: int) -> bytes:
    """At most `size` bytes of UTF-8, no letter split."""
    return text.encode()[:size].decode("utf-8", "ignore").encode()


@sink("syslog", SyslogOptions)
def syslog(options: SyslogOptions, folder: Path) -> Sink:
    """A syslog receiver."""
    return Syslog(options, folder)
