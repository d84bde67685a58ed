"""A webhook is signed, goes to its one URL and nowhere else, and is over in time."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.core.domain.clock import system_clock
from holdfast.respond.interface import Sink, SinkError
from holdfast.respond.signature import sign, verify
from holdfast.respond.sinks import webhook as module
from holdfast.respond.sinks.webhook import Webhook, WebhookOptions
from holdfast.testing.sinks import MOMENT, SinkContract, notice
from receivers import HttpReceiver, free_port

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)


def hook(port: int, **more: object) -> Webhook:
    said = {"url": f"http://127.0.0.1:{port}/in?a=1", "secret_env": "HOOK_SECRET", "plain_http": True, **more}
    return Webhook(WebhookOptions.model_validate(said), Path())


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as receiver:
        yield receiver


class TestWebhook(SinkContract):
    @pytest.fixture(autouse=True)
    def _receiver(self, receiver: HttpReceiver) -> None:
        self.receiver = receiver

    def make_sink(self) -> Sink:
        return hook(self.receiver.port)

    def make_dead_sink(self) -> Sink:
        return hook(free_port())

    def received(self) -> list[str]:
        return self.receiver.ids


def fault(sink: Webhook) -> SinkError:
    with pytest.raises(SinkError) as caught:
        sink.send(notice())
    assert SECRET not in str(caught.value)
    return caught.value


def test_the_signature_holds_for_the_body_that_arrived(receiver: HttpReceiver) -> None:
    hook(receiver.port).send(notice())
    [got] = receiver.got
    assert verify(SECRET, got.headers, got.body, system_clock())
    assert not verify(SECRET, got.headers, got.body + b" ", system_clock())
    assert not verify("whsec_" + base64.b64encode(b"other").decode(), got.headers, got.body, system_clock())
    assert not verify(SECRET, got.headers, got.body, system_clock() + timedelta(minutes=6))
    assert not verify(SECRET, {**got.headers, "webhook-id": "ntc_other"}, got.body, system_clock())
    assert got.path == "/in?a=1"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert json.loads(got.body) == notice().to_json()


def test_the_form_may_be_ocsf(receiver: HttpReceiver) -> None:
    hook(receiver.port, form="ocsf").send(notice())
    assert receiver.bodies[0]["class_uid"] == 2004


@pytest.mark.parametrize(
    ("status", "refused"),
    [(400, True), (422, True), (401, False), (404, False), (500, False), (304, False), (429, False)],
)
def test_only_a_2xx_is_delivered(receiver: HttpReceiver, status: int, refused: bool) -> None:
    receiver.status = status
    found = fault(hook(receiver.port))
    assert (str(status) in str(found), found.refused) == (True, refused)


def test_redirects_are_not_followed(receiver: HttpReceiver) -> None:
    with HttpReceiver() as elsewhere:

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(307)
            handler.send_header("location", f"http://127.0.0.1:{elsewhere.port}/")
            handler.send_header("content-length", "0")
            handler.end_headers()

        receiver.answer = redirect
        assert "307" in str(fault(hook(receiver.port)))
        assert elsewhere.got == []


def test_proxies_of_the_environment_are_not_used(receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpReceiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        hook(receiver.port).send(notice())
        assert (len(receiver.got), len(proxy.got)) == (1, 0)


@pytest.mark.parametrize("slow", ["silent", "dripping"])
def test_a_receiver_that_takes_its_time_is_left(receiver: HttpReceiver, slow: str) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(40):
            time.sleep(0.05)
            if slow == "dripping":
                try:
                    handler.wfile.write(b"H")
                except OSError:
                    return

    receiver.answer = drip
    begun = time.monotonic()
    assert "0.3 s" in str(fault(hook(receiver.port, timeout_s=0.3)))
    assert time.monotonic() - begun < 1.9


def test_an_endless_answer_is_not_read(receiver: HttpReceiver) -> None:
    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(10**12))
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b"x" * 65536)
        except OSError:
            return

    receiver.answer = pour
    hook(receiver.port, timeout_s=3).send(notice())


def test_without_its_secret_nothing_is_sent(receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK_SECRET")
    assert "HOOK_SECRET is not set" in str(fault(hook(receiver.port)))
    monkeypatch.setenv("HOOK_SECRET", "whsec_%%%")
    with pytest.raises(SinkError) as caught:
        hook(receiver.port).send(notice())
    assert "%%%" not in str(caught.value)
    assert receiver.got == []


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "224.0.0.1", "0.0.0.0", "[fe80::1]", "[::ffff:169.254.169.254]", "255.255.255.255", "[::]"],
)
def test_addresses_that_are_no_receivers_are_refused(host: str) -> None:
    found = fault(hook(1, url=f"http://{host}:1/"))
    assert "no receiver" in str(found)


def test_a_name_is_looked_at_once_and_the_connection_goes_there(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers differently the second time cannot lead elsewhere."""
    import asyncio

    asked: list[str] = []
    real = asyncio.BaseEventLoop.getaddrinfo

    async def changing(self: asyncio.BaseEventLoop, host: object, port: object, **more: object) -> object:
        asked.append(str(host))
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return await real(self, address, port, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", changing)
    hook(receiver.port, url=f"http://receiver.example:{receiver.port}/").send(notice())
    assert asked[0] == "receiver.example"
    assert receiver.got[0].headers["host"] == f"receiver.example:{receiver.port}"
    assert "receiver.example" not in asked[1:]


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://a.example/", "plain_http": False},
        {"url": "https://user:secret@a.example/"},
        {"url": "ftp://a.example/"},
        {"url": "https:///x"},
        {"url": "file:///etc/passwd"},
        {"url": "https://a.example:99999/"},
        {"url": "https://a.example/#part"},
        {"secret_env": "lower"},
        {"timeout_s": 1000},
        {"secret": "abc"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        hook(1, **wrong)


@given(st.binary(max_size=200), st.text("abc_0", min_size=1, max_size=20), st.binary(min_size=1, max_size=40))
def test_a_signature_is_for_one_body_and_one_id(body: bytes, delivery: str, key: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    headers = sign(secret, delivery, MOMENT, body)
    assert verify(secret, headers, body, MOMENT)
    assert not verify(secret, headers, body + b"x", MOMENT)
    assert not verify(secret, {**headers, "webhook-id": delivery + "x"}, body, MOMENT)
    assert not verify(secret, {**headers, "webhook-timestamp": "²"}, body, MOMENT)


def test_a_plain_secret_signs_too() -> None:
    headers = sign("a plain secret", "ntc_1", MOMENT, b"{}")
    assert verify("a plain secret", headers, b"{}", MOMENT)
    assert not verify("another", headers, b"{}", MOMENT)


def test_the_module_names_no_client_at_import() -> None:
    """httpx costs start-up time that a CLI without webhooks should not pay."""
    assert not hasattr(module, "httpx")
    assert os.environ["HOOK_SECRET"] == SECRET
