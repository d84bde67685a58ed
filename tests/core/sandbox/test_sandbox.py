"""The sandbox gives the numbers that a model's own library gives, and says how well it walled the model in."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from holdfast.core.errors import DataError, SandboxError, TargetError
from holdfast.core.sandbox.answer import Prediction
from holdfast.core.sandbox.limits import Isolation, Limits
from holdfast.core.sandbox.sandbox import FORMATS, Sandbox

Box = Callable[..., Sandbox]
RNG = np.random.default_rng(7)
N = 300
NUMBERS = pd.DataFrame(RNG.normal(size=(N, 4)), columns=["w", "x", "y", "z"])
GAPS = NUMBERS.mask(RNG.random(NUMBERS.shape) < 0.1)
Y = (NUMBERS["w"] + NUMBERS["x"] > 0).astype(int).to_numpy()
Y3 = np.digitize(NUMBERS["w"], [-0.5, 0.5])
KIND = np.array(RNG.choice(["red", "green", "blue"], N), dtype=object)
KIND[::17] = None
MIXED = GAPS.assign(kind=pd.Categorical(KIND), code=pd.Categorical(RNG.choice([10, 20, 30], N)))
Y_MIXED = ((KIND == "red") ^ (MIXED["code"] == 20)).astype(int).to_numpy()


def columns(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: np.asarray(frame[name]) for name in frame.columns}


def mixed_columns() -> dict[str, np.ndarray]:
    return {**columns(GAPS), "kind": KIND, "code": np.asarray(MIXED["code"]).astype(np.int64)}


def dumped(model: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def both(probability: np.ndarray) -> np.ndarray:
    return np.stack([1 - probability.astype(float), probability.astype(float)], axis=1)


def ask_twice(artifact: bytes, kind: str, data: dict[str, np.ndarray]) -> tuple[Prediction, Prediction]:
    """Probabilities and margins, from one process."""
    with Sandbox().open(artifact, kind, list(data)) as session:
        return session.predict(data), session.predict(data, margin=True)


def ask(artifact: bytes, kind: str, data: dict[str, np.ndarray], margin: bool = False) -> Prediction:
    return Sandbox().predict(artifact, kind, data, list(data), margin)


@pytest.mark.parametrize(
    ("raw", "objective"), [("json", "binary:logistic"), ("ubj", "binary:logitraw"), ("ubj", "reg:squarederror")]
)
def test_xgboost_as_the_library(raw: str, objective: str) -> None:
    booster = xgboost.train({"objective": objective, "nthread": 1}, xgboost.DMatrix(GAPS, label=Y), 15)
    artifact = bytes(booster.save_raw(raw))
    margin = booster.predict(xgboost.DMatrix(GAPS), output_margin=True)
    with Sandbox().open(artifact, f"xgboost-{raw}", list(GAPS)) as session:
        assert np.array_equal(session.predict(columns(GAPS), margin=True).scores[:, 0], margin)
        answer = session.predict(columns(GAPS))
    plain = booster.predict(xgboost.DMatrix(GAPS))
    if objective == "reg:squarederror":
        assert answer.classes == ()
        assert np.array_equal(answer.scores[:, 0], plain)
    elif objective == "binary:logistic":
        assert answer.classes == (0, 1)
        assert np.array_equal(answer.scores, both(plain))
    else:
        assert np.allclose(answer.scores[:, 1], 1 / (1 + np.exp(-plain.astype(float))), atol=1e-12)


def test_a_file_of_the_wrapper_stops_where_the_wrapper_stops(tmp_path: Path) -> None:
    half = N // 2
    model = xgboost.XGBClassifier(n_estimators=200, learning_rate=1.0, early_stopping_rounds=3, n_jobs=1)
    model.fit(GAPS[:half], KIND[:half] == "red", eval_set=[(GAPS[half:], KIND[half:] == "red")], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    model.save_model(tmp_path / "model.ubj")
    answer = ask((tmp_path / "model.ubj").read_bytes(), "xgboost-ubj", columns(GAPS))
    assert np.array_equal(answer.scores[:, 1], model.predict_proba(GAPS)[:, 1].astype(float))


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_xgboost_with_many_classes(objective: str) -> None:
    parameters = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
    booster = xgboost.train(parameters, xgboost.DMatrix(GAPS.to_numpy(), label=Y3), 10)
    expected = booster.predict(xgboost.DMatrix(GAPS.to_numpy()))
    booster.set_param({"objective": objective})
    answer = ask(bytes(booster.save_raw("ubj")), "xgboost-ubj", columns(GAPS))
    assert answer.classes == (0, 1, 2)
    assert np.allclose(answer.scores, expected, atol=1e-6)


def test_xgboost_categories_by_value_and_by_code() -> None:
    data = xgboost.DMatrix(MIXED, label=Y_MIXED, enable_categorical=True)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 10)
    artifact = bytes(booster.save_raw("ubj"))
    with Sandbox().open(artifact, "xgboost-ubj", list(MIXED)) as session:
        whole = session.predict(mixed_columns())
        few = session.predict({name: values[5:8] for name, values in mixed_columns().items()})
    assert np.array_equal(whole.scores[:, 1], booster.predict(data).astype(float))
    assert np.array_equal(few.scores, whole.scores[5:8]), "a category's code depends on the other rows"

    codes = np.column_stack([GAPS["w"], MIXED["code"].cat.codes])
    kinds = {"feature_types": ["float", "c"], "enable_categorical": True}
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(codes, label=Y_MIXED, **kinds), 10)
    answer = ask(bytes(booster.save_raw("ubj")), "xgboost-ubj", {"w": codes[:, 0], "code": codes[:, 1]})
    assert np.array_equal(answer.scores[:, 1], booster.predict(xgboost.DMatrix(codes, **kinds)).astype(float))


def test_columns_are_matched_by_name_where_the_model_knows_names() -> None:
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(GAPS, label=Y), 5)
    artifact, shuffled = bytes(booster.save_raw("ubj")), {name: columns(GAPS)[name] for name in "zxwy"}
    expected = booster.predict(xgboost.DMatrix(GAPS)).astype(float)
    assert np.array_equal(ask(artifact, "xgboost-ubj", shuffled).scores[:, 1], expected)


def test_a_model_whose_names_half_match_is_not_guessed_at() -> None:
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(GAPS, label=Y), 2)
    renamed = {"w": columns(GAPS)["w"], **{name + "2": columns(GAPS)[name] for name in "xyz"}}
    with pytest.raises(TargetError, match="not in the data: x, y, z"):
        ask(bytes(booster.save_raw("ubj")), "xgboost-ubj", renamed)


def test_lightgbm_writes_spaces_as_underlines() -> None:
    frame = GAPS.rename(columns={"w": "credit amount", "x": "age in years"})
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(frame, label=Y), 5)
    shuffled = dict(reversed(columns(frame).items()))
    answer = ask(booster.model_to_string().encode(), "lightgbm-text", shuffled)
    assert np.array_equal(answer.scores[:, 1], booster.predict(frame, num_threads=1))


@pytest.mark.parametrize(("objective", "target"), [("binary", Y), ("multiclass", Y3), ("regression", Y)])
def test_lightgbm_as_the_library(objective: str, target: np.ndarray) -> None:
    parameters = {"objective": objective, "verbose": -1, "num_threads": 1, "min_data_in_leaf": 3}
    parameters |= {"num_class": 3} if objective == "multiclass" else {}
    booster = lightgbm.train(parameters, lightgbm.Dataset(MIXED, label=target), 10)
    artifact = booster.model_to_string().encode()
    plain = booster.predict(MIXED, num_threads=1)
    answer, raw = ask_twice(artifact, "lightgbm-text", mixed_columns())
    expected = both(plain) if objective == "binary" else plain.reshape(N, -1)
    assert np.array_equal(answer.scores, expected)
    assert answer.classes == {"binary": (0, 1), "multiclass": (0, 1, 2), "regression": ()}[objective]
    assert np.array_equal(raw.scores, booster.predict(MIXED, raw_score=True, num_threads=1).reshape(N, -1))


def pipeline() -> object:
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    names = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    both_kinds = make_column_transformer((numbers, ["w", "x", "y", "z"]), (names, ["kind"]), remainder="drop")
    frame = MIXED.astype({"kind": object}).drop(columns="code")
    frame["kind"] = frame["kind"].where(frame["kind"].notna(), np.nan)
    return make_pipeline(both_kinds, LogisticRegression()).fit(frame, Y_MIXED), frame


def test_a_pipeline_gets_its_named_columns_and_text() -> None:
    model, frame = pipeline()
    given = {name: values for name, values in mixed_columns().items() if name != "code"}
    for kind, artifact in (("joblib", dumped(model)), ("pickle", pickle.dumps(model))):
        answer, raw = ask_twice(artifact, kind, given)
        assert np.allclose(answer.scores, model.predict_proba(frame), rtol=0, atol=1e-12)
        assert answer.classes == (0, 1)
        assert np.allclose(raw.scores[:, 0], model.decision_function(frame))


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(5, n_jobs=4, random_state=0),
        HistGradientBoostingClassifier(max_iter=5),
        xgboost.XGBClassifier(n_estimators=5, n_jobs=2),
        lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_estimators_in_joblib(model: object) -> None:
    labels = np.array(["bad", "good"])[Y]
    labels = Y if isinstance(model, xgboost.XGBClassifier) else labels
    model.fit(NUMBERS, labels)
    answer, raw = ask_twice(dumped(model), "joblib", columns(NUMBERS))
    assert np.array_equal(answer.scores, model.predict_proba(NUMBERS).astype(float))
    assert answer.classes == tuple(model.classes_.tolist())
    if isinstance(model, xgboost.XGBClassifier):
        assert np.array_equal(raw.scores[:, 0], model.predict(NUMBERS, output_margin=True))
    elif isinstance(model, lightgbm.LGBMClassifier):
        assert np.array_equal(raw.scores[:, 0], model.predict(NUMBERS, raw_score=True))
    elif isinstance(model, HistGradientBoostingClassifier):
        assert np.array_equal(raw.scores[:, 0], model.decision_function(NUMBERS))
    else:
        assert np.array_equal(raw.scores, answer.scores), "a forest has no margin"


def test_estimators_without_probabilities() -> None:
    matrix = NUMBERS.to_numpy()
    machine = LinearSVC().fit(matrix, Y)
    answer = ask(dumped(machine), "joblib", columns(NUMBERS))
    assert np.array_equal(answer.scores.argmax(axis=1), machine.predict(matrix))
    forest = IsolationForest(n_estimators=5, random_state=0).fit(matrix)
    assert np.array_equal(ask(dumped(forest), "joblib", columns(NUMBERS)).scores[:, 0], forest.predict(matrix))
    line = LinearRegression().fit(matrix, NUMBERS["w"])
    assert np.allclose(ask(dumped(line), "joblib", columns(NUMBERS)).scores[:, 0], line.predict(matrix))


@pytest.mark.parametrize("zipmap", [True, False])
def test_onnx_with_and_without_a_map(zipmap: bool) -> None:
    from skl2onnx import to_onnx

    model = LogisticRegression().fit(NUMBERS.to_numpy().astype("f4"), Y)
    graph = to_onnx(model, NUMBERS.to_numpy()[:1].astype("f4"), options={"zipmap": zipmap}).SerializeToString()
    session = onnxruntime.InferenceSession(graph)
    expected = session.run(None, {session.get_inputs()[0].name: NUMBERS.to_numpy().astype("f4")})[1]
    expected = np.array([[row[0], row[1]] for row in expected]) if zipmap else expected
    answer = ask(graph, "onnx", columns(NUMBERS))
    assert np.array_equal(answer.scores, expected.astype(float))
    assert answer.classes == (0, 1)


def test_onnx_with_an_input_per_column() -> None:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    numbers, names = ["w", "x", "y", "z"], ["kind"]
    frame = NUMBERS.assign(kind=pd.Series(np.where(KIND == None, "red", KIND), dtype=object))  # noqa: E711
    steps = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), names))
    model = make_pipeline(steps, LogisticRegression()).fit(frame, Y_MIXED)
    inputs = [(name, FloatTensorType([None, 1])) for name in numbers] + [("kind", StringTensorType([None, 1]))]
    graph = to_onnx(model, initial_types=inputs).SerializeToString()
    given = {**columns(NUMBERS), "kind": np.asarray(frame["kind"], dtype=object)}
    assert np.allclose(ask(graph, "onnx", given).scores, model.predict_proba(frame), atol=1e-5)


def test_one_process_answers_many_questions(box: Box) -> None:
    artifact = dumped(LinearRegression().fit(NUMBERS.to_numpy(), NUMBERS["w"]))
    with box().open(artifact, "joblib", list("wxyz")) as session:
        answers = [session.predict({n: v[i : i + 9] for n, v in columns(NUMBERS).items()}) for i in range(0, 90, 9)]
    found = np.concatenate([answer.scores[:, 0] for answer in answers])
    assert np.allclose(found, NUMBERS["w"][:90])


def test_what_it_stands_on_is_told() -> None:
    answer = ask(dumped(LinearRegression().fit(NUMBERS.to_numpy(), Y)), "joblib", columns(NUMBERS))
    facts = {fact.kind: fact for fact in answer.facts}
    assert facts["sandbox.isolation"].value == answer.isolation.name.lower()
    assert answer.libraries["numpy"] == np.__version__
    assert answer.isolation >= Isolation.REDUCED


@pytest.mark.parametrize(
    ("skip", "level"),
    [
        ((), Isolation.FULL),
        (("root",), Isolation.FULL),
        (("landlock",), Isolation.FULL),
        (("root", "landlock"), Isolation.REDUCED),
        (("namespaces",), Isolation.REDUCED),
        (("seccomp",), Isolation.NONE),
    ],
)
def test_each_missing_step_lowers_the_level(box: Box, skip: tuple[str, ...], level: Isolation) -> None:
    best, _ = box().probe()
    found, facts = box(*skip).probe()
    assert found == min(best, level)
    assert not {f"sandbox.{step}" for step in skip} & {fact.kind for fact in facts if fact.value is True}


def test_below_the_minimum_nothing_is_loaded(tmp_path: Path) -> None:
    weak = Sandbox(minimum=Isolation.FULL, skip=("namespaces", "landlock"))
    with pytest.raises(SandboxError) as caught:
        weak.predict(b"never looked at", "pickle", columns(NUMBERS), list("wxyz"))
    assert caught.value.code == "HF-BOX-001"
    assert caught.value.reason == "isolation"


def test_a_foreign_interpreter_needs_no_holdfast(box: Box) -> None:
    """The system's Python has neither Holdfast nor numpy: it starts, and says what is missing."""
    system = Path("/usr/bin/python3")
    if not system.exists():
        pytest.skip("no /usr/bin/python3 here")
    foreign = Sandbox(system, Limits(), Isolation.NONE)
    versions = foreign.libraries()
    if "xgboost" in versions or "xgboost-cpu" in versions:
        pytest.skip("the system's Python has xgboost")
    with pytest.raises(SandboxError) as caught:
        foreign.predict(b"{}", "xgboost-json", columns(NUMBERS), list("wxyz"))
    assert caught.value.reason == "library"
    assert "pip install" in caught.value.fix


def test_libraries_are_read_again_after_an_installation(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    interpreter = tmp_path / "env" / "bin" / "python"
    packages = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    assert Sandbox(interpreter).libraries() == {}
    (packages / "lightgbm-4.0.0.dist-info").mkdir()
    assert Sandbox(interpreter).libraries() == {"lightgbm": "4.0.0"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format": "unheard-of"}, "HF-BOX-004"),
        ({"artifact": Path("/nowhere/model.pkl")}, "HF-BOX-004"),
        ({"artifact": b""}, "HF-TGT-006"),
        ({"artifact": b"\x80\x04garbage"}, "HF-TGT-006"),
        ({"artifact": pickle.dumps({"not": "a model"})}, "HF-TGT-006"),
        ({"feature_order": ["w", "nowhere"]}, "HF-DAT-006"),
        ({"columns": {"w": np.empty(0)}, "feature_order": ["w"]}, "HF-BOX-004"),
        ({"columns": {"w": np.ones(2), "x": np.ones(3)}, "feature_order": ["w"]}, "HF-DAT-010"),
    ],
)
def test_wrong_questions(change: dict[str, object], code: str, box: Box) -> None:
    good = {"artifact": dumped(LinearRegression().fit(NUMBERS.to_numpy(), Y)), "format": "joblib"}
    question = {**good, "columns": columns(NUMBERS), "feature_order": list("wxyz"), **change}
    with pytest.raises((SandboxError, TargetError, DataError)) as caught:
        box().predict(**question)
    assert caught.value.code == code
    assert caught.value.fix


def test_an_interpreter_that_is_none(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho no such thing >&2\nexit 3\n")
    script.chmod(0o755)
    for interpreter, reason in ((tmp_path / "absent", "interpreter"), (tmp_path, "interpreter"), (script, "start")):
        with pytest.raises(SandboxError) as caught:
            Sandbox(interpreter).predict(b"", "pickle", columns(NUMBERS), list("wxyz"))
        assert caught.value.reason == reason


def test_a_killed_caller_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import os, pickle, signal, sys, tempfile\n"
        f"tempfile.tempdir = {str(tmp_path / 'boxes')!r}\n"
        "from holdfast.core.sandbox.inside import wire\n"
        "from holdfast.core.sandbox.process import Process\n"
        "from holdfast.core.sandbox.limits import Limits\n"
        "process = Process(sys.executable, Limits(), (), ())\n"
        "process.ask([wire.encode({'op': 'libraries'})])\n"
        "print(process._popen.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    warden, deadline = int(done.stdout), time.monotonic() + 10
    while time.monotonic() < deadline and Path(f"/proc/{warden}").exists():
        time.sleep(0.02)
    assert not Path(f"/proc/{warden}").exists()


def test_a_killed_warden_takes_the_worker_along(box: Box) -> None:
    session = box().open(dumped(LinearRegression().fit(NUMBERS.to_numpy(), Y)), "joblib", list("wxyz"))
    os.kill(session._process._popen.pid, signal.SIGKILL)
    with pytest.raises(TargetError) as caught:
        session.predict(columns(NUMBERS))
    assert caught.value.reason == "crash"


def test_a_closed_session_answers_no_more(box: Box) -> None:
    session = box().open(dumped(LinearRegression().fit(NUMBERS.to_numpy(), Y)), "joblib", list("wxyz"))
    session.close()
    session.close()
    with pytest.raises(SandboxError):
        session.predict(columns(NUMBERS))


def test_every_format_has_its_library() -> None:
    from holdfast.core.sandbox.inside.models import _LIBRARIES

    assert set(FORMATS) == set(_LIBRARIES)


@pytest.mark.shared
def test_uci_margins_bit_for_bit(shared: Path) -> None:
    frame = pd.read_parquet(shared / "data/tabular/uci_default_credit.parquet").drop(columns="ID")
    label = frame.pop("default.payment.next.month")
    data = xgboost.DMatrix(frame, label=label)
    booster = xgboost.train({"max_depth": 6, "objective": "binary:logistic", "nthread": 1}, data, 20)
    answer = ask(bytes(booster.save_raw("ubj")), "xgboost-ubj", columns(frame), margin=True)
    assert np.array_equal(answer.scores[:, 0], booster.predict(data, output_margin=True))
