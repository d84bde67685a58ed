"""The languages of model servers, to rows and answers: Open Inference Protocol v2, MLflow scoring, plain JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from holdfast.watch.rows import Value, answers_of, coarse, rows_of

Answer = tuple[float | None, str | None]

SCORES: Final = ("predict_proba", "probabilities", "probability", "proba", "scores", "score")
_INFER: Final = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")
_ROWS: Final = ("features", "instances", "inputs", "rows", "data")
_RESULTS: Final = ("predictions", "scores", "score", "probabilities", "outputs", "results", "result")


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks: its rows, and what else it says of itself."""

    rows: list[dict[str, Value]]
    request_id: str | None = None
    subjects: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one protocol says questions and answers. The functions raise ValueError, TypeError, KeyError and the like."""

    question: Callable[[Any, Sequence[str]], Question]
    answers: Callable[[Any, int], list[Answer]]
    coarsened: Callable[[Any, int], Any]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A request that is for a model: which, and how to read it."""

    dialect: Dialect
    model: str | None
    version: str | None


def spoken(path: str, plain_paths: Sequence[str]) -> Spoken | None:
    """The dialect of a path; None where no model is asked. `model` None: the path does not name it."""
    found = _INFER.fullmatch(path)
    if found:
        return Spoken(OPEN_INFERENCE, found.group(1), found.group(2))
    if path == "/invocations":
        return Spoken(MLFLOW, None, None)
    return Spoken(PLAIN, None, None) if path in plain_paths else None


def _tensor_rows(body: Any, names: Sequence[str]) -> Question:
    inputs = body["inputs"]
    if len(inputs) == 1 and len(inputs[0]["shape"]) == 2:
        (tensor,) = inputs
        width = int(tensor["shape"][1])
        flat = _flat(tensor["data"])
        if width < 1 or len(flat) % width:
            raise ValueError("a tensor whose data does not fill its shape")
        matrix = [flat[start : start + width] for start in range(0, len(flat), width)]
        return Question(rows_of(matrix, names), _text(body.get("id")))
    columns = {str(tensor["name"]): _flat(tensor["data"]) for tensor in inputs}
    return Question(rows_of(columns), _text(body.get("id")))


def _flat(data: Any) -> list[Any]:
    if isinstance(data, list) and data and isinstance(data[0], list):
        return [value for part in data for value in _flat(part)]
    return list(data)


def _tensor_answers(body: Any, count: int) -> list[Answer]:
    scores: list[float | None] = [None] * count
    decisions: list[str | None] = [None] * count
    for tensor in sorted(body["outputs"], key=lambda one: str(one["name"]) not in SCORES):
        flat = _flat(tensor["data"])
        width = max(1, len(flat) // max(1, count))
        if str(tensor.get("datatype", "")).startswith(("FP", "BF")):
            if scores[:1] == [None]:
                table = [flat[at * width : (at + 1) * width] for at in range(count)]
                scores = [score for score, _ in answers_of(table, count)]
        elif decisions[:1] == [None] and width == 1:
            decisions = [None if value is None else str(value)[:256] for value in flat[:count]]
    return list(zip(scores, decisions, strict=True))


def _tensor_coarse(body: Any, digits: int) -> Any:
    for tensor in body["outputs"]:
        if str(tensor.get("datatype", "")).startswith(("FP", "BF")):
            tensor["data"] = coarse(tensor["data"], digits)
    return body


def _mlflow_rows(body: Any, names: Sequence[str]) -> Question:
    if "dataframe_split" in body:
        split = body["dataframe_split"]
        return Question(rows_of(split["data"], tuple(map(str, split["columns"]))))
    for name in ("dataframe_records", "instances", "inputs"):
        if name in body:
            return Question(rows_of(body[name], names))
    raise ValueError("none of dataframe_split, dataframe_records, instances, inputs")


def _named_answers(body: Any, count: int) -> list[Answer]:
    if isinstance(body, Mapping):
        if count == 1 and not any(isinstance(body.get(name), list) for name in _RESULTS):
            return answers_of([body], 1)
        body = next((body[name] for name in _RESULTS if name in body), None)
    return answers_of(body, count)


def _named_coarse(body: Any, digits: int) -> Any:
    return coarse(body, digits)


def _plain_rows(body: Any, names: Sequence[str]) -> Question:
    if isinstance(body, list):
        return Question(rows_of(body, names))
    found = next((body[name] for name in _ROWS if name in body), None)
    subject = _text(body.get("subject"))
    said = {key: value for key, value in body.items() if key not in ("request_id", "subject", "client")}
    rows = rows_of(said if found is None else found, names)
    return Question(rows, _text(body.get("request_id")), (subject,) * len(rows))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)[:256]


OPEN_INFERENCE: Final = Dialect(_tensor_rows, _tensor_answers, _tensor_coarse)
MLFLOW: Final = Dialect(_mlflow_rows, _named_answers, _named_coarse)
PLAIN: Final = Dialect(_plain_rows, _named_answers, _named_coarse)
