"""A wrapped model: the same answers, an event for each, orders obeyed, faults kept from the caller."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import happenings
from holdfast.core.domain import FrozenClock
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.directive import Action, Directive
from holdfast.watch import BlockedError, ThrottledError, wrap
from holdfast.watch.capture import Watched
from holdfast.watch.rows import answers_of, coarse, rows_of
from holdfast.watch.sender import Sender

NOWHERE = "http://127.0.0.1:9"


class Model:
    """Scores are the first column; `classes_` is an attribute like any other."""

    classes_ = ("no", "yes")

    def predict_proba(self, X: Any) -> Any:
        first = np.asarray(X, float)[:, 0]
        return np.column_stack([1 - first, first])

    def predict(self, X: Any) -> Any:
        return (np.asarray(X, float)[:, 0] > 0.5).astype(int)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would go to the server."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(Sender, "record", lambda _self, event: found.append(event))
    return found


def watched(model: Any = None, *orders: Directive, **options: Any) -> Watched:
    known = {"contract": ["a", "b"], "client": "c1", "clock": FrozenClock(happenings.NOON), **options}
    made = wrap(model or Model(), name="m", server=NOWHERE, orders=lambda: orders, **known)
    made._guard.orders.refresh()
    return made


def order(action: Action, client: str | None = None, *, enforce: bool = True, **body: Any) -> Directive:
    return Directive(action, "m", client, enforce, Ceiling.WARN, (), None, body)


X = np.array([[0.123456, 2.0], [0.9, float("nan")]])


def test_answers_are_the_models_and_each_row_is_an_event(sent: list[dict[str, Any]]) -> None:
    model = watched(subject=lambda X: [f"s{n}" for n in range(len(X))], version="v1")
    assert np.array_equal(model.predict_proba(X), Model().predict_proba(X))
    assert model.predict(X).tolist() == [0, 1]
    assert model.classes_ == ("no", "yes")
    assert [event["score"] for event in sent] == [0.123456, 0.9, None, None]
    assert [event["decision"] for event in sent] == [None, None, "0", "1"]
    assert sent[1] == {
        "time": happenings.NOON,
        "model": "m",
        "version": "v1",
        "client": "c1",
        "subject": "s1",
        "features": {"a": 0.9, "b": None},
        "score": 0.9,
        "decision": None,
        "request_id": None,
    }


def test_any_callable_is_a_model_and_the_caller_can_be_named_around_it(sent: list[dict[str, Any]]) -> None:
    model = watched(lambda rows: [0.5 for _ in rows], contract=None, client=None)
    with model.caller("bob", "s7"):
        assert model([{"x": 1}, {"x": "text"}]) == [0.5, 0.5]
    model([{"x": True}])
    assert [(event["client"], event["subject"]) for event in sent] == [("bob", "s7"), ("bob", "s7"), ("unknown", None)]
    assert [event["features"]["x"] for event in sent] == [1.0, "text", 1.0]


def test_scores_are_coarser_only_for_the_caller(sent: list[dict[str, Any]]) -> None:
    model = watched(None, order(Action.COARSEN, "c1", digits=1), order(Action.BLOCK, enforce=False))
    assert model.predict_proba(X).tolist() == [[0.9, 0.1], [0.1, 0.9]]
    assert model.predict(X).tolist() == [0, 1]
    assert sent[0]["score"] == 0.123456
    assert model.last_plan.would == ("block",)
    assert model.stats()["applied"] == {"coarsen": 2}
    assert model.stats()["would"] == {"block": 2}


def test_a_block_raises_and_the_attempt_is_an_event(sent: list[dict[str, Any]]) -> None:
    model = watched(None, order(Action.BLOCK, "c1"))
    with pytest.raises(BlockedError) as caught:
        model.predict(X)
    assert caught.value.code == "HF-WAT-031"
    assert [event["decision"] for event in sent] == ["blocked", "blocked"]
    with model.caller("another"):
        assert model.predict(X).tolist() == [0, 1]


def test_a_throttle_raises_with_the_time_to_wait(sent: list[dict[str, Any]]) -> None:
    model = watched(None, order(Action.THROTTLE, per_minute=2))
    model.predict(X)
    with pytest.raises(ThrottledError) as caught:
        model.predict(X)
    assert 0 < caught.value.retry_s <= 60
    assert [event["decision"] for event in sent] == ["0", "1", "throttled", "throttled"]


def test_a_shadow_answers_and_a_step_up_is_told(sent: list[dict[str, Any]]) -> None:
    told: list[str] = []
    model = watched(
        None,
        order(Action.SHADOW),
        order(Action.STEP_UP),
        shadow=lambda X: np.zeros(len(X), int),
        step_up=lambda client, plan: told.append(client),
    )
    assert model.predict(X).tolist() == [0, 0]
    assert told == ["c1"]
    assert [event["decision"] for event in sent] == ["0", "0"]


@pytest.mark.parametrize(
    "options",
    [
        {"client": lambda X: 1 / 0},
        {"subject": lambda X: 1 / 0},
        {"step_up": lambda client, plan: 1 / 0},
        {"clock": lambda: 1 / 0},
    ],
)
def test_a_fault_in_the_recording_never_reaches_the_caller(
    sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    clock = options.pop("clock", None)
    model = watched(None, order(Action.STEP_UP), **options)
    if clock is not None:
        model._guard.clock = clock
    assert model.predict(X).tolist() == [0, 1]
    assert model.stats()["faults"] >= 1


def test_a_fault_of_the_model_reaches_the_caller() -> None:
    def broken(X: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watched(broken)(X)


def test_what_cannot_be_read_as_rows_is_counted_and_answered() -> None:
    model = watched(lambda anything: anything)
    assert model("just text") == "just text"
    assert model.stats()["faults"] >= 1


def test_rows_beyond_the_limit_leave_numbers_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.watch.capture.MAX_ROWS", 10)
    model = watched()
    model.predict(np.zeros((25, 2)))
    stats = model.stats()
    assert (stats["recorded"], stats["dropped"]) == (25, 15)
    model.close(0.1)


def test_rows_of_any_library() -> None:
    import pandas as pd
    import pyarrow as pa
    import xgboost

    wanted = [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": None}]
    matrix = np.array([[1, 2], [3, np.nan]])
    frame = pd.DataFrame({"a": [1, 3], "b": [2, None]})
    for given in (
        matrix,
        matrix.tolist(),
        frame,
        pa.table({"a": [1, 3], "b": [2, None]}),
        {"a": [1, 3], "b": [2, None]},
        {"a": np.array([1, 3]), "b": np.array([2, np.nan])},
        [{"a": 1, "b": 2}, {"a": 3, "b": None}],
        xgboost.DMatrix(matrix, feature_names=["a", "b"]),
    ):
        assert rows_of(given, ("a", "b")) == wanted
    assert rows_of({"a": 1, "b": "x"}) == [{"a": 1.0, "b": "x"}]
    assert rows_of([1, 2]) == [{"f0": 1.0, "f1": 2.0}]
    assert rows_of(frame, limit=1) == wanted[:1]


def test_answers_of_any_shape() -> None:
    assert answers_of(np.array([[0.2, 0.8]]), 1) == [(0.8, None)]
    assert answers_of(np.array([[0.2, 0.7, 0.1]]), 1) == [(0.7, "1")]
    assert answers_of(np.array([[0.25]]), 1) == [(0.25, None)]
    assert answers_of(["deny", None], 2) == [(None, "deny"), (None, None)]
    assert answers_of({"p": [0.5, 1.5]}, 2) == [(0.5, None), (1.5, None)]
    assert answers_of([float("nan")], 2) == [(None, None), (None, None)]
    assert coarse({"p": [0.123, 7], "n": "x"}, 1) == {"p": [0.1, 7], "n": "x"}


def test_importing_capture_brings_neither_sql_nor_arrays() -> None:
    heavy = "('sqlalchemy', 'numba', 'numpy', 'pyarrow', 'pydantic', 'alembic', 'scipy')"
    code = (
        f"import sys, holdfast.watch; from holdfast.watch import wrap; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
