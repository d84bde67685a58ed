"""Margins and scores of small ensembles written by hand, against a walk of one row down one tree at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import FormatError
from holdfast.core.formats import margins as margins_module
from holdfast.core.formats.assemble import Tree, join
from holdfast.core.formats.margins import leaves, link, margins, scores, sigmoid
from holdfast.core.formats.trees import LEAF, NUMERIC, ZERO_BAND, CategoryMatch, Link, TreeEnsemble

F = 3


def random_tree(rng: np.random.Generator, output: int, width: int) -> Tree:
    """A tree grown by splitting random leaves, some of its tests categorical."""
    left, right = [LEAF], [LEAF]
    for _ in range(int(rng.integers(0, 12))):
        ends = [node for node, child in enumerate(left) if child == LEAF]
        node = int(rng.choice(ends))
        left[node], right[node] = len(left), len(left) + 1
        left += [LEAF, LEAF]
        right += [LEAF, LEAF]
    size = len(left)
    category = np.where(rng.random(size) < 0.3, rng.integers(0, 3, size), NUMERIC)
    values = rng.normal(size=(size, width) if output < 0 else size)
    return Tree(
        feature=rng.integers(0, F, size),
        threshold=rng.integers(-3, 4, size) / 2,
        left=np.array(left),
        right=np.array(right),
        default_left=rng.random(size) < 0.5,
        leaf=values,
        output=output,
        category=category,
        sets=tuple(frozenset(rng.integers(0, 5, 3).tolist()) for _ in range(3)),
    )


def ensemble_of(trees: list[Tree], outputs: int = 1, **changes: object) -> TreeEnsemble:
    made = TreeEnsemble(
        **join(trees, kind="made", n_features=F, n_outputs=outputs),
        base=np.arange(outputs) / 3,
        operator="<",
        compare_dtype="float32",
        sum_dtype="float32",
        link=Link.IDENTITY,
        n_features=F,
        n_classes=0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def goes_left(trees: TreeEnsemble, node: int, x: float) -> bool:
    value = float(np.float32(x)) if trees.compare_dtype == "float32" else x
    if trees.category[node] != NUMERIC:
        if np.isnan(value):
            return bool(trees.default_left[node])
        if np.isinf(value):
            return False
        code = int(value)
        unfit = trees.category_match is CategoryMatch.POSITIVE and value < 0
        unfit |= trees.category_match is CategoryMatch.EXACT and code != value
        return not unfit and code in trees.category_sets[trees.category[node]]
    if np.isnan(value) or (trees.zero_is_missing and abs(value) <= ZERO_BAND):
        return bool(trees.default_left[node])
    threshold = float(trees.threshold[node])
    return value < threshold if trees.operator == "<" else value <= threshold


def walk(trees: TreeEnsemble, row: np.ndarray) -> np.ndarray:
    dtype = np.dtype(trees.sum_dtype).type
    total = trees.base.astype(dtype)
    for root, output in zip(trees.roots, trees.tree_output, strict=True):
        node = int(root)
        while trees.feature[node] != LEAF:
            side = trees.left if goes_left(trees, node, row[trees.feature[node]]) else trees.right
            node = int(side[node])
        for place, value in enumerate(trees.leaf[node]):
            target = place if output < 0 else int(output)
            if output < 0 or place == 0:
                total[target] = dtype(total[target] + dtype(value))
    return total.astype(np.float64) * trees.scale


VALUES = [-np.inf, -2.0, -1.0, -0.5, -1e-36, 0.0, 1e-36, 0.5, 1.0, 1.5, 2.9, 3.0, 4.0, 1e30, np.inf, np.nan]
VALUES += [float(np.nextafter(0.5, way)) for way in (0, 1)]


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    operator=st.sampled_from(["<", "<="]),
    compare=st.sampled_from(["float32", "float64"]),
    total=st.sampled_from(["float32", "float64"]),
    zero=st.booleans(),
    match=st.sampled_from(CategoryMatch),
    outputs=st.integers(1, 3),
    vectors=st.booleans(),
)
def test_margins_are_those_of_a_walk(
    seed: int, operator: str, compare: str, total: str, zero: bool, match: CategoryMatch, outputs: int, vectors: bool
) -> None:
    rng = np.random.default_rng(seed)
    made = [random_tree(rng, -1 if vectors else int(rng.integers(0, outputs)), outputs) for _ in range(4)]
    trees = ensemble_of(
        made,
        outputs,
        operator=operator,
        compare_dtype=compare,
        sum_dtype=total,
        zero_is_missing=zero,
        category_match=match,
        scale=0.5,
    )
    X = rng.choice(VALUES, size=(40, F))
    assert np.array_equal(margins(trees, X), np.array([walk(trees, row) for row in X]))


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    trees = ensemble_of([random_tree(rng, 0, 1) for _ in range(7)])
    X = rng.normal(size=(50, F))
    whole, ends = margins(trees, X), leaves(trees, X)
    monkeypatch.setattr(margins_module, "CHUNK_CELLS", 20)
    assert np.array_equal(margins(trees, X), whole)
    assert np.array_equal(leaves(trees, X), ends)
    assert (trees.feature[ends] == LEAF).all()


def test_empty_ensembles_and_empty_matrices() -> None:
    rng = np.random.default_rng(0)
    none = ensemble_of([], 2)
    assert np.array_equal(margins(none, np.zeros((3, F))), np.tile(np.arange(2, dtype=np.float32) / 3, (3, 1)))
    trees = ensemble_of([random_tree(rng, 0, 1)])
    assert margins(trees, np.zeros((0, F))).shape == (0, 1)
    assert leaves(trees, np.zeros((0, F))).shape == (0, 1)


def test_a_mean_divides_as_libraries_do() -> None:
    """0.9 / 10 and 0.9 * 0.1 differ in the last bit."""
    none = np.array([LEAF])
    stump = Tree(none, np.zeros(1), none, none, np.zeros(1, np.bool_), np.array([0.9]))
    trees = ensemble_of([stump], base=np.zeros(1), scale=0.1, sum_dtype="float64")
    assert margins(trees, np.zeros((1, F)))[0, 0] == 0.9 / 10 != 0.9 * 0.1


@pytest.mark.parametrize("X", [np.zeros((2, F + 1)), np.zeros(F), [["a", "b", "c"]], [[1.0, 2.0], [1.0]]])
def test_what_does_not_fit_is_refused(X: object) -> None:
    trees = ensemble_of([random_tree(np.random.default_rng(0), 0, 1)])
    with pytest.raises(FormatError) as fault:
        margins(trees, X)  # type: ignore[arg-type]
    assert fault.value.code == "HF-FMT-015"


def test_links() -> None:
    trees = ensemble_of([], 1, n_classes=2)
    raw = np.array([[-1.0], [0.0], [2.0]])
    p = 1 / (1 + np.exp(-3 * raw))
    assert np.allclose(link(replace(trees, link=Link.SIGMOID, slope=3.0), raw), np.hstack((1 - p, p)))
    assert np.array_equal(link(replace(trees, link=Link.STEP), raw), [[1, 0], [1, 0], [0, 1]])
    assert np.array_equal(link(replace(trees, link=Link.IDENTITY), raw), np.hstack((-raw, raw)))
    assert np.array_equal(link(replace(trees, link=Link.MEAN), raw), np.hstack((1 - raw, raw)))
    regression = replace(trees, n_classes=0)
    assert np.array_equal(link(regression, raw), raw)
    assert np.array_equal(link(replace(regression, link=Link.EXP), raw), np.exp(raw))
    three = replace(ensemble_of([], 3), link=Link.SOFTMAX, n_classes=3)
    raw = np.array([[1000.0, 0.0, -1000.0], [1.0, 1.0, 1.0]])
    assert np.allclose(link(three, raw), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    assert np.allclose(scores(three, np.zeros((1, F))).sum(), 1)


def test_sigmoid_neither_overflows_nor_loses_small_values() -> None:
    found = sigmoid(np.array([-1000.0, -700.0, 0.0, 700.0, 1000.0]))
    assert found.tolist()[2:] == [0.5, 1.0, 1.0]
    assert 0 == found[0] < found[1] < 1e-300
