"""The alert stream and the door for events, over a real connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from console_estate import raise_alert


def events(answer: httpx.Response, count: int) -> list[dict[str, Any]]:
    """The next alerts of a stream, each with its id."""
    found: list[dict[str, Any]] = []
    name = None
    for line in answer.iter_lines():
        if line.startswith("id: "):
            name = int(line[4:])
        elif line.startswith("data: {"):
            found.append({"sequence_id": name, **json.loads(line[6:])})
            if len(found) == count:
                break
    return found


@pytest.fixture
def opened(bench: Any) -> Iterator[Any]:
    with bench.client("read") as client:
        yield client


def test_a_stream_begins_where_it_is_told_and_goes_on(bench: Any, opened: httpx.Client) -> None:
    with opened.stream("GET", "/api/watch/alerts/stream?after=0") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        first = events(answer, 2)
    assert [one["id"] for one in first] == list(bench.estate.alerts)
    last = first[-1]["sequence_id"]
    with opened.stream("GET", "/api/watch/alerts/stream", headers={"last-event-id": str(last)}) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry: ")
        raised = raise_alert(bench.estate.holdfast, "churn", "live-1")
        seen = []
        for line in lines:
            if line.startswith("data: {"):
                seen.append(json.loads(line[6:])["id"])
                if seen[-1] == raised:
                    break
    assert not set(seen) & set(bench.estate.alerts)
    assert len(seen) == len(set(seen))


def test_a_reconnect_loses_and_doubles_nothing(bench: Any, opened: httpx.Client) -> None:
    with bench.client("read") as client:
        since = client.get("/api/watch/alerts").json()["newest"]
    raised = [raise_alert(bench.estate.holdfast, "churn", f"burst-{number}") for number in range(6)]
    seen: list[str] = []
    while len(seen) < 6:
        with opened.stream("GET", "/api/watch/alerts/stream", headers={"last-event-id": str(since)}) as answer:
            for one in events(answer, 2):
                seen.append(one["id"])
                since = one["sequence_id"]
    assert seen == raised


def test_a_reader_of_one_unit_hears_of_that_unit(bench: Any) -> None:
    since_client = bench.client("read")
    with since_client:
        since = since_client.get("/api/watch/alerts").json()["newest"]
    raise_alert(bench.estate.holdfast, "churn", "other-unit")
    mine = raise_alert(bench.estate.holdfast, "collections", "own-unit")
    headers = {"last-event-id": str(since)}
    with bench.client("lending") as client, client.stream("GET", "/api/watch/alerts/stream", headers=headers) as answer:
        assert [one["id"] for one in events(answer, 1)] == [mine]


def test_places_are_bounded(bench: Any, opened: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.server.pulse.MAX_FOLLOWERS", 0)
    answer = opened.get("/api/watch/alerts/stream")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "HF-SRV-009"


@pytest.mark.parametrize("word", ["x", "-1", "1e3", "9" * 30])
def test_a_wrong_place_to_go_on_is_named(opened: httpx.Client, word: str) -> None:
    answer = opened.get("/api/watch/alerts/stream", headers={"last-event-id": word})
    assert answer.json()["error"]["code"] == "HF-SRV-006"


EVENT = {
    "event_id": "e-1",
    "time": "2026-01-05T12:00:00Z",
    "model": "card-fraud",
    "client": "c1",
    "features": {"amount": 12.5},
    "score": 0.2,
    "producer": "tests",
    "epoch": 0,
    "sequence": 0,
}


def test_events_come_in_with_a_token_of_their_own(bench: Any) -> None:
    line = json.dumps(EVENT) + "\n"
    kind = {"content-type": "application/x-ndjson"}
    with bench.client("ingest") as client:
        first = client.post("/watch/events", content=line, headers=kind)
        again = client.post("/watch/events", content=line, headers=kind)
    assert (first.status_code, first.json()) == (202, {"accepted": 1, "repeated": 0})
    assert (again.status_code, again.json()) == (202, {"accepted": 0, "repeated": 1})
    for token, code in (("admin", 403), ("read", 403), (None, 401)):
        with bench.client(token) as client:
            assert client.post("/watch/events", content=line, headers=kind).status_code == code


def test_events_may_be_longer_than_a_form(bench: Any) -> None:
    rows = [{**EVENT, "event_id": f"long-{number}", "sequence": number + 1} for number in range(600)]
    body = "".join(json.dumps(row) + "\n" for row in rows)
    assert len(body) > 65_536
    with bench.client("ingest") as client:
        answer = client.post("/watch/events", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.json() == {"accepted": 600, "repeated": 0}
