"""The outermost layer: hosts, sizes, faults, logs; and what hostile names look like on a page."""

from __future__ import annotations

import io
import json
import logging
import socket
import time
from typing import Any

import pytest

from console_estate import raise_alert
from holdfast.core.errors import ConfigError, PrerequisiteError
from holdfast.server.front import Front
from holdfast.server.guard import MAX_BODY_BYTES
from holdfast.server.running import Place, running

XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e{{7*7}}"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8600", "", "127.0.0.1.evil.example", "[::2]", "a b"])
def test_a_foreign_host_is_not_answered(served: Any, host: str) -> None:
    with served.client("admin") as client:
        answer = client.get("/posture", headers={"host": host})
    assert answer.status_code in (400, 421)


def test_the_names_of_this_machine_are_answered(served: Any) -> None:
    with served.client("admin") as client:
        assert client.get("/posture", headers={"host": "localhost:1"}).status_code == 200


@pytest.mark.parametrize("path", ["/login", "/api/settings/tokens", "/watch/alerts/x/close", "/posture"])
def test_a_large_body_is_refused(bench: Any, path: str) -> None:
    with bench.client("admin") as client:
        said = client.post(path, content=b"x" * (MAX_BODY_BYTES + 1))
        unsaid = client.post(path, content=(b"x" * 8192 for _ in range(16)))
    assert said.status_code == 413
    assert said.json()["error"]["code"] == "HF-SRV-004"
    assert unsaid.status_code in (400, 405, 413)


def test_a_length_that_is_none_is_refused(served: Any) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(f"POST /login HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9{'9' * 30}\r\n\r\n".encode())
        assert not line.recv(200).startswith(b"HTTP/1.1 2")


@pytest.mark.parametrize("body", [b"[]", b'{"a": 1}', b"{", b'{"a": {"b": "c"}}', b"\xff", b"[" * 20_000])
def test_a_body_that_is_none_is_named(bench: Any, body: bytes) -> None:
    with bench.client("admin") as client:
        answer = client.post("/api/settings/tokens", content=body)
    assert answer.json()["error"]["code"] == "HF-SRV-006"


def test_too_many_fields_are_refused(bench: Any) -> None:
    many = {f"f{number}": "x" for number in range(100)}
    with bench.client("admin") as client:
        assert client.post("/api/settings/tokens", json=many).status_code == 400
        assert client.post("/settings/tokens", data=many).status_code == 400
        files = {"file": ("x", b"x")}
        assert client.post("/settings/tokens", files=files).status_code == 400


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "TRACE"])
def test_other_methods_are_refused(served: Any, method: str) -> None:
    with served.client("admin") as client:
        assert client.request(method, "/posture").status_code == 405
        assert client.request(method, "/api/posture").json()["error"]["code"] == "HF-SRV-012"


def test_a_fault_inside_stays_inside(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret cause")

    logger, said = logging.getLogger("holdfast.server"), io.StringIO()
    handler = logging.StreamHandler(said)
    logger.addHandler(handler)
    monkeypatch.setattr("holdfast.server.pages.posture.standings", broken)
    try:
        with served.client("admin") as client:
            for path in ("/posture", "/api/posture"):
                answer = client.get(path)
                assert answer.status_code == 500
                assert "HF-SRV-007" in answer.text
                assert "secret cause" not in answer.text
                assert "Traceback" not in answer.text
                assert answer.headers["content-security-policy"]
    finally:
        logger.removeHandler(handler)
    assert "the secret cause" in said.getvalue()


def test_the_log_says_who_and_what_and_no_secret(served: Any) -> None:
    logger, said = logging.getLogger("holdfast.access"), io.StringIO()
    handler = logging.StreamHandler(said)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with served.client("read") as client:
            client.get("/api/posture?as_of=2026-01-05T10:00:00Z&password=hunter2")
        deadline = time.monotonic() + 10
        while not said.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)  # the line is written when the answer is already out
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    line = json.loads(said.getvalue().splitlines()[0])
    assert line["path"] == "/api/posture"
    assert line["status"] == 200
    assert line["user"].startswith("usr_")
    assert "hunter2" not in said.getvalue()
    assert served.estate.tokens["read"] not in said.getvalue()


def test_hostile_words_are_words(bench: Any) -> None:
    alert = raise_alert(bench.estate.holdfast, "churn", "<b>client</b>", title=XSS)
    bench.estate.holdfast.settle()
    with bench.client("admin") as client:
        client.post(f"/api/watch/alerts/{alert}/acknowledge", json={"reason": XSS})
        pages = ["/posture", "/watch/alerts", f"/watch/alerts/{alert}", "/watch/campaigns", "/respond"]
        pages += ["/estate/models/churn", "/backlog", "/ledger", "/intel"]
        for page in pages:
            text = client.get(page).text
            assert "<script>alert" not in text, page
            assert "<img src=x" not in text, page
            assert "<b>client" not in text, page
            assert "\u202e" not in text, page
            assert "49}" not in text
        shown = client.get(f"/watch/alerts/{alert}").text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        assert client.get(f"/api/watch/alerts/{alert}").json()["alert"]["line"]["title"] == XSS
        search = client.get("/estate/models", params={"unit": XSS}).text
        assert "<script>alert" not in search


def test_a_port_in_use_is_named(served: Any) -> None:
    place = Place(port=int(served.url.rsplit(":", 1)[1]))
    with pytest.raises(PrerequisiteError) as fault, running(served.estate.holdfast, place, loop=False):
        pass
    assert fault.value.code == "HF-SRV-001"


@pytest.mark.parametrize(
    ("place", "safe"),
    [
        (Place("127.0.0.1"), True),
        (Place("::1"), True),
        (Place("0.0.0.0"), False),
        (Place("10.1.2.3"), False),
        (Place("0.0.0.0", public_url="http://console.bank"), False),
        (Place("0.0.0.0", public_url="https://console.bank"), True),
        (Place("0.0.0.0", insecure=True), True),
    ],
)
def test_passwords_do_not_cross_a_network_in_the_clear(place: Place, safe: bool) -> None:
    if safe:
        place.demand_safe()
        return
    with pytest.raises(ConfigError) as fault:
        place.demand_safe()
    assert fault.value.code == "HF-SRV-002"


def test_behind_a_proxy_the_public_address_counts() -> None:
    front = Front.of("127.0.0.1", 8600, tls=False, public_url="https://console.bank.example")
    assert front.secure
    assert front.cookie == "__Host-holdfast"
    assert front.answers("console.bank.example")
    assert front.answers("console.bank.example:443")
    assert front.is_own("https://console.bank.example", "console.bank.example")
    assert not front.is_own("https://evil.example", "console.bank.example")
    assert not front.is_own("https://evil.example", "evil.example")


@pytest.mark.parametrize("url", ["console.bank", "ftp://x", "https://", "https://x/path", "https://x?y"])
def test_a_public_url_is_scheme_and_host(url: str) -> None:
    with pytest.raises(ConfigError) as fault:
        Front.of("127.0.0.1", 1, tls=False, public_url=url)
    assert fault.value.code == "HF-SRV-008"
