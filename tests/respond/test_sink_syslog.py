"""Syslog messages are what RFC 5424 says, within their bounds, on three transports."""

from __future__ import annotations

import datetime as dt
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.core.domain.response import Notice
from holdfast.respond.interface import Sink, SinkError
from holdfast.respond.sinks.syslog import Syslog, SyslogOptions, render
from holdfast.testing.sinks import HOSTILE, MOMENT, SinkContract, fault_of, notice
from receivers import StreamReceiver, UdpReceiver, free_port

HEADER = re.compile(rb"<(\d{1,3})>1 (\S+) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) ")
PARAMETER = re.compile(rb' ([!-<>-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"')


def parse(message: bytes) -> tuple[int, str, dict[str, str], str]:
    """A reader of our own: priority, time, parameters, text. Fails on what RFC 5424 does not allow."""
    head = HEADER.match(message)
    assert head is not None, message
    rest = message[head.end() :]
    element = re.match(rb"\[([!-<>-~]+@\d+)", rest)
    assert element is not None, rest
    place, found = element.end(), {}
    while part := PARAMETER.match(rest, place):
        text = re.sub(rb'\\(["\\\]])', rb"\1", part[2]).decode()
        found[part[1].decode()] = text
        place = part.end()
    assert rest[place : place + 1] == b"]", rest[place:]
    text = rest[place + 1 :]
    if text:
        assert text.startswith(b" \xef\xbb\xbf")
        text = text[4:]
    return int(head[1]), head[2].decode(), found, text.decode()


def options(**more: object) -> SyslogOptions:
    return SyslogOptions.model_validate({"host": "127.0.0.1", "port": 514, "transport": "udp", **more})


def test_a_message_has_its_parts() -> None:
    priority, moment, found, text = parse(render(notice(), options(enterprise=64999), "gate1"))
    assert priority == 13 * 8 + 3
    assert moment == "2026-01-05T09:00:00.123456Z"
    assert found["notice"] == notice().id
    assert found["technique"] == "AML.T0024.002"
    assert "incident" not in found
    assert text == "near-duplicate queries climb (model card-fraud)"
    assert b"[holdfast@64999 " in render(notice(), options(enterprise=64999), "gate1")


@pytest.mark.parametrize(
    ("severity", "level"), [("critical", 2), ("high", 3), ("medium", 4), ("low", 5), ("info", 6), ("odd", 5), (None, 5)]
)
def test_severities_have_levels(severity: object, level: int) -> None:
    assert parse(render(notice(severity=severity), options(facility=4), "h"))[0] == 4 * 8 + level


def test_what_must_be_escaped_comes_back_as_it_was() -> None:
    odd = 'a"b\\c]d[e=f'
    assert parse(render(notice(model=odd), options(), "h"))[2]["model"] == odd


def test_no_message_holds_a_line_end_or_another_control_letter() -> None:
    message = render(notice(title=HOSTILE, message=HOSTILE, model=HOSTILE), options(), "host name\n")
    assert not [byte for byte in message if byte < 32]
    assert b" hostname " in message


texts = st.text(max_size=600)


@given(texts, texts, texts, st.integers(480, 4000), st.text(max_size=300))
def test_every_message_is_within_its_bound_and_readable(
    title: str, model: str, kind: str, bound: int, hostname: str
) -> None:
    said = Notice(kind, "alr_1", "raised", MOMENT, "amber", {"title": title, "model": model, "alert": model})
    message = render(said, options(max_bytes=bound), hostname)
    assert len(message) <= bound
    _, _, found, _ = parse(message)
    assert found["notice"] == said.id


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": 70000},
        {"transport": "sctp"},
        {"host": "a b"},
        {"max_bytes": 10},
        {"timeout_s": 0},
        {"facility": 24},
        {"nonsense": 1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        options(**wrong)


class TestUdp(SinkContract):
    @pytest.fixture(autouse=True)
    def _receiver(self) -> Iterator[None]:
        with UdpReceiver() as self.receiver:
            self.sent = 0
            yield

    def make_sink(self) -> Sink:
        plain = Syslog(options(port=self.receiver.port), Path())
        return _Counting(plain, self)

    def make_dead_sink(self) -> Sink:
        return Syslog(options(port=free_port()), Path())

    def received(self) -> list[str]:
        return [parse(item)[2]["notice"] for item in self.receiver.take(self.sent)]


class _Counting:
    """Counts what was sent, so that the test waits for as many datagrams and no longer."""

    def __init__(self, inner: Syslog, test: TestUdp) -> None:
        self.inner, self.test = inner, test

    def send(self, said: Notice) -> None:
        self.inner.send(said)
        self.test.sent += 1


class TestTcp(SinkContract):
    @pytest.fixture(autouse=True)
    def _receiver(self) -> Iterator[None]:
        with StreamReceiver() as self.receiver:
            yield

    def make_sink(self) -> Sink:
        return Syslog(options(port=self.receiver.port, transport="tcp"), Path())

    def make_dead_sink(self) -> Sink:
        return Syslog(options(port=free_port(), transport="tcp"), Path())

    def received(self) -> list[str]:
        return [parse(item)[2]["notice"] for item in self.receiver.got]

    def test_a_receiver_that_does_not_finish_has_not_taken_it(self) -> None:
        self.receiver.stubborn = True
        sink = Syslog(options(port=self.receiver.port, transport="tcp", timeout_s=0.2), Path())
        begun = time.monotonic()
        assert fault_of(lambda: sink.send(notice())) is not None
        assert time.monotonic() - begun < 5


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `localhost` that signs itself, and its key, in one PEM file; the certificate alone beside."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    public = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(public)
    (folder / "both.pem").write_bytes(secret + public)
    return folder


class TestTls(SinkContract):
    @pytest.fixture(autouse=True)
    def _receiver(self, certificate: Path) -> Iterator[None]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "both.pem")
        self.folder = certificate
        with StreamReceiver(context) as self.receiver:
            yield

    def make_sink(self) -> Sink:
        said = options(host="localhost", port=self.receiver.port, transport="tls", ca="ca.pem")
        return Syslog(said, self.folder)

    def make_dead_sink(self) -> Sink:
        return Syslog(options(host="localhost", port=free_port(), transport="tls", ca="ca.pem"), self.folder)

    def received(self) -> list[str]:
        return [parse(item)[2]["notice"] for item in self.receiver.got]

    def test_a_receiver_that_nobody_vouches_for_gets_nothing(self) -> None:
        stranger = Syslog(options(host="localhost", port=self.receiver.port, transport="tls"), self.folder)
        assert fault_of(lambda: stranger.send(notice())) is not None
        other_name = options(host="127.0.0.1", port=self.receiver.port, transport="tls", ca="ca.pem")
        assert fault_of(lambda: Syslog(other_name, self.folder).send(notice())) is not None
        assert self.receiver.got == []


def test_a_sink_error_has_words() -> None:
    assert str(SinkError("why")) == "why"
