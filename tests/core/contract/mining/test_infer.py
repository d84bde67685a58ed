"""Relations planted in data are found; none is found where there is none; what is found holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.contract import Contract, Draft, infer
from holdfast.core.errors import ContractError

N = 2_000
Columns = dict[str, np.ndarray]


def rules(draft: Draft) -> set[str]:
    return {constraint.text for constraint in draft.contract().constraints}


def formulas(draft: Draft) -> dict[str, str]:
    return {f.name: f.derived for f in draft.contract().features if f.derived is not None}


def groups(draft: Draft) -> list[set[str]]:
    contract = draft.contract()
    return [{contract.names[column] for column in group} for group in contract.groups]


def checked(columns: Columns, **options: Any) -> Draft:
    """The draft, whose contract holds on every row it was drafted from."""
    draft = infer(columns, **options)
    contract = draft.contract()
    ignored = {*draft.omitted, *options.get("drop", ()), options.get("label")}
    contract.check_training(contract.encode(columns, ignore=ignored))
    return draft


def noise(seed: int, rows: int = N) -> Columns:
    """Columns of every usual shape, none related to any other."""
    rng = np.random.default_rng(seed)
    found: Columns = {}
    for i in range(3):
        found[f"normal_{i}"] = rng.normal(size=rows)
        found[f"amount_{i}"] = np.round(rng.lognormal(6, 1, rows), 2)
        found[f"count_{i}"] = rng.poisson(2 + 3 * i, rows)
        found[f"rare_{i}"] = rng.poisson(5, rows) * (rng.random(rows) < 0.05 * (i + 1))
        found[f"flag_{i}"] = rng.integers(0, 2, rows)
        found[f"seldom_{i}"] = (rng.random(rows) < 0.01 * (i + 1)).astype(int)
        found[f"share_{i}"] = rng.random(rows)
        found[f"status_{i}"] = rng.integers(-2, 9, rows)
        found[f"big_{i}"] = rng.integers(0, 10**9, rows)
        found[f"kind_{i}"] = np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, rows)]
        found[f"gappy_{i}"] = np.where(rng.random(rows) < 0.2, np.nan, rng.gamma(2, 100, rows))
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rows", [40, 300, N])
def test_independent_columns_give_no_relation(seed: int, rows: int) -> None:
    draft = checked(noise(seed, rows))
    assert (formulas(draft), groups(draft), rules(draft)) == ({}, [], set())


def test_correlation_is_no_relation() -> None:
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(size=(N, 6)), axis=1) * 1000 + 20_000
    draft = checked({f"bill_{i}": np.round(walk[:, i]) for i in range(6)})
    assert (formulas(draft), rules(draft)) == ({}, set())


def planted(make: Callable[[Columns, np.random.Generator], Columns]) -> Draft:
    base = noise(11)
    return checked(base | make(base, np.random.default_rng(5)))


def test_sums_of_several_parts() -> None:
    draft = planted(lambda c, _: {"total": c["amount_0"] + c["amount_1"] + c["count_0"]})
    assert formulas(draft) == {"total": "amount_0 + count_0 + amount_1"}
    assert rules(draft) == set()


def test_differences() -> None:
    draft = planted(lambda c, _: {"after": c["amount_0"] - c["count_1"]})
    assert formulas(draft) == {"after": "amount_0 - count_1"}


def test_sums_of_sums() -> None:
    def make(c: Columns, _: np.random.Generator) -> Columns:
        first = c["amount_0"] + c["amount_1"]
        return {"due": first, "all": first + c["amount_2"]}

    assert set(formulas(planted(make))) == {"due", "all"}


def test_multiples() -> None:
    draft = planted(lambda c, _: {"yearly": c["amount_0"] * 12})
    assert formulas(draft) == {"yearly": "12 * amount_0"}


def test_ratios_are_exact() -> None:
    draft = planted(lambda c, _: {"util": c["amount_0"] / c["amount_1"]})
    assert formulas(draft) == {"util": "amount_0 / amount_1"}


def test_percentages() -> None:
    draft = planted(lambda c, _: {"util": 100 * c["amount_0"] / c["amount_1"]})
    assert formulas(draft) == {"util": "amount_0 / amount_1 * 100"}


def test_products() -> None:
    draft = planted(lambda c, _: {"worth": c["count_2"] * c["amount_0"]})
    assert formulas(draft) == {"worth": "amount_0 * count_2"}


def test_a_ratio_that_is_zero_where_it_divides_by_zero() -> None:
    def make(c: Columns, _: np.random.Generator) -> Columns:
        return {"mean": np.where(c["count_0"] > 0, c["amount_0"] / np.maximum(c["count_0"], 1), 0.0)}

    draft = planted(make)
    assert formulas(draft) == {"mean": "amount_0 / count_0"}
    (feature,) = (f for f in draft.contract().features if f.name == "mean")
    assert feature.undefined == 0


def test_a_ratio_that_is_missing_where_it_divides_by_zero() -> None:
    def make(c: Columns, _: np.random.Generator) -> Columns:
        return {"mean": np.where(c["count_0"] > 0, c["amount_0"] / np.maximum(c["count_0"], 1), np.nan)}

    draft = planted(make)
    assert formulas(draft) == {"mean": "amount_0 / count_0"}
    (feature,) = (f for f in draft.contract().features if f.name == "mean")
    assert feature.missing
    assert np.isnan(feature.undefined)


def test_a_ratio_stored_with_few_digits_is_a_band() -> None:
    draft = planted(lambda c, _: {"util": np.round(c["amount_0"] / c["amount_1"], 4)})
    assert formulas(draft) == {}
    (rule,) = rules(draft)
    assert "util - amount_0 / amount_1" in rule
    contract = draft.contract()
    row = contract.encode({n: v[:1] for n, v in draft_columns(draft).items()})
    row[0, contract.index("util")] += 0.0002
    assert "ratio-util" in {item.constraint_id for item in contract.validate(row).broken}


def draft_columns(draft: Draft) -> Columns:
    return draft.contract().decode(draft.columns.matrix)


def test_a_ratio_stored_as_float32_is_a_band() -> None:
    draft = planted(lambda c, _: {"util": (c["amount_0"] / c["amount_1"]).astype(np.float32)})
    assert any("util - amount_0 / amount_1" in rule for rule in rules(draft))


def test_orderings_without_those_that_follow() -> None:
    def make(c: Columns, rng: np.random.Generator) -> Columns:
        low = rng.poisson(4, N)
        middle = low + rng.poisson(2, N)
        return {"open_acc": low, "recent_acc": middle, "total_acc": middle + rng.poisson(3, N)}

    assert rules(planted(make)) == {"open_acc <= recent_acc", "recent_acc <= total_acc"}


def test_an_ordering_explained_by_ranges_is_none() -> None:
    draft = planted(lambda c, rng: {"age": rng.integers(18, 80, N), "zip": rng.integers(10_000, 99_999, N)})
    assert rules(draft) == set()


def test_a_share_is_not_compared_with_a_count() -> None:
    draft = planted(lambda c, rng: {"ratio": rng.random(N) * 0.9 + 0.05, "number": rng.integers(0, 5, N) + 1})
    assert rules(draft) == set()


def test_one_hot_groups() -> None:
    def make(c: Columns, rng: np.random.Generator) -> Columns:
        channel, product = rng.integers(0, 3, N), rng.integers(0, 4, N)
        return {f"ch_{i}": (channel == i).astype(int) for i in range(3)} | {f"pr_{i}": product == i for i in range(4)}

    draft = planted(make)
    assert sorted(groups(draft), key=len) == [{"ch_0", "ch_1", "ch_2"}, {"pr_0", "pr_1", "pr_2", "pr_3"}]
    assert (formulas(draft), rules(draft)) == ({}, set())


def test_if_then() -> None:
    def make(c: Columns, rng: np.random.Generator) -> Columns:
        late = rng.poisson(2, N) * (rng.random(N) < 0.3)
        return {
            "late": late,
            "fee": np.where(late > 0, rng.gamma(2, 30, N) + 1, rng.gamma(2, 30, N) * (rng.random(N) < 0.4)),
        }

    assert rules(planted(make)) == {"if late >= 1 then fee > 0"}


def test_if_a_code_then_a_code() -> None:
    def make(c: Columns, rng: np.random.Generator) -> Columns:
        online = c["kind_0"] == "a"
        return {"device": np.where(online, rng.choice(["phone", "laptop"], N), "none").astype(object)}

    assert rules(planted(make)) == {
        "if device == 'laptop' then kind_0 == 'a'",
        "if device == 'phone' then kind_0 == 'a'",
        "if kind_0 == 'b' then device == 'none'",
        "if kind_0 == 'c' then device == 'none'",
    }


def test_both_ways_gives_two_rules() -> None:
    draft = planted(
        lambda c, rng: {"calls": c["rare_2"], "minutes": np.where(c["rare_2"] > 0, rng.integers(1, 90, N), 0)} | {}
    )
    assert {"if minutes >= 1 then rare_2 >= 1", "if rare_2 >= 1 then minutes >= 1"} <= rules(draft)


def test_a_sum_under_a_condition() -> None:
    def make(c: Columns, rng: np.random.Generator) -> Columns:
        share = rng.random(N)
        some = c["count_0"] > 0
        return {"inside": np.where(some, share, 0.0), "outside": np.where(some, 1 - share, 0.0)}

    assert "if count_0 >= 1 then inside + outside == 1" in rules(planted(make))


def test_sums_with_missing_values() -> None:
    draft = planted(lambda c, _: {"total": c["gappy_0"] + c["gappy_1"]})
    assert formulas(draft) == {"total": "gappy_0 + gappy_1"}


def test_each_support_is_stated() -> None:
    text = planted(lambda c, _: {"total": c["amount_0"] + c["amount_1"] + c["count_0"]}).to_yaml()
    (line,) = (line for line in text.splitlines() if line.startswith("  total:"))
    assert "holds on all 2,000 rows" in line


def test_a_draft_is_deterministic() -> None:
    assert infer(noise(4)).to_yaml() == infer(noise(4)).to_yaml()


def test_label_and_dropped_columns_are_no_features() -> None:
    draft = infer(noise(1), label="flag_0", drop=["big_0", "kind_0"])
    assert not {"flag_0", "big_0", "kind_0"} & set(draft.contract().names)


def test_identifiers_and_free_text_are_left_out_with_their_reason() -> None:
    columns = noise(1) | {"url": np.array([f"u{i}" for i in range(N)], dtype=object)}
    draft = checked(columns)
    assert "url" in draft.omitted
    assert "left out: url" in draft.to_yaml()
    assert "not usable: url" in draft.summary()


def test_constants_and_identifiers_get_a_word() -> None:
    text = infer(
        {"same": np.full(200, 7), "customer_no": np.arange(200), "x": np.random.default_rng(0).normal(size=200)}
    ).to_yaml()
    assert "the same on every row" in text
    assert "if it is an identifier, drop it" in text


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ({}, {}, "no rows"),
        ({"a": np.array([])}, {}, "no rows"),
        ({"a": np.ones(3), "b": np.ones(4)}, {}, "differ in length"),
        ({"a": np.ones(3)}, {"label": "a"}, "all columns are dropped"),
        ({"a": np.ones(3)}, {"label": "b"}, "named as label"),
        ({"a": np.ones(3)}, {"drop": ["aa"]}, "named as label"),
        ({"a": np.array(["x", None, "y"] * 400 + [str(i) for i in range(500)], dtype=object)}, {}, "free text"),
        ({"a\nb": np.ones(3)}, {}, "printable"),
        ({"a" * 201: np.ones(3)}, {}, "printable"),
    ],
)
def test_what_gives_no_draft(columns: Columns, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ContractError) as caught:
        infer(columns, **options)
    assert caught.value.code == "HF-CON-013"
    assert words in caught.value.cause


names = st.text(min_size=1, max_size=12).filter(str.isprintable)
texts = st.one_of(
    st.none(), st.text(max_size=6), st.sampled_from(["yes", "null", "1", "", "é", "a: b", "#x", "\u2028"])
)
values = st.one_of(
    st.lists(st.one_of(st.floats(allow_infinity=False), st.integers(-5, 5).map(float)), min_size=12, max_size=12).map(
        np.array
    ),
    st.lists(st.integers(-(2**53), 2**53), min_size=12, max_size=12).map(np.array),
    st.lists(texts, min_size=12, max_size=12).map(lambda cells: np.array(cells, dtype=object)),
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, values, min_size=1, max_size=5))
def test_whatever_the_data_the_written_contract_loads_and_holds(columns: Columns) -> None:
    try:
        draft = infer(columns)
    except ContractError as error:
        assert error.code == "HF-CON-013"  # noqa: PT017 - every column may be unusable
        return
    contract = Contract.parse(draft.to_yaml())
    X = contract.encode(columns, ignore=draft.omitted)
    contract.check_training(X)
    np.testing.assert_array_equal(X, draft.columns.matrix)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "label", "drop"),
    [
        ("uci_default_credit", "default.payment.next.month", ["ID"]),
        ("url_phishing_hannousse", "status", []),
        ("german_credit", "Target", []),
        ("adult_income", "income", []),
    ],
)
def test_real_data(shared: Path, name: str, label: str, drop: list[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(shared / "data" / "tabular" / f"{name}.parquet").to_pandas()
    columns = {str(n): series.to_numpy() for n, series in table.items()}
    draft = checked(columns, label=label, drop=drop)
    assert len(rules(draft)) <= 60
    expected = {
        "uci_default_credit": set(),
        "url_phishing_hannousse": {
            "length_hostname <= length_url",
            "shortest_words_raw <= avg_words_raw",
            "avg_words_raw <= longest_words_raw",
            "if nb_hyperlinks >= 1 then ratio_intHyperlinks + ratio_extHyperlinks == 1",
            "if prefix_suffix == 1 then nb_hyphens >= 1",
        },
        "german_credit": set(),
        "adult_income": {"if `capital-gain` >= 1 then `capital-loss` == 0"},
    }
    assert expected[name] <= rules(draft)
    if name == "uci_default_credit":
        moves = {feature.name: feature.move for feature in draft.contract().features}
        assert (moves["PAY_AMT1"], moves["AGE"], moves["LIMIT_BAL"], moves["BILL_AMT1"]) == (
            "up",
            "never",
            "never",
            "never",
        )
        assert rules(draft) == set()
