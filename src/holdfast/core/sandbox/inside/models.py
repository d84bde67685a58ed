"""Loading a model and asking it, as a user of its own library would, with that library."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

from . import versions

_LIBRARIES = {
    "xgboost-json": ("numpy", "xgboost"),
    "xgboost-ubj": ("numpy", "xgboost"),
    "lightgbm-text": ("numpy", "lightgbm"),
    "catboost-cbm": ("numpy", "catboost"),
    "onnx": ("numpy", "onnxruntime"),
    "joblib": ("numpy", "joblib"),
    "pickle": ("numpy",),
}


class AnswerError(Exception):
    """The model ran to its end and gave something that is not a score per row."""


def libraries() -> dict[str, Any]:
    """Which model libraries there are, and the folders that was read from."""
    import site

    site.main()
    folders = site.getsitepackages()
    return {"libraries": versions.installed(folders), "folders": folders}


def prepare(kind: str) -> dict[str, Any]:
    """Make the environment's packages importable and import the format's own. Raises ImportError."""
    import importlib
    import site
    import tempfile

    site.main()
    # Nothing can be written here; without this, the first look for a temporary folder would try to.
    tempfile.tempdir = "/nonexistent"
    for name in _LIBRARIES[kind]:
        importlib.import_module(name)
    return {}


def load(kind: str, artifact: bytes, features: Sequence[str]) -> Any:
    """The model behind an artifact, as something with `predict(columns, margin) -> (scores, classes)`."""
    if kind.startswith("xgboost"):
        return _Booster(artifact, features)
    if kind == "lightgbm-text":
        return _LightGBM(artifact, features)
    if kind == "catboost-cbm":
        return _CatBoost(artifact, features)
    if kind == "onnx":
        return _Onnx(artifact, features)
    return _Estimator(kind, artifact, features)


def predict(model: Any, header: dict[str, Any], blobs: Sequence[bytes]) -> tuple[Any, list[Any]]:
    """Scores as float64 (n, k) and the classes they belong to (none for a regressor)."""
    import numpy

    scores, classes = model.predict(_columns(header["columns"], blobs), header["margin"])
    try:
        scores = numpy.ascontiguousarray(scores, dtype="<f8")
    except (TypeError, ValueError) as fault:
        raise AnswerError(f"its scores are no numbers: {fault}") from fault
    if scores.ndim == 1:
        scores = scores[:, None]
    if scores.ndim != 2:
        raise AnswerError(f"its scores have {scores.ndim} dimensions")
    return scores, [label.item() if hasattr(label, "item") else label for label in classes]


def _columns(described: Sequence[dict[str, Any]], blobs: Sequence[bytes]) -> dict[str, Any]:
    import numpy

    found, rest = {}, iter(blobs)
    for column in described:
        values = numpy.frombuffer(next(rest), dtype=column["type"])
        if column["text"]:
            # Missing text is NaN, as pandas gives it to a pipeline.
            texts = numpy.array([*json.loads(bytes(next(rest))), float("nan")], dtype=object)
            values = texts[values]
        found[column["name"]] = values
    return found


def _matrix(columns: dict[str, Any], names: Sequence[str]) -> Any:
    """Columns side by side: float64, or objects as soon as one is text."""
    import numpy

    chosen = [columns[name] for name in names]
    kind = object if any(column.dtype == object for column in chosen) else "f8"
    return numpy.stack([column.astype(kind) for column in chosen], axis=1)


def _frame(columns: dict[str, Any], names: Sequence[str], categories: dict[str, Any] | None = None) -> Any:
    """A DataFrame with the columns under their names; some as categories (of the values listed, or of their own)."""
    import pandas

    frame = pandas.DataFrame({name: columns[name] for name in names})
    for name, values in (categories or {}).items():
        frame[name] = frame[name].astype(pandas.CategoricalDtype(values))
    return frame


def _ordered(columns: dict[str, Any], own: Sequence[str] | None, features: Sequence[str]) -> list[str]:
    """The columns by the model's own names; in the declared order where it has none that the data knows."""
    known = {**{name.replace(" ", "_"): name for name in columns}, **{name: name for name in columns}}
    missing = [name for name in own or () if name not in known]
    if own is None or len(missing) == len(own):
        return list(features)
    if missing:
        raise ValueError(f"the model wants columns that are not in the data: {', '.join(missing[:5])}")
    return [known[name] for name in own]


def _two_columns(positive: Any) -> Any:
    """P(second class) as the probabilities of both."""
    import numpy

    positive = numpy.asarray(positive, dtype="f8").reshape(-1)
    return numpy.stack([1 - positive, positive], axis=1)


def _softmax(margins: Any) -> Any:
    import numpy

    raised = numpy.exp(margins - margins.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


class _Booster:
    """xgboost's native model files: json and ubj."""

    def __init__(self, artifact: bytes, features: Sequence[str]) -> None:
        import xgboost

        self.booster = xgboost.Booster()
        self.booster.load_model(bytearray(artifact))
        self.booster.set_param({"nthread": 1})
        self.features = features
        learner = json.loads(self.booster.save_config())["learner"]
        self.objective = learner["objective"]["name"]
        self.classes = max(int(learner["learner_model_param"]["num_class"]), 1)
        # A file of the scikit-learn wrapper is meant to be read by it, and the wrapper stops at the best round.
        best = self.booster.attr("best_iteration") if self.booster.attr("scikit_learn") else None
        self.rounds = {} if best is None else {"iteration_range": (0, int(best) + 1)}

    def predict(self, columns: dict[str, Any], margin: bool) -> tuple[Any, list[Any]]:
        scores = self._raw(columns, margin or self.objective in ("multi:softmax", "binary:logitraw"))
        binary = self.objective.startswith("binary:")
        classes = list(range(2 if binary else self.classes)) if binary or self.classes > 1 else []
        if margin:
            return scores, classes
        if self.objective == "binary:logitraw":
            import numpy

            scores = 1 / (1 + numpy.exp(-scores.astype("f8")))
        elif self.objective == "multi:softmax":
            scores = _softmax(scores.reshape(-1, self.classes))
        return (_two_columns(scores) if binary else scores), classes

    def _raw(self, columns: dict[str, Any], margin: bool) -> Any:
        import xgboost

        own, types = self.booster.feature_names, self.booster.feature_types or ()
        names = _ordered(columns, own, self.features)
        by_value = {name: None for name, kind in zip(names, types) if kind == "c" and self._keeps_categories()}
        by_value.update({name: None for name in names if columns[name].dtype == object})
        if by_value:
            data = xgboost.DMatrix(_frame(columns, names, by_value), nthread=1, enable_categorical=True)
        else:
            kinds = {"feature_names": own, "feature_types": types or None, "enable_categorical": "c" in types}
            data = xgboost.DMatrix(_matrix(columns, names), nthread=1, **kinds)
        return self.booster.predict(data, output_margin=margin, **self.rounds)

    def _keeps_categories(self) -> bool:
        """Whether the model recodes categories by value (xgboost 3.1), rather than being given their codes."""
        found = getattr(self.booster, "get_categories", None)
        return found is not None and not found().empty()


class _LightGBM:
    """LightGBM's text model files."""

    def __init__(self, artifact: bytes, features: Sequence[str]) -> None:
        import lightgbm

        text = artifact.decode("utf-8")
        self.booster = lightgbm.Booster(model_str=text)
        self.features = features
        head = dict(line.split("=", 1) for line in text.split("\n\n")[0].splitlines() if "=" in line)
        self.objective = head.get("objective", "").split(" ")[0]
        infos = head.get("feature_infos", "").split(" ")
        # A numeric column's range is written [low:high]; a categorical one's codes are written bare.
        self.categorical = [index for index, info in enumerate(infos) if info[:1] not in ("[", "n", "")]
        self.classes = self.booster.num_model_per_iteration()

    def predict(self, columns: dict[str, Any], margin: bool) -> tuple[Any, list[Any]]:
        names = _ordered(columns, self.booster.feature_name(), self.features)
        values = self.booster.pandas_categorical or []
        if values and len(values) != len(self.categorical):
            raise ValueError("which columns are categorical cannot be told: one of them was constant in training")
        by_value = dict(zip((names[index] for index in self.categorical), values))
        data = _frame(columns, names, by_value) if by_value else _matrix(columns, names)
        scores = self.booster.predict(data, raw_score=margin, num_threads=1)
        if self.classes > 1:
            return scores, list(range(self.classes))
        binary = self.objective in ("binary", "cross_entropy")
        return (_two_columns(scores) if binary and not margin else scores), [0, 1] if binary else []


class _CatBoost:
    """CatBoost's binary files. JSON it loads from a path only, and here there is none."""

    def __init__(self, artifact: bytes, features: Sequence[str]) -> None:
        import importlib

        self.model = importlib.import_module("catboost").CatBoost()
        self.model.load_model(blob=bytes(artifact))
        self.features = features
        self.categorical = set(self.model.get_cat_feature_indices())
        self.classes = list(self.model.classes_)

    def predict(self, columns: dict[str, Any], margin: bool) -> tuple[Any, list[Any]]:
        names = _ordered(columns, self.model.feature_names_, self.features)
        data = self._mixed(columns, names) if self.categorical else _matrix(columns, names)
        kind = "RawFormulaVal" if margin or not self.classes else "Probability"
        return self.model.predict(data, prediction_type=kind, thread_count=1), self.classes

    def _mixed(self, columns: dict[str, Any], names: Sequence[str]) -> Any:
        """Categories as whole numbers or texts: CatBoost knows them by how they are written."""
        import numpy

        found = numpy.empty((len(columns[names[0]]), len(names)), dtype=object)
        for place, name in enumerate(names):
            values = columns[name]
            if place in self.categorical and values.dtype.kind == "f":
                values = numpy.array([int(v) if v.is_integer() else v for v in values.tolist()], dtype=object)
            found[:, place] = values
        return found


class _Estimator:
    """Whatever a joblib or pickle file holds that can predict: estimators, pipelines, boosters' sklearn wrappers."""

    def __init__(self, kind: str, artifact: bytes, features: Sequence[str]) -> None:
        if kind == "joblib":
            import joblib

            self.model = joblib.load(io.BytesIO(artifact))
        else:
            import pickle

            self.model = pickle.loads(artifact)  # noqa: S301 - this is the process made for it
        if not hasattr(self.model, "predict"):
            raise TypeError(f"the file holds a {type(self.model).__name__}, which has no predict()")
        self.features = features

    def predict(self, columns: dict[str, Any], margin: bool) -> tuple[Any, list[Any]]:
        rows = self._rows(columns)
        classes = list(getattr(self.model, "classes_", []))
        if margin:
            return self._margin(rows), classes
        if hasattr(self.model, "predict_proba"):
            return self.model.predict_proba(rows), classes
        answers = self.model.predict(rows)
        if not classes:
            return answers, []
        import numpy

        return numpy.equal.outer(answers, numpy.array(classes, dtype=answers.dtype)).astype("f8"), classes

    def _rows(self, columns: dict[str, Any]) -> Any:
        """Named columns for a model fitted on names; else a matrix, as it was fitted on."""
        own = getattr(self.model, "feature_names_in_", None)
        if own is None:
            return _matrix(columns, self.features)
        names = _ordered(columns, [str(name) for name in own], self.features)
        try:
            return _frame(columns, names)
        except ImportError:
            return _matrix(columns, names)

    def _margin(self, rows: Any) -> Any:
        """What the estimator computes before probabilities, or those where it computes nothing else."""
        if hasattr(self.model, "decision_function"):
            return self.model.decision_function(rows)
        final = getattr(self.model, "steps", [(None, self.model)])[-1][1]
        library = type(final).__module__.split(".")[0]
        extra = {"xgboost": {"output_margin": True}, "lightgbm": {"raw_score": True}}.get(library)
        if extra is not None:
            return self.model.predict(rows, **extra)
        return self.model.predict_proba(rows) if hasattr(self.model, "predict_proba") else self.model.predict(rows)


_ONNX_TYPES = {
    "tensor(float)": "f4",
    "tensor(double)": "f8",
    "tensor(float16)": "f2",
    "tensor(int64)": "i8",
    "tensor(int32)": "i4",
    "tensor(bool)": "?",
    "tensor(string)": object,
}


class _Onnx:
    """ONNX graphs: one matrix input, or an input per column; probabilities plain or as a ZipMap."""

    def __init__(self, artifact: bytes, features: Sequence[str]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            bytes(artifact), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self.features = features

    def predict(self, columns: dict[str, Any], margin: bool) -> tuple[Any, list[Any]]:  # noqa: ARG002
        """ONNX graphs carry no margin beside their scores, so both questions have the same answer."""
        outputs = self.session.get_outputs()
        answers = self.session.run(None, self._feed(columns))
        for output, answer in zip(outputs, answers):
            if output.type.startswith("seq(map("):
                return _unzipped(answer)
        numeric = ("tensor(float)", "tensor(double)")
        floats = [answer for output, answer in zip(outputs, answers) if output.type in numeric]
        scores = floats[-1] if floats else answers[0]
        labelled = len(answers) > 1 and scores.ndim == 2
        return scores, list(range(scores.shape[1])) if labelled else []

    def _feed(self, columns: dict[str, Any]) -> dict[str, Any]:
        inputs = self.session.get_inputs()
        if len(inputs) == 1 and inputs[0].name not in columns:
            kind = _ONNX_TYPES[inputs[0].type]
            return {inputs[0].name: _matrix(columns, self.features).astype(kind)}
        names = [node.name for node in inputs]
        if not all(name in columns for name in names):
            names = list(self.features)
        return {node.name: columns[name].astype(_ONNX_TYPES[node.type])[:, None] for node, name in zip(inputs, names)}


def _unzipped(answer: Sequence[dict[Any, float]]) -> tuple[Any, list[Any]]:
    """A list of {class: probability} as a matrix."""
    import numpy

    classes = list(answer[0])
    return numpy.array([[row[label] for label in classes] for row in answer]), classes
