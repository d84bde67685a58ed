"""scikit-learn's perceptrons and linear classifiers, read out of a pickle's object graph: nothing is unpickled.

Rules of the library kept here (checked against scikit-learn 1.9): rows are float64 and stay it; a perceptron of two
classes has one logistic output; linear classifiers without probabilities decide by the side of 0, or the largest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from holdfast.core.formats.assemble import MAX_FEATURES
from holdfast.core.formats.faults import inconsistent, no_net, not_trees, oversize
from holdfast.core.formats.instances import KIND, MAX_VALUES, Instance, Source, elements, labels, numbers
from holdfast.core.formats.nets import Bend, Curve, Layer, Net, NetModel
from holdfast.core.formats.nets_build import assemble, dense
from holdfast.core.formats.pickle import Value
from holdfast.core.formats.steps import MAX_DEPTH, pipeline, steps_of
from holdfast.core.formats.trees import Link

SOURCE = "sklearn-joblib"
DTYPE = "float64"
_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
_CURVES = {"relu": Curve.RELU, "tanh": Curve.TANH, "logistic": Curve.SIGMOID}
_LOGISTIC = ("LogisticRegression", "LogisticRegressionCV")
_SIDES = ("LinearSVC", "Perceptron", "RidgeClassifier", "RidgeClassifierCV", "PassiveAggressiveClassifier")


def read_graph(value: Value, data: Any, limit: int = MAX_VALUES) -> NetModel:
    """The net a pickle would build, out of at most `limit` values; `data` is the buffer it was read from.

    FormatError where there is none.
    """
    return _read(value, Source(data, limit), 0)


def _read(value: Value, source: Source, depth: int) -> NetModel:
    if depth > MAX_DEPTH:
        raise inconsistent(KIND, f"estimators are nested deeper than {MAX_DEPTH} levels")
    found = Instance.maybe(value, source)
    if found is None:
        raise not_trees("a pickle", "no estimator at its top")
    if found.name == "Pipeline" and found.package in ("sklearn", "imblearn"):
        return _pipeline(found, depth)
    if found.package == "sklearn" and found.name in _SEARCHES:
        return _read(found.get("best_estimator_"), source, depth + 1)
    if found.package != "sklearn":
        raise not_trees("a pickle", f"{found.module}.{found.name}"[:120])
    return _estimator(found)


def _pipeline(found: Instance, depth: int) -> NetModel:
    steps = pipeline(found)
    if not steps:
        raise not_trees("a pickle", "an empty Pipeline")
    model = _read(steps[-1], found.source, depth + 1)
    before = tuple(part for step in steps[:-1] for part in steps_of(step, found.source, depth + 1))
    first = Instance.maybe(steps[0], found.source)
    columns = first.names() if first is not None and len(steps) > 1 else model.columns
    return replace(model, transforms=before + model.transforms, columns=columns)


def _estimator(found: Instance) -> NetModel:
    if found.name == "MLPClassifier":
        return _perceptron(found)
    if found.name in _LOGISTIC:
        return _linear(found, Link.SIGMOID if found.attributes.get("solver") == "liblinear" else Link.SOFTMAX)
    if found.name in _SIDES:
        return _linear(found, Link.STEP)
    if found.name == "SGDClassifier":
        return _linear(found, Link.SIGMOID if found.attributes.get("loss") in ("log_loss", "log") else Link.STEP)
    raise not_trees("a pickle", f"sklearn {found.name}"[:120])


def _features(found: Instance) -> int:
    count = found.whole("n_features_in_")
    if not 0 < count <= MAX_FEATURES:
        raise oversize(KIND, "features", count, MAX_FEATURES)
    return count


def _perceptron(found: Instance) -> NetModel:
    weights = _arrays(found, "coefs_")
    biases = _arrays(found, "intercepts_")
    activation = found.attributes.get("activation")
    if len(weights) != len(biases) or activation not in (*_CURVES, "identity"):
        raise inconsistent(KIND, "a perceptron with other biases than weights, or an unknown activation")
    layers: list[Layer] = []
    for weight, bias in zip(weights, biases, strict=True):
        if layers and activation in _CURVES:
            layers.append(Bend(_CURVES[activation]))
        layers.append(dense(weight, bias, DTYPE, KIND))
    links = {"logistic": Link.SIGMOID, "softmax": Link.SOFTMAX}
    out = found.attributes.get("out_activation_")
    if out not in links:
        raise no_net(KIND, "its outputs are no probabilities")
    return _model(found, layers, links[out])


def _arrays(found: Instance, name: str) -> list[Any]:
    _, parts = elements(found.get(name), found.source, f"{found.name}.{name}")
    return [numbers(part, found.source, f"{found.name}.{name}", "f") for part in parts]


def _linear(found: Instance, link: Link) -> NetModel:
    """One row of coefficients for two classes, else one per class."""
    weight, bias = found.array("coef_", "f"), found.array("intercept_", "f")
    if weight.ndim == 1:
        weight = weight[None, :]
    if weight.ndim != 2 or bias.size not in (1, len(weight)):
        raise inconsistent(KIND, f"coefficients of shape {weight.shape} with {bias.size} intercepts")
    layer = dense(weight.T, [float(bias.ravel()[at % bias.size]) for at in range(len(weight))], DTYPE, KIND)
    if len(weight) == 1 and link is Link.SOFTMAX:
        link = Link.SIGMOID
    return _model(found, [layer], link)


def _model(found: Instance, layers: list[Layer], link: Link) -> NetModel:
    net: Net = assemble(layers, n_features=_features(found), dtype=DTYPE, source=SOURCE, kind=KIND, link=link)
    classes = labels(found.get("classes_"), found.source, "classes_")
    if len(classes) != net.n_classes:
        raise no_net(KIND, f"{net.n_outputs} outputs for {len(classes)} classes")
    return NetModel(net, (), classes, found.names())
