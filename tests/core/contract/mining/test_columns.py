"""What a column is by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from holdfast.core.contract.mining.columns import MAX_TEXT_CATEGORIES, Column, read_columns
from holdfast.core.contract.mining.words import guess_move, words
from holdfast.core.errors import ContractError


def read(name: str, values: Any) -> Column:
    (found,) = read_columns({name: np.asarray(values)}, ()).found
    return found


def why_not(values: Any) -> str:
    return read_columns({"x": np.asarray(values)}, ()).omitted["x"]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("amount", [1.5, 2.0], "number"),
        ("amount", [1.0, 2.0, np.nan], "integer"),
        ("amount", np.array([1, None, 3], dtype=object), "integer"),
        ("flag", [True, False], "integer"),
        ("sex", [1, 2, 2, 1], "category"),
        ("SEX_CODE", [0, 1, 1, 0], "integer"),
        ("productType", [3, 1, 7], "category"),
        ("product_type", [-1, 1, 7], "integer"),
        ("type", range(40), "integer"),
        ("term", [36, 60] * 50, "category"),
        ("term", [36, 37] * 50, "integer"),
        ("term", [36, 60] * 5, "integer"),
        ("term", [36] * 2000 + [60], "integer"),
        ("word", np.array(["b", "a", "b", None], dtype=object), "category"),
        ("big", [1e300, 2e300], "number"),
    ],
)
def test_types(name: str, values: Any, kind: str) -> None:
    assert read(name, values).type == kind


def test_texts_are_encoded_by_sorted_position() -> None:
    column = read("word", np.array(["b", "a", None, "b"], dtype=object))
    assert column.texts == ("a", "b")
    np.testing.assert_array_equal(column.values, [1, 0, np.nan, 1])
    assert column.missing == 1
    assert column.share(1.0) == 0.5


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([f"u{i}" for i in range(500)], "identifier or free text"),
        ([f"u{i}" for i in range(MAX_TEXT_CATEGORIES + 1)] * 10, "identifier or free text"),
        (["x" * 600, "y"] * 5, "more than 500 characters"),
        ([2**60, 1], "beyond 2**53"),
        (np.array([1, "x"], dtype=object), "it mixes"),
        (np.array([None, None], dtype=object), "no values"),
        ([np.nan, np.nan], "no values"),
        (np.array(["2024-01-01"], dtype="M8[D]"), "neither number nor text"),
    ],
)
def test_what_cannot_be_a_feature(values: Any, reason: str) -> None:
    assert reason in why_not(values)


def test_infinite_values_are_refused() -> None:
    with pytest.raises(ContractError) as caught:
        read("x", [1.0, np.inf])
    assert caught.value.code == "HF-CON-010"


def test_properties() -> None:
    assert read("x", [0, 1, 1]).bit
    assert not read("x", [0, 1, np.nan]).bit
    assert read("x", [0.0, 0.5]).fraction
    assert not read("x", [0.0, 1.5]).fraction
    assert read("x", [4, 4]).constant
    assert read("a b", [4, 4]).sign == "`a b`"


def test_words() -> None:
    assert words("openAcc") == {"open", "acc"}
    assert words("PAY_AMT1") == {"pay", "amt", "1"}
    assert words("default.payment next-Month") == {"default", "payment", "next", "month"}
    assert words("HTTPServer") == {"http", "server"}


@pytest.mark.parametrize(
    ("name", "move"),
    [
        ("PAY_AMT1", "up"),
        ("total_payments", "up"),
        ("AGE", "never"),
        ("MaritalStatus", "never"),
        ("LIMIT_BAL", "never"),
        ("BILL_AMT3", "never"),
        ("credit_score", "never"),
        ("merchant_count", "any"),
        ("average_ticket", "any"),
    ],
)
def test_guesses(name: str, move: str) -> None:
    assert guess_move(name)[0] == move
