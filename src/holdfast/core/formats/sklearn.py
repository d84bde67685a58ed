"""scikit-learn tree models read out of a pickle's object graph: no class is imported, nothing is unpickled.

Rules of the library kept here (checked against scikit-learn 1.9): Tree casts x to float32 and compares by `<=` with
a float64 threshold; HistGradientBoosting compares float64; forests divide a float64 sum by the number of trees.
A Pipeline gives its steps as transforms; XGBoost and LightGBM estimators inside go to their own readers.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.domain.transform import Category, Opaque
from holdfast.core.formats import lightgbm, xgboost
from holdfast.core.formats.assemble import MAX_FEATURES, Floats, Integers, Tree, join
from holdfast.core.formats.faults import inconsistent, not_trees, oversize, unsupported
from holdfast.core.formats.hist_gradient import read_hist
from holdfast.core.formats.instances import KIND, MAX_VALUES, Instance, Source, elements, labels, node_field
from holdfast.core.formats.losses import link_of
from holdfast.core.formats.pickle import Value, as_text, raw_bytes
from holdfast.core.formats.steps import MAX_DEPTH, pipeline, steps_of
from holdfast.core.formats.trees import LEAF, Link, TreeEnsemble, TreeModel

SOURCE = "sklearn-joblib"
_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
_PRIOR_BAND = 2e-7
"""scikit-learn clips the prior of boosting, by version to 1e-7 or 2e-16; between them the version would decide."""


def read_graph(value: Value, data: Any, limit: int = MAX_VALUES) -> TreeModel:
    """The tree model a pickle would build, out of at most `limit` values; `data` is the buffer it was read from.

    FormatError where there is none.
    """
    return _read(value, Source(data, limit), 0)


def _read(value: Value, source: Source, depth: int) -> TreeModel:
    if depth > MAX_DEPTH:
        raise inconsistent(KIND, f"estimators are nested deeper than {MAX_DEPTH} levels")
    found = Instance.maybe(value, source)
    if found is None:
        raise not_trees("a pickle", "no estimator at its top")
    if found.name == "Pipeline" and found.package in ("sklearn", "imblearn"):
        return _pipeline(found, depth)
    if found.package == "sklearn" and found.name in _SEARCHES:
        return _read(found.get("best_estimator_"), source, depth + 1)
    if found.package == "xgboost":
        return _xgboost(found)
    if found.package == "lightgbm":
        return _lightgbm(found)
    if found.package != "sklearn":
        raise not_trees("a pickle", f"{found.module}.{found.name}"[:120])
    return _estimator(found)


def _estimator(found: Instance) -> TreeModel:
    classifier = found.name.endswith("Classifier")
    family = found.name.removesuffix("Classifier" if classifier else "Regressor")
    match family:
        case "RandomForest" | "ExtraTrees":
            return _forest(found, _members(found), classifier=classifier)
        case "DecisionTree" | "ExtraTree":
            return _forest(found, [found], classifier=classifier)
        case "GradientBoosting":
            return _boosting(found, classifier=classifier)
        case "HistGradientBoosting":
            return read_hist(found, SOURCE)
    raise not_trees("a pickle", f"sklearn {found.name}"[:120])


def _pipeline(found: Instance, depth: int) -> TreeModel:
    steps = pipeline(found)
    if not steps:
        raise not_trees("a pickle", "an empty Pipeline")
    model = _read(steps[-1], found.source, depth + 1)
    before = tuple(part for step in steps[:-1] for part in steps_of(step, found.source, depth + 1))
    first = Instance.maybe(steps[0], found.source)
    while first is not None and first.name == "Pipeline" and pipeline(first):
        first = Instance.maybe(pipeline(first)[0], found.source)
    columns = first.names() if first is not None and len(steps) > 1 else model.columns
    return replace(model, transforms=before + model.transforms, columns=columns)


def _features(found: Instance) -> int:
    count = found.whole("n_features_in_")
    if not 0 < count <= MAX_FEATURES:
        raise oversize(KIND, "features", count, MAX_FEATURES)
    return count


def _classes(found: Instance) -> tuple[Category, ...]:
    return labels(found.get("classes_"), found.source, "classes_")


def _forest(found: Instance, members: list[Instance], *, classifier: bool) -> TreeModel:
    """Random forests, extra trees, and a tree by itself (a forest of one)."""
    if "n_outputs_" in found.attributes and found.whole("n_outputs_") != 1:
        raise unsupported(KIND, "it predicts several outputs at once")
    classes = _classes(found) if classifier else ()
    outputs = len(classes) if classifier else 1
    trees = [_tree(member, outputs, classifier=classifier) for member in members]
    names = found.names()
    ensemble = TreeEnsemble(
        **join(trees, kind=KIND, n_features=_features(found), n_outputs=outputs),
        base=np.zeros(outputs),
        operator="<=",
        compare_dtype="float32",
        sum_dtype="float64",
        link=Link.MEAN if classifier else Link.IDENTITY,
        n_features=_features(found),
        n_classes=len(classes),
        feature_names=names,
        scale=1.0 / len(trees),
        source=SOURCE,
    )
    return TreeModel(ensemble, (), classes, names)


def _members(found: Instance) -> list[Instance]:
    _, members = elements(found.get("estimators_"), found.source, f"{found.name}.estimators_")
    if not members:
        raise inconsistent(KIND, f"{found.name} has no trees")
    return [Instance.of(member, found.source) for member in members]


def _tree(member: Instance, outputs: int, *, classifier: bool) -> Tree:
    """A fitted tree. Before 1.3 classifiers kept counts in their leaves and normalised them when asked."""
    nodes, values = _nodes(member)
    if values.shape[1:] != (1, outputs):
        raise inconsistent(KIND, f"leaves of shape {values.shape[1:]} for {outputs} outputs")
    leaf = values[:, 0, :]
    if classifier and () < member.version() < (1, 3):
        total = leaf.sum(axis=1, keepdims=True)
        leaf = leaf / np.where(total == 0, 1.0, total)
    return _flat(nodes, leaf if classifier else leaf[:, 0], -1 if classifier else 0)


def _nodes(member: Instance) -> tuple[NDArray[Any], Floats]:
    tree = member.child("tree_")
    nodes = tree.array("nodes", "V")
    names = nodes.dtype.names or ()
    if nodes.ndim != 1 or not {"left_child", "right_child", "feature", "threshold"} <= set(names):
        raise inconsistent(KIND, "the nodes of a tree have no known layout")
    values = tree.array("values", "f").astype(np.float64)
    if values.ndim != 3 or len(values) != len(nodes):
        raise inconsistent(KIND, "a tree has another number of nodes than of values")
    return nodes, values


def _whole(nodes: NDArray[Any], name: str) -> Integers:
    return node_field(nodes, name, "iu").astype(np.int64)


def _flat(nodes: NDArray[Any], leaf: Floats, output: int) -> Tree:
    missing = np.zeros(len(nodes), np.bool_)
    if "missing_go_to_left" in (nodes.dtype.names or ()):
        missing = node_field(nodes, "missing_go_to_left", "bu").astype(np.bool_)
    left = _whole(nodes, "left_child")
    vector = leaf.ndim == 2
    return Tree(
        feature=_whole(nodes, "feature"),
        threshold=node_field(nodes, "threshold", "f").astype(np.float64),
        left=left,
        right=_whole(nodes, "right_child"),
        default_left=missing,
        leaf=np.where((left == LEAF)[:, None] if vector else left == LEAF, leaf, 0.0),
        output=output,
    )


def _boosting(found: Instance, *, classifier: bool) -> TreeModel:
    shape, members = elements(found.get("estimators_"), found.source, "GradientBoosting.estimators_")
    if len(shape) != 2 or not members:
        raise inconsistent(KIND, "GradientBoosting.estimators_ is not a table of trees")
    rate, outputs = found.number("learning_rate"), shape[1]
    classes = _classes(found) if classifier else ()
    link, slope = link_of(found)
    if classifier and outputs != (1 if len(classes) == 2 else len(classes)):
        raise inconsistent(KIND, f"{outputs} trees per round for {len(classes)} classes")
    trees = []
    for index, member in enumerate(members):
        nodes, values = _nodes(Instance.of(member, found.source))
        if values.shape[1:] != (1, 1):
            raise inconsistent(KIND, "a boosted tree has more than one value in a leaf")
        trees.append(_flat(nodes, rate * values[:, 0, 0], index % outputs))
    names = found.names()
    ensemble = TreeEnsemble(
        **join(trees, kind=KIND, n_features=_features(found), n_outputs=outputs),
        base=_start(found, link, slope, outputs),
        operator="<=",
        compare_dtype="float32",
        sum_dtype="float64",
        link=link,
        n_features=_features(found),
        n_classes=len(classes),
        feature_names=names,
        source=SOURCE,
        slope=slope,
    )
    return TreeModel(ensemble, (), classes, names)


def _start(found: Instance, link: Link, slope: float, outputs: int) -> Floats:
    """What boosting starts from: nothing, or a constant prediction in margin units."""
    value = found.get("init_")
    if value == "zero":
        return np.zeros(outputs)
    start = Instance.of(value, found.source)
    if (start.package, start.name) == ("sklearn", "DummyRegressor") and link is Link.IDENTITY:
        return _fit(start.array("constant_", "f").astype(np.float64).ravel(), outputs)
    if (start.package, start.name) != ("sklearn", "DummyClassifier") or start.get("strategy") != "prior":
        raise unsupported(KIND, f"boosting starts from another estimator ({start.name})")
    prior = start.array("class_prior_", "f").astype(np.float64).ravel()
    if np.any((prior < _PRIOR_BAND) | (prior > 1 - _PRIOR_BAND)):
        raise unsupported(KIND, "a class is so rare that the start depends on the version of scikit-learn")
    if link is Link.SOFTMAX:
        return _fit(np.log(prior / np.exp(np.mean(np.log(prior)))), outputs)
    return _fit(np.array([_logit(share) / slope for share in prior[1:].tolist()]), outputs)


def _logit(share: float) -> float:
    """log(p / (1 - p)) to the last bit of scipy.special.logit, which changes its formula around a half."""
    if share < 0.3 or share > 0.65:
        return math.log(share / (1 - share))
    tilt = 2 * (share - 0.5)
    return math.log1p(tilt) - math.log1p(-tilt)


def _fit(start: Floats, outputs: int) -> Floats:
    if start.shape != (outputs,) or not np.isfinite(start).all():
        raise inconsistent(KIND, "the start of boosting does not fit its outputs")
    return start


def _xgboost(found: Instance) -> TreeModel:
    """XGBClassifier and its kin, or a Booster by itself."""
    wrapper = "_Booster" in found.attributes
    booster = found.child("_Booster") if wrapper else found
    raw = raw_bytes(booster.get("handle"), found.source.data)
    if raw is None:
        raise inconsistent(KIND, "the XGBoost booster holds no bytes")
    model = xgboost.read_ubj(raw, stop_early=wrapper)
    missing = found.attributes.get("missing", float("nan"))
    if wrapper and not (isinstance(missing, float) and np.isnan(missing)):
        return replace(model, transforms=(Opaque("XGBoost with a missing mark of its own"), *model.transforms))
    return model


def _lightgbm(found: Instance) -> TreeModel:
    """LGBMClassifier and its kin, or a Booster by itself."""
    wrapper = "_Booster" in found.attributes
    booster = found.child("_Booster") if wrapper else found
    handle = booster.attributes.get("_handle", booster.attributes.get("handle"))
    text = as_text(handle, found.source.data)
    if text is None:
        raise inconsistent(KIND, "the LightGBM booster holds no text")
    best = booster.whole("best_iteration") if "best_iteration" in booster.attributes else 0
    model = lightgbm.read_text(text.encode("utf-8", "surrogatepass"), rounds=best)
    if wrapper and model.ensemble.n_classes and "_classes" in found.attributes:
        known = labels(found.get("_classes"), found.source, "_classes")
        if len(known) != model.ensemble.n_classes:
            raise inconsistent(KIND, f"{len(known)} labels for {model.ensemble.n_classes} classes")
        return replace(model, classes=known)
    return model
