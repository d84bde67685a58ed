"""Which columns must move together, and which may."""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.compile import affected_by, compile_lines, compile_rules
from holdfast.attack.evasion.kernels import rules
from holdfast.core.contract import Contract

SUMS = """
version: 1
features:
  a: {type: integer, min: 0, max: 9, move: any}
  b: {type: integer, min: 0, max: 9, move: any}
  total: {type: integer, min: 0, max: 18, move: any}
  twice: {type: integer, min: 0, max: 36, move: any}
  free: {type: integer, min: 0, max: 9, move: up}
  fixed: {type: integer, min: 0, max: 9, move: never}
  ratio: {type: number, derived: a / fixed}
  deep: {type: number, derived: ratio + b}
groups: []
relations:
  - {id: sum, rule: a + b == total}
  - {id: double, rule: twice == 2 * total}
  - {id: cap, rule: free + fixed <= 12}
"""


def lines_of(text: str) -> tuple[list[int], list[tuple[int, list[int]]], list[tuple[int, list[int]]]]:
    """Columns that move alone, base lines and repairs as (first column, partners)."""
    arrays, counts = compile_lines(Contract.parse(text))
    every = [
        (first, list(arrays["step_partner"][arrays["step_at"][i] : arrays["step_at"][i + 1]]))
        for i, first in enumerate(arrays["primary"])
    ]
    return arrays["plain"], every[: int(counts["n_base"])], every[int(counts["n_base"]) :]


def test_equations_tie_columns_through_each_other() -> None:
    plain, base, repairs = lines_of(SUMS)
    assert plain == [4]
    assert (0, [1]) in base, "a up, b down"
    assert (0, [2, 3]) in base, "a up, total up, twice up"
    assert (3, [2, 0]) in base, "twice up, total up, a up"
    assert all(first != 5 and 5 not in partners for first, partners in base + repairs), "what never moves is no partner"


def test_an_inequality_is_repaired_only_when_it_must_be() -> None:
    _, base, repairs = lines_of(SUMS)
    assert (4, [4]) in repairs
    assert all(first != 4 for first, _ in base)


def test_derived_columns_are_recomputed_in_order() -> None:
    contract = Contract.parse(SUMS)
    names = [contract.names[contract.derived[number].column] for number in affected_by(contract, 0)]
    assert names == ["ratio", "deep"]
    assert affected_by(contract, 4) == []


def test_a_one_hot_group_is_one_move() -> None:
    text = """
    version: 1
    features:
      a: {type: integer, min: 0, max: 9, move: any}
      x: {type: integer, min: 0, max: 1, move: any}
      y: {type: integer, min: 0, max: 1, move: any}
    groups:
      - {one_hot: [x, y]}
    """
    plain, base, _ = lines_of(text)
    assert plain == [0]
    assert base == [(-1, [])]


def test_categories_keep_their_codes_free_of_bounds() -> None:
    contract = Contract.parse("version: 1\nfeatures:\n  c: {type: category, values: [2, 9], move: any}\n")
    arrays = compile_rules(contract, np.ones(1))
    assert arrays["kind"] == [rules.CATEGORY]
    assert (arrays["least"], arrays["most"]) == ([-np.inf], [np.inf])
