"""Model servers behind the middleware: three protocols, one kind of event; orders obeyed, bytes passed through."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import happenings
from holdfast.core.domain import FrozenClock
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.directive import Action, Directive
from holdfast.watch import WatchMiddleware
from holdfast.watch import middleware as module
from holdfast.watch.sender import Sender

INFER = "/v2/models/fraud/infer"


class Server:
    """A model server that remembers what it was asked and answers as told, in pieces."""

    def __init__(self, answer: Any, status: int = 200) -> None:
        self.answer, self.status = answer, status
        self.asked: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        self.asked.append(body)
        data = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        half = len(data) // 2
        await send({"type": "http.response.body", "body": data[:half], "more_body": True})
        await send({"type": "http.response.body", "body": data[half:]})


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(Sender, "record", lambda _self, event: found.append(event))
    return found


def guarded(app: Any, *orders: Directive, **options: Any) -> WatchMiddleware:
    made = WatchMiddleware(
        app,
        server="http://127.0.0.1:9",
        model="credit",
        contracts={"fraud": ["a", "b"], "credit": ["a", "b"]},
        orders=lambda _: lambda: orders,
        clock=FrozenClock(happenings.NOON),
        **options,
    )
    for name in ("credit", "fraud"):
        made._guard(name).orders.refresh()
    return made


def ask(
    app: Any, path: str, body: Any, *, method: str = "POST", pieces: int = 2, **headers: str
) -> tuple[int, bytes, dict[bytes, bytes]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    step = max(1, -(-len(data) // pieces))
    parts = [data[at : at + step] for at in range(0, len(data), step)] or [b""]
    waiting = [
        {"type": "http.request", "body": part, "more_body": place < len(parts) - 1} for place, part in enumerate(parts)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": named, "client": ("10.0.0.9", 1)}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["type"] == "http.response.start"
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]), dict(sent[0]["headers"])


TENSOR = {"id": "r1", "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}]}
COLUMNS = {
    "inputs": [
        {"name": "a", "shape": [2, 1], "datatype": "FP64", "data": [[1], [3]]},
        {"name": "b", "shape": [2], "datatype": "FP64", "data": [2, 4]},
    ]
}
TENSORS = {
    "outputs": [
        {"name": "label", "shape": [2], "datatype": "INT64", "data": [0, 1]},
        {"name": "predict_proba", "shape": [2, 2], "datatype": "FP64", "data": [0.75, 0.25, 0.125, 0.875]},
    ]
}
ROWS = [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]


@pytest.mark.parametrize("body", [TENSOR, COLUMNS])
def test_open_inference_names_the_model_in_its_path(sent: list[dict[str, Any]], body: Any) -> None:
    server = Server(TENSORS)
    status, said, headers = ask(guarded(server), INFER, body, x_client_id="bob", x_subject_id="s1")
    assert (status, json.loads(said)) == (200, TENSORS)
    assert json.loads(server.asked[0]) == body
    assert int(headers[b"x-holdfast-overhead-us"]) >= 0
    assert [event["features"] for event in sent] == ROWS
    assert [(event["score"], event["decision"]) for event in sent] == [(0.25, "0"), (0.875, "1")]
    assert {(event["model"], event["client"], event["subject"]) for event in sent} == {("fraud", "bob", "s1")}
    assert sent[0]["request_id"] == body.get("id")


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}},
        {"dataframe_records": ROWS},
        {"instances": [[1, 2], [3, 4]]},
        {"inputs": {"a": [1, 3], "b": [2, 4]}},
    ],
)
def test_mlflow_invocations_are_of_the_one_model(sent: list[dict[str, Any]], body: Any) -> None:
    status, _, _ = ask(guarded(Server({"predictions": [0.5, 0.75]})), "/invocations", body)
    assert status == 200
    assert [event["features"] for event in sent] == ROWS
    assert [(event["model"], event["score"], event["client"]) for event in sent] == [
        ("credit", 0.5, "10.0.0.9"),
        ("credit", 0.75, "10.0.0.9"),
    ]


@pytest.mark.parametrize(
    ("body", "answer", "wanted"),
    [
        ({"features": ROWS[0], "subject": "s9", "request_id": "q"}, {"score": 0.5, "decision": "deny"}, (0.5, "deny")),
        (ROWS[0], {"probability": 0.5}, (0.5, None)),
        ([ROWS[0]], [{"score": 0.5}], (0.5, None)),
        ({"instances": [[1, 2]]}, {"scores": [0.5]}, (0.5, None)),
    ],
)
def test_plain_json_is_read_in_the_forms_people_write(
    sent: list[dict[str, Any]], body: Any, answer: Any, wanted: Any
) -> None:
    ask(guarded(Server(answer)), "/predict", body)
    assert [event["features"] for event in sent] == ROWS[:1]
    assert (sent[0]["score"], sent[0]["decision"]) == wanted
    if "subject" in body:
        assert (sent[0]["subject"], sent[0]["request_id"]) == ("s9", "q")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/invocations", b"not json"),
        ("/invocations", {"nonsense": 1}),
        (INFER, {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2]}]}),
        (INFER, {"inputs": "x"}),
        ("/predict", b"[" * 100_000),
        ("/predict", 7),
    ],
)
def test_what_cannot_be_read_passes_untouched_and_is_counted(sent: list[dict[str, Any]], path: str, body: Any) -> None:
    server = Server({"predictions": [0.5]})
    app = guarded(server)
    status, said, _ = ask(app, path, body)
    assert (status, json.loads(said)) == (200, {"predictions": [0.5]})
    assert server.asked == [body if isinstance(body, bytes) else json.dumps(body).encode()]
    assert (sent, app.unobserved) == ([], 1)


def test_a_long_body_passes_whole_and_unobserved(sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    server = Server({"predictions": [0.5]})
    app = guarded(server)
    body = json.dumps({"instances": [[1, 2]] * 1000}).encode()
    assert ask(app, "/invocations", body, pieces=20)[0] == 200
    assert server.asked == [body]
    assert (sent, app.unobserved) == ([], 1)


@pytest.mark.parametrize(
    ("path", "method"), [("/health", "POST"), ("/invocations", "GET"), ("/v2/models/fraud", "POST")]
)
def test_other_requests_are_none_of_its_business(sent: list[dict[str, Any]], path: str, method: str) -> None:
    status, said, headers = ask(guarded(Server({"ok": True})), path, {}, method=method)
    assert (status, said) == (200, b'{"ok": true}')
    assert b"x-holdfast-overhead-us" not in headers
    assert sent == []


def order(action: Action, *, enforce: bool = True, **body: Any) -> Directive:
    return Directive(action, "credit", None, enforce, Ceiling.WARN, (), None, body)


def test_answers_are_made_coarser_and_the_true_score_is_recorded(sent: list[dict[str, Any]]) -> None:
    app = guarded(Server({"predictions": [0.123456, 0.98765]}), order(Action.COARSEN, digits=2))
    _, said, headers = ask(app, "/invocations", {"dataframe_records": ROWS})
    assert json.loads(said) == {"predictions": [0.12, 0.99]}
    assert int(headers[b"content-length"]) == len(said)
    assert sent[0]["score"] == 0.123456


def test_tensors_of_labels_stay_as_they_are_when_made_coarser(sent: list[dict[str, Any]]) -> None:
    app = guarded(
        Server(TENSORS), Directive(Action.COARSEN, "fraud", None, True, Ceiling.WARN, (), None, {"digits": 1})
    )
    label, scores = json.loads(ask(app, INFER, TENSOR)[1])["outputs"]
    assert (label["data"], scores["data"]) == ([0, 1], [0.8, 0.2, 0.1, 0.9])


def test_an_answer_that_cannot_be_made_coarser_is_withheld(sent: list[dict[str, Any]]) -> None:
    app = guarded(Server(b"0.123456 and more"), order(Action.COARSEN))
    status, said, _ = ask(app, "/predict", {"a": 1})
    assert (status, said) == (503, b'{"error": "not available"}')


def test_a_block_says_little_and_asks_nobody(sent: list[dict[str, Any]]) -> None:
    server = Server({"score": 0.5})
    status, said, _ = ask(guarded(server, order(Action.BLOCK)), "/predict", {"a": 1}, x_client_id="bob")
    assert (status, said, server.asked) == (403, b'{"error": "not available"}', [])
    assert (sent[0]["client"], sent[0]["decision"]) == ("bob", "blocked")


def test_a_throttle_answers_429_with_the_time_to_wait(sent: list[dict[str, Any]]) -> None:
    app = guarded(Server({"score": 0.5}), order(Action.THROTTLE, per_minute=1))
    assert ask(app, "/predict", {"a": 1})[0] == 200
    status, _, headers = ask(app, "/predict", {"a": 1})
    assert status == 429
    assert 1 <= int(headers[b"retry-after"]) <= 60


def test_a_shadow_answers_in_the_models_place_and_a_step_up_is_marked(sent: list[dict[str, Any]]) -> None:
    server, decoy = Server({"score": 0.9}), Server({"score": 0.1})
    app = guarded(server, order(Action.SHADOW), order(Action.STEP_UP), shadow=decoy)
    _, said, headers = ask(app, "/predict", {"a": 1})
    assert json.loads(said) == {"score": 0.1}
    assert (server.asked, headers[b"x-holdfast-step-up"]) == ([], b"1")


def test_what_is_only_noted_changes_nothing(sent: list[dict[str, Any]]) -> None:
    app = guarded(Server({"score": 0.123}), order(Action.BLOCK, enforce=False), order(Action.COARSEN, enforce=False))
    assert json.loads(ask(app, "/predict", {"a": 1})[1]) == {"score": 0.123}
    assert app.stats()["models"]["credit"]["would"] == {"block": 1, "coarsen": 1}


def test_a_model_that_fails_is_an_event_without_an_answer(sent: list[dict[str, Any]]) -> None:
    status, _, _ = ask(guarded(Server({"detail": "no"}, status=500)), "/predict", {"a": 1})
    assert status == 500
    assert (sent[0]["score"], sent[0]["decision"]) == (None, None)


def test_a_users_function_that_fails_does_not_fail_the_request(sent: list[dict[str, Any]]) -> None:
    app = guarded(Server({"score": 0.5}), client=lambda scope, headers: 1 / 0)
    assert ask(app, "/predict", {"a": 1})[0] == 200
    assert sent[0]["client"] == "10.0.0.9"
