"""One endpoint of the bank, a real server process: `python -m holdfast.demo.endpoint FOLDER MODEL PORT`.

Speaks the Open Inference Protocol v2 for card-fraud, plain JSON for the assistant. A token in the environment guards
it. Where HOLDFAST_SERVER says where, Holdfast's middleware reports every interaction and obeys standing directives.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.demo.bank import RULES, token_variable

MAX_BODY_BYTES = 512 * 1024
MAX_ROWS = 512
DIGITS = 3
LARGEST = 1e30

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class RefusedError(Exception):
    """A request that cannot be served, with its HTTP status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Model:
    """card-fraud: rows of named columns in, probabilities of fraud out."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        import xgboost

        self.names = names
        self._booster = xgboost.Booster(model_file=str(path))
        self._booster.set_param({"nthread": 1})

    def scores(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """(n,) probabilities for (n, d) rows in contract order."""
        import xgboost

        scores: np.ndarray[Any, Any] = self._booster.predict(xgboost.DMatrix(rows, feature_names=list(self.names)))
        return scores

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        rows = _matrix(body, self.names)
        scores = [round(float(score), DIGITS) for score in self.scores(rows)]
        output = {"name": "score", "shape": [len(scores)], "datatype": "FP64", "data": scores}
        return {"model_name": "card-fraud", "outputs": [output]}


def _matrix(body: dict[str, Any], names: tuple[str, ...]) -> np.ndarray[Any, Any]:
    """The one input tensor of an Open Inference request: (n, d) in contract order."""
    try:
        (tensor,) = body["inputs"]
        count, columns = tensor["shape"]
        rows = np.asarray(tensor["data"], dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise RefusedError(400, "give one input tensor with name, shape, datatype and numbers") from None
    if columns != len(names) or type(count) is not int or rows.size != count * columns:
        raise RefusedError(400, f"a row has {len(names)} columns")
    if not 1 <= count <= MAX_ROWS:
        raise RefusedError(413, f"1 to {MAX_ROWS} rows at once")
    if (np.abs(rows) > LARGEST).any():
        raise RefusedError(400, "a number is too large for the model")
    return rows.reshape(count, columns)


def rules(body: dict[str, Any]) -> dict[str, Any]:
    """The assistant: the first rule that shares a word with the question answers it."""
    questions = body.get("inputs")
    if not isinstance(questions, list) or not 1 <= len(questions) <= MAX_ROWS:
        raise RefusedError(400 if not isinstance(questions, list) else 413, f"give 1 to {MAX_ROWS} questions as inputs")
    return {"outputs": [_reply(question) for question in questions]}


def _reply(question: object) -> dict[str, Any]:
    text = question.get("text") if isinstance(question, dict) else question
    if not isinstance(text, str) or len(text) > 2000:
        raise RefusedError(400, "a question is a text of at most 2,000 letters")
    words = set(text.lower().replace("?", " ").split())
    found = next((rule for rule in RULES["rules"] if words & set(rule["words"])), RULES["otherwise"])  # type: ignore[index]
    return {"intent": found["intent"], "reply": found["reply"]}  # type: ignore[index]


def application(answer: Answer, path: str, token: str) -> Any:
    """The ASGI application around one model."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def serve(request: Request) -> JSONResponse:
        try:
            _authorise(request.headers.get("authorization", ""), token)
            body = _parse(request.headers.get("content-type", ""), await _read(request.stream()))
            return JSONResponse(answer(body))
        except RefusedError as fault:
            return JSONResponse({"error": str(fault)}, status_code=fault.status)

    async def ready(_: Request) -> JSONResponse:
        return JSONResponse({"ready": True})

    return Starlette(routes=[Route(path, serve, methods=["POST"]), Route("/v2/health/ready", ready)])


def _authorise(header: str, token: str) -> None:
    if not hmac.compare_digest(header.encode(), f"Bearer {token}".encode()):
        raise RefusedError(401, "a token is needed")


async def _read(stream: Any) -> bytes:
    data = b""
    async for chunk in stream:
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise RefusedError(413, f"at most {MAX_BODY_BYTES} bytes")
    return data


def _parse(content_type: str, data: bytes) -> dict[str, Any]:
    if content_type.partition(";")[0].strip() != "application/json":
        raise RefusedError(415, "send application/json")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "the body is not an object")
    return body


def _serve(app: Callable[..., Awaitable[None]], port: int) -> None:
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def _contract(folder: Path) -> Any:
    from holdfast.core.contract import Contract

    return Contract.load(folder / "contract.yaml")


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("model")
    parser.add_argument("port", type=int)
    parser.add_argument("--artifact", default="model.ubj")
    args = parser.parse_args()
    token = os.environ[token_variable(args.model)]
    if args.model == "assistant":
        _serve(application(rules, "/assistant", token), args.port)
        return
    contract = _contract(args.folder)
    model = Model(args.folder / args.artifact, tuple(contract.names))
    app = application(model, f"/v2/models/{args.model}/infer", token)
    _serve(_watched(app, args.model, contract) if os.environ.get("HOLDFAST_SERVER") else app, args.port)


def _watched(app: Any, model: str, contract: Any) -> Any:
    """With Holdfast in front, which runs at the story's time."""
    from holdfast.core.domain.clock import from_iso
    from holdfast.demo.story import StoryClock
    from holdfast.watch import WatchMiddleware

    clock = StoryClock(from_iso(os.environ["DEMO_NOW"]))
    return WatchMiddleware(app, model=model, contracts={model: contract}, producer=f"{model}-endpoint", clock=clock)


if __name__ == "__main__":
    main()
