"""Named columns to matrices and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.contract import Contract
from holdfast.core.contract.matrix import as_matrix
from holdfast.core.errors import ContractError

CONTRACT = Contract.parse("""\
version: 1
subject: customer
features:
  amount:  {type: number, move: any, missing: true}
  count:   {type: integer, move: any, missing: true}
  code:    {type: category, values: [3, 1, 2], move: any, missing: true}
  channel: {type: category, values: [web, app, branch], move: any, missing: true}
""")


def columns(**changes: Any) -> dict[str, Any]:
    usual = {
        "amount": np.array([1.5, np.nan]),
        "count": np.array([3, 4]),
        "code": np.array([1, 3]),
        "channel": np.array(["app", None], dtype=object),
    }
    return {name: np.asarray(values) for name, values in (usual | changes).items() if values is not None}


def failed(**changes: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        CONTRACT.encode(columns(**changes))
    return caught.value


def test_numbers_stay_texts_become_positions_missing_becomes_nan() -> None:
    X = CONTRACT.encode(columns())
    assert X.dtype == np.float64
    np.testing.assert_array_equal(X, [[1.5, 3, 1, 1], [np.nan, 4, 3, np.nan]])


def test_decode_is_the_inverse() -> None:
    found = CONTRACT.decode(CONTRACT.encode(columns()))
    assert {name: values.dtype.kind for name, values in found.items()} == {
        "amount": "f",
        "count": "i",
        "code": "i",
        "channel": "O",
    }
    assert found["channel"].tolist() == ["app", None]
    assert found["count"].tolist() == [3, 4]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.just(np.nan), st.floats(-1e300, 1e300)),
            st.one_of(st.just(np.nan), st.integers(-(2**53), 2**53).map(float)),
            st.sampled_from([1.0, 2.0, 3.0, np.nan]),
            st.sampled_from([0.0, 1.0, 2.0, np.nan]),
        ),
        max_size=6,
    )
)
def test_decode_then_encode_changes_no_bit(rows: list[tuple[float, ...]]) -> None:
    X = np.array(rows, dtype=np.float64).reshape(-1, 4)
    np.testing.assert_array_equal(CONTRACT.encode(CONTRACT.decode(X)), X)


def test_every_kind_of_array_a_table_holds() -> None:
    X = CONTRACT.encode(
        columns(
            amount=np.array([0.1, 2], dtype=np.float32),
            count=np.array([True, False]),
            code=np.array([1, None], dtype=object),
            channel=np.array(["web", "app"]),
        )
    )
    np.testing.assert_array_equal(X, [[float(np.float32(0.1)), 1, 1, 0], [2, 0, np.nan, 1]])


def test_the_subject_and_what_is_ignored_are_skipped() -> None:
    extra = {"customer": np.array(["x", "y"]), "label": np.array([0, 1])}
    X = CONTRACT.encode(columns() | extra, ignore={"label"})
    np.testing.assert_array_equal(X, CONTRACT.encode(columns()))


def test_a_column_that_is_not_listed_is_an_error() -> None:
    error = failed(colour=np.array([1, 2]))
    assert (error.code, "'colour'" in error.message) == ("HF-CON-009", True)


def test_a_missing_column_is_an_error_with_the_nearest_name() -> None:
    error = failed(amount=None, ammount=np.array([1, 2]))
    assert error.code == "HF-CON-009"
    assert "no column 'amount'" in error.message
    assert "'ammount'" in error.fix


def test_columns_of_different_length() -> None:
    assert failed(amount=np.array([1.0])).code == "HF-CON-009"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount": np.array([np.inf, 1])}, "infinite values in row 0"),
        ({"amount": np.array(["a", "b"])}, "row 0 holds 'a'"),
        ({"amount": np.array([1, 10**30], dtype=object)}, "row 1 holds 1000"),
        ({"amount": np.ones((2, 2))}, "2 dimensions"),
        ({"count": np.array([1, 2**53 + 1])}, "beyond 2**53 in row 1"),
        ({"count": np.array([2**64 - 1, 1], dtype=np.uint64)}, "beyond 2**53 in row 0"),
        ({"count": np.array([-(2**63), 1])}, "beyond 2**53 in row 0"),
        ({"count": np.array([1j, 2])}, "no usable number"),
        ({"count": np.array(["2024-01-01", "2024-01-02"], dtype="M8[D]")}, "no usable number"),
        ({"channel": np.array(["app", "wbe"])}, "row 1 holds 'wbe'"),
        ({"channel": np.array([1, 2])}, "its values are texts"),
        ({"channel": np.array([1, 2], dtype=object)}, "row 0 holds 1"),
        ({"code": np.array(["1", "2"])}, "row 0 holds '1'"),
    ],
)
def test_values_that_cannot_be_used(change: dict[str, Any], words: str) -> None:
    error = failed(**change)
    assert error.code == "HF-CON-010"
    assert words in error.cause


def test_a_nearest_category_is_suggested() -> None:
    assert "did you mean 'web'?" in failed(channel=np.array(["app", "wbe"])).fix


def test_decode_refuses_a_position_that_no_text_has() -> None:
    for code in (0.5, -1.0, 3.0):
        with pytest.raises(ContractError) as caught:
            CONTRACT.decode(np.array([[1, 1, 1, code]]))
        assert caught.value.code == "HF-CON-010"


def test_an_integer_column_with_gaps_or_fractions_decodes_to_floats() -> None:
    found = CONTRACT.decode(np.array([[1, np.nan, 1, 0], [1, 2, 1.5, 0]]))
    np.testing.assert_array_equal(found["count"], [np.nan, 2.0])
    np.testing.assert_array_equal(found["code"], [1.0, 1.5])


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 2, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ContractError) as caught:
        as_matrix(CONTRACT, np.zeros(shape))
    assert caught.value.code == "HF-CON-012"
