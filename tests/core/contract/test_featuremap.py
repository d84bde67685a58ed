"""Inner features against scikit-learn itself, bit for bit."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.contract import Contract, FeatureMap, featuremap
from holdfast.core.contract.sources import Lookup, Shift, Source
from holdfast.core.domain.transform import (
    Branch,
    Columns,
    Impute,
    OneHot,
    Opaque,
    Ordinal,
    Passthrough,
    Scale,
    Transform,
)
from holdfast.core.errors import ContractError

pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import (  # noqa: E402
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

CONTRACT = Contract.parse("""\
version: 1
features:
  a:    {type: number, move: any, missing: true}
  code: {type: category, values: [3, 1, 2], move: any, missing: true}
  kind: {type: category, values: [web, app, branch], move: any, missing: true}
  b:    {type: number, move: any, missing: true}
""")
Frame = Any


def frame(X: np.ndarray) -> Frame:
    columns = CONTRACT.decode(X)
    columns["kind"] = np.array([np.nan if v is None else v for v in columns["kind"]], dtype=object)
    return pd.DataFrame(columns)


def described(step: Any) -> Transform:
    """A fitted scikit-learn step as plain data: what a reader of artifacts finds in it."""
    match step:
        case StandardScaler():
            mean = step.mean_ if step.with_mean else np.zeros_like(step.scale_)
            return Scale(tuple(mean), tuple(step.scale_))
        case RobustScaler():
            return Scale(tuple(step.center_), tuple(step.scale_))
        case MaxAbsScaler():
            return Scale((0.0,) * len(step.scale_), tuple(step.scale_))
        case MinMaxScaler():
            return Scale(tuple(step.min_), tuple(step.scale_), multiply=True)
        case SimpleImputer():
            indicators = tuple(map(int, step.indicator_.features_)) if step.add_indicator else ()
            return Impute(tuple(plain(value) for value in step.statistics_), indicators)
        case OneHotEncoder():
            dropped = () if step.drop_idx_ is None else tuple(None if i is None else int(i) for i in step.drop_idx_)
            return OneHot(tuple(tuple(map(plain, found)) for found in step.categories_), dropped, step.handle_unknown)
        case OrdinalEncoder():
            categories = tuple(tuple(map(plain, found)) for found in step.categories_)
            seen = any(isinstance(c, float) and math.isnan(c) for found in categories for c in found)
            return Ordinal(categories, step.unknown_value, step.encoded_missing_value if seen else None)
        case "passthrough" | FunctionTransformer(func=None):
            return Passthrough()
    raise AssertionError(step)


def plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def transforms(model: ColumnTransformer) -> tuple[Transform, ...]:
    branches = []
    for _, step, columns in model.transformers_:
        if isinstance(step, str) and step == "drop":
            continue
        steps = step.steps if hasattr(step, "steps") else [("only", step)]
        branches.append(Branch(tuple(columns), tuple(described(inner) for _, inner in steps)))
    return (Columns(tuple(branches)),)


PIPELINES: dict[str, Any] = {
    "scalers": lambda: ColumnTransformer(
        [("s", StandardScaler(), ["b", "a"]), ("m", MinMaxScaler(), ["a"]), ("r", RobustScaler(), ["b"])]
    ),
    "max-abs and no mean": lambda: ColumnTransformer(
        [("x", MaxAbsScaler(), ["a", "b"]), ("s", StandardScaler(with_mean=False), ["b"])], remainder="drop"
    ),
    "imputer with indicators": lambda: ColumnTransformer(
        [("i", make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), ["a", "b"])]
    ),
    "one-hot of texts with a missing category": lambda: ColumnTransformer(
        [("o", OneHotEncoder(handle_unknown="ignore"), ["kind"]), ("p", "passthrough", ["b"])]
    ),
    "imputed texts, dropped first": lambda: ColumnTransformer(
        [
            (
                "o",
                make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(drop="first")),
                ["kind"],
            ),
            ("n", OneHotEncoder(drop="if_binary", handle_unknown="ignore"), ["code"]),
        ],
        sparse_threshold=0,
    ),
    "ordinals": lambda: ColumnTransformer(
        [
            ("o", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["kind", "code"]),
            ("e", OrdinalEncoder(encoded_missing_value=-7), ["kind"]),
        ]
    ),
    "ordinal, then scaled": lambda: ColumnTransformer(
        [("o", make_pipeline(OrdinalEncoder(), SimpleImputer(), MinMaxScaler((-3, 5))), ["kind", "code"])]
    ),
    "numbers encoded": lambda: ColumnTransformer([("o", OneHotEncoder(handle_unknown="ignore"), ["code", "a"])]),
}

numbers = st.one_of(st.floats(-1e6, 1e6), st.integers(-3, 3).map(float), st.floats(-1e-5, 1e-5), st.just(math.nan))
rows = st.tuples(
    numbers, st.sampled_from([1.0, 2.0, 3.0, math.nan]), st.sampled_from([0.0, 1.0, 2.0, math.nan]), numbers
)
ANCHORS = [(1.5, 1.0, 0.0, 2.0), (-2.0, 2.0, 1.0, 0.25), (math.nan, 3.0, 2.0, math.nan), (7.0, math.nan, math.nan, 9.0)]


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=12, deadline=None)
@given(train=st.lists(rows, max_size=8), test=st.lists(rows, min_size=1, max_size=8))
def test_apply_is_scikit_learn_bit_for_bit(name: str, train: list[Any], test: list[Any]) -> None:
    model = PIPELINES[name]().fit(frame(np.array(ANCHORS + train)))
    X = np.array(test)
    expected = model.transform(frame(X))
    expected = np.asarray(expected.todense() if hasattr(expected, "todense") else expected, dtype=np.float64)
    found = FeatureMap.of(CONTRACT, transforms(model))
    assert not found.opaque, found.reasons
    inner = found.apply(X)
    assert inner.shape == expected.shape
    # As bytes, so that -0.0 and 0.0 differ too; every NaN counts as the same.
    same = np.isnan(inner) & np.isnan(expected)
    assert np.where(same, 0, inner).tobytes() == np.where(same, 0, expected).tobytes()


@pytest.mark.parametrize("name", PIPELINES)
def test_sources_are_monotone_between_their_points(name: str) -> None:
    model = PIPELINES[name]().fit(frame(np.array(ANCHORS)))
    for source in FeatureMap.of(CONTRACT, transforms(model)).sources:
        edges = np.array([-1e9, *sorted(source.points), 1e9])
        for low, high in itertools.pairwise(edges):
            inside = np.linspace(np.nextafter(low, high), np.nextafter(high, low), 101)
            steps = np.diff(np.nan_to_num(source.values(inside), nan=-99.0))
            assert (steps >= 0).all() or (steps <= 0).all()


def test_kinds() -> None:
    steps = (
        Columns(
            (
                Branch(("a",), (Scale((1.0,), (2.0,)), Impute((0.5,), (0,)))),
                Branch(("kind",), (OneHot((("app", "web"),)),)),
                Branch((1,), (Ordinal(((1.0, 3.0),), unknown_value=-1.0),)),
            )
        ),
    )
    found = FeatureMap.of(CONTRACT, steps)
    assert [(s.column, s.kind, s.points) for s in found.sources] == [
        (0, "numeric", ()),
        (0, "missing", ()),
        (2, "indicator", (1.0,)),
        (2, "indicator", (0.0,)),
        (1, "ordinal", (1.0, 3.0)),
    ]
    X = np.array([[math.nan, 2, 0, 0], [5, 3, 1, 0]])
    assert found.apply(X).tolist() == [[0.5, 1, 0, 1, -1], [2, 0, 1, 0, 1]]


def test_no_steps_is_the_identity_on_numbers() -> None:
    contract = Contract.parse("version: 1\nfeatures: {a: {type: number, move: any}, b: {type: number, move: any}}")
    X = np.array([[1.0, -0.0], [math.nan, 1e300]])
    assert FeatureMap.of(contract, ()).apply(X).tobytes() == X.tobytes()
    assert FeatureMap.of(contract, (), ("b", "a")).apply(X).tobytes() == X[:, ::-1].tobytes()
    with pytest.raises(ContractError) as caught:
        FeatureMap.of(contract, (), ("b", "aa"))
    assert caught.value.code == "HF-CON-006"


NUMBERS = Branch(("a", "b"), (Passthrough(),))


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((), "texts of 'kind' reach the model"),
        ((Columns((NUMBERS,)), Opaque("PCA")), "'PCA' is not known"),
        ((Columns((Branch(("a",), (Opaque("KBins"),)),)),), "'KBins' is not known"),
        ((Columns((Branch(("x",), (Passthrough(),)),)),), "column 'x'"),
        ((Columns((Branch((4,), (Passthrough(),)),)),), "column 4 of 4"),
        ((Columns((Branch((-1,), (Passthrough(),)),)),), "column -1 of 4"),
        ((Columns((NUMBERS,)), Scale((0.0,), (1.0,))), "a scaler for 1 columns is given 2"),
        ((Columns((NUMBERS,)), Scale((0.0, 0.0), (1.0, 0.0))), "the factor 0"),
        ((Columns((NUMBERS,)), Scale((0.0, math.nan), (1.0, 1.0))), "offset nan"),
        ((Columns((Branch(("kind",), (Scale((0.0,), (1.0,)),)),)),), "a scaler reads the texts of 'kind'"),
        ((Columns((Branch(("kind",), (OneHot(((1.0, 2.0),)),)),)),), "the column holds texts"),
        ((Columns((Branch(("a",), (Ordinal((("x",),)),)),)),), "the column holds numbers"),
        ((Columns((Branch(("a",), (Impute(("x",)),)),)),), "the column holds numbers"),
        ((Columns((Branch(("a",), (Scale((0.0,), (2.0,)), OneHot(((1.0,),)))),)),), "behind a scaler"),
        ((Columns((NUMBERS,)), Columns((Branch(("a",), ()),))), "column 'a'"),
    ],
)
def test_what_cannot_be_followed_is_opaque_with_its_reason(steps: tuple[Transform, ...], reason: str) -> None:
    found = FeatureMap.of(CONTRACT, steps)
    assert found.opaque
    assert found.sources == ()
    assert reason in found.reasons[0]
    with pytest.raises(ContractError) as caught:
        found.apply(np.zeros((1, 4)))
    assert caught.value.code == "HF-CON-015"


def test_the_number_of_inner_features_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(featuremap, "MAX_OUTPUTS", 20)
    encoder = OneHot((tuple(map(float, range(21))), ()))
    assert "more than 20 inner" in FeatureMap.of(CONTRACT, (Columns((NUMBERS,)), encoder)).reasons[0]


def test_an_imputer_leaves_out_a_column_that_had_no_value() -> None:
    found = FeatureMap.of(CONTRACT, (Columns((NUMBERS,)), Impute((math.nan, 2.0), (0,))))
    X = np.array([[1, 1, 1, math.nan]])
    assert found.apply(X).tolist() == [[2.0, 0.0]]


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3).filter(lambda f: abs(f) > 1e-3), st.booleans())
def test_a_shift_is_monotone_on_neighbouring_floats(offset: float, factor: float, multiply: bool) -> None:
    raw = offset + np.arange(50) * np.spacing(abs(offset))
    steps = np.diff(Shift(offset, factor, multiply)(raw))
    assert (steps >= 0).all() if factor > 0 else (steps <= 0).all()


def test_a_lookup_without_categories() -> None:
    assert Lookup((), -1.0, -2.0)(np.array([0.0, math.nan])).tolist() == [-1, -2]
    assert Source(0).values(np.array([1, 2])).dtype == np.float64
