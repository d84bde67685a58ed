"""Only forests become ensembles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from holdfast.core.errors import FormatError
from holdfast.core.formats import assemble
from holdfast.core.formats.assemble import NodeArrays, Tree, join
from holdfast.core.formats.trees import LEAF

SOUND = Tree(
    feature=np.array([0, 1, LEAF, LEAF, LEAF]),
    threshold=np.array([0.5, 1.5, 0, 0, 0]),
    left=np.array([1, 3, LEAF, LEAF, LEAF]),
    right=np.array([2, 4, LEAF, LEAF, LEAF]),
    default_left=np.zeros(5, np.bool_),
    leaf=np.array([0.0, 0.0, 1.0, 2.0, 3.0]),
)


def joined(*trees: Tree, n_features: int = 2, n_outputs: int = 1) -> NodeArrays:
    return join(trees, kind="made", n_features=n_features, n_outputs=n_outputs)


def with_item(name: str, index: int, value: float) -> Tree:
    array = getattr(SOUND, name).copy()
    array[index] = value
    return replace(SOUND, **{name: array})


def test_trees_lie_one_after_another() -> None:
    found = joined(SOUND, SOUND)
    assert found["roots"].tolist() == [0, 5]
    assert found["left"].tolist()[5] == 6
    assert found["leaf"].ravel().tolist() == SOUND.leaf.tolist() * 2


def test_unreachable_nodes_are_dropped_whatever_they_hold() -> None:
    pruned = Tree(
        feature=np.array([0, 77, LEAF, LEAF]),
        threshold=np.array([0.5, np.nan, 0, 0]),
        left=np.array([2, 1, LEAF, LEAF]),
        right=np.array([3, 1, LEAF, LEAF]),
        default_left=np.zeros(4, np.bool_),
        leaf=np.array([0.0, np.inf, 1.0, 2.0]),
    )
    found = joined(pruned)
    assert found["feature"].tolist() == [0, LEAF, LEAF]
    assert (found["left"].tolist(), found["right"].tolist()) == ([1, LEAF, LEAF], [2, LEAF, LEAF])
    assert found["leaf"].ravel().tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        (with_item("left", 0, 0), "HF-FMT-011"),
        (with_item("left", 1, 0), "HF-FMT-011"),
        (with_item("left", 1, 2), "HF-FMT-011"),
        (with_item("left", 0, 2), "HF-FMT-011"),
        (with_item("left", 0, 5), "HF-FMT-011"),
        (with_item("left", 0, -2), "HF-FMT-011"),
        (with_item("left", 0, LEAF), "HF-FMT-011"),
        (with_item("feature", 0, 2), "HF-FMT-011"),
        (with_item("feature", 0, -1), "HF-FMT-011"),
        (with_item("threshold", 0, np.nan), "HF-FMT-011"),
        (with_item("leaf", 3, np.nan), "HF-FMT-011"),
        (with_item("leaf", 3, np.inf), "HF-FMT-011"),
        (replace(SOUND, leaf=np.zeros(4)), "HF-FMT-011"),
        (replace(SOUND, threshold=np.zeros(6)), "HF-FMT-011"),
        (replace(SOUND, output=1), "HF-FMT-011"),
        (replace(SOUND, output=-1), "HF-FMT-011"),
        (replace(SOUND, leaf=np.zeros((5, 2)), output=-1), "HF-FMT-011"),
        (replace(SOUND, category=np.array([0, -1, -1, -1, -1])), "HF-FMT-011"),
        (replace(SOUND, category=np.array([-2, -1, -1, -1, -1])), "HF-FMT-011"),
    ],
)
def test_what_is_no_forest_is_refused(tree: Tree, code: str) -> None:
    joined(SOUND)
    with pytest.raises(FormatError) as fault:
        joined(SOUND, tree)
    assert fault.value.code == code


def test_scalar_and_vector_trees_together() -> None:
    vector = replace(SOUND, leaf=np.arange(10.0).reshape(5, 2), output=-1)
    found = joined(replace(SOUND, output=1), vector, n_outputs=2)
    assert found["leaf"].shape == (10, 2)
    assert found["leaf"][2].tolist() == [1.0, 0.0]
    assert found["leaf"][7].tolist() == [4.0, 5.0]
    assert found["tree_output"].tolist() == [1, -1]


def test_a_categorical_threshold_may_be_anything() -> None:
    tree = replace(with_item("threshold", 0, np.nan), category=np.array([0, -1, -1, -1, -1]), sets=(frozenset({1}),))
    assert joined(tree)["threshold"][0] == 0.0


def test_depth_and_counts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    depth = assemble.MAX_DEPTH + 10
    size = 2 * depth + 1
    inner = np.arange(size) < depth
    chain = Tree(
        feature=np.where(inner, 0, LEAF),
        threshold=np.zeros(size),
        left=np.where(inner, depth + np.arange(size), LEAF),
        right=np.where(inner, np.where(np.arange(size) == depth - 1, 2 * depth, np.arange(size) + 1), LEAF),
        default_left=np.zeros(size, np.bool_),
        leaf=np.zeros(size),
    )
    for change in ({}, {"n_features": 10**9}, {"n_outputs": 10**9}, {"n_outputs": 0}):
        with pytest.raises(FormatError) as fault:
            joined(chain, **change)
        assert fault.value.code == "HF-FMT-012"
    monkeypatch.setattr(assemble, "MAX_NODES", 8)
    with pytest.raises(FormatError):
        joined(SOUND, SOUND)
