"""contract.yaml: what it means, and what is said about each way to get it wrong."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.contract import Contract
from holdfast.core.errors import ContractError

TEXT = """\
# a card portfolio
version: 1
subject: customer
scale: train-range
features:
  LIMIT:   {type: number, min: 10000, max: 1e6, move: never}
  SEX:     {type: category, values: [1, 2], move: never}
  CHANNEL: {type: category, values: [web, app, branch], move: any, missing: true}
  STATUS:  {type: integer, min: -2, max: 8, move: never}
  BILL:    {type: integer, min: -200000, max: 1000000, move: down}
  PAY:     {type: integer, min: 0, move: up, cost: 2.5, review: inferred}
  UTIL:    {type: number, derived: BILL / LIMIT}
  UTIL2:   {type: number, derived: UTIL * 100 - `a b`, undefined: 0}
  a b:     {type: integer, min: 0, max: 1, move: any}
  c:       {type: category, values: [0, 1], move: any}
groups:
  - {one_hot: [a b, c]}
relations:
  - {id: budget, rule: PAY - was(PAY) <= 20000}
  - id: history
    rule: if STATUS > 0 and CHANNEL == 'web' then PAY >= 1
"""


def failed(text: str, code: str) -> ContractError:
    with pytest.raises(ContractError) as caught:
        Contract.parse(text, "c.yaml")
    assert caught.value.code == code, caught.value
    return caught.value


def with_features(*lines: str, rest: str = "") -> str:
    return "\n".join(["version: 1", "features:", *(f"  {line}" for line in lines), rest])


def with_rule(rule: str) -> str:
    return with_features("PAY: {type: number, move: any}", rest=f"relations:\n  - {{id: r, rule: {rule}}}")


def test_everything_a_contract_can_say() -> None:
    contract = Contract.parse(TEXT)
    assert contract.names[:3] == ("LIMIT", "SEX", "CHANNEL")
    assert contract.subject == "customer"
    limit, sex, channel, status, bill, pay, util, util2, *_ = contract.features
    assert (limit.min, limit.max, limit.move) == (10_000.0, 1_000_000.0, "never")
    assert (sex.values, sex.codes, sex.min, sex.max, sex.text) == ((1.0, 2.0), (1.0, 2.0), 1.0, 2.0, False)
    assert (channel.text, channel.codes, channel.missing) == (True, (0.0, 1.0, 2.0), True)
    assert (status.min, bill.move) == (-2.0, "down")
    assert (pay.max, pay.cost, pay.review, pay.movable) == (math.inf, 2.5, "inferred", True)
    assert (util.derived, util.movable) == ("BILL / LIMIT", False)
    assert (util2.derived, util2.undefined) == ("UTIL * 100 - `a b`", 0.0)
    assert [derived.column for derived in contract.derived] == [6, 7]
    assert contract.groups == ((8, 9),)
    assert [constraint.id for constraint in contract.constraints] == ["budget", "history"]
    assert contract.constraints[1].text == "if STATUS > 0 and CHANNEL == 'web' then PAY >= 1"
    assert contract.index("PAY") == 5


def test_derived_columns_are_ordered_by_need_not_by_place() -> None:
    text = with_features(
        "x: {type: number, derived: y + z}",
        "y: {type: number, derived: z * a}",
        "z: {type: number, derived: a / 2}",
        "a: {type: number, move: any}",
    )
    assert [derived.column for derived in Contract.parse(text).derived] == [2, 1, 0]


def test_the_digest_is_of_meaning() -> None:
    digest = Contract.parse(TEXT).digest
    laid_out_anew = yaml.safe_dump(yaml.safe_load(TEXT.replace("1e6", "1000000.0")), sort_keys=False)
    assert Contract.parse(laid_out_anew, "other.yaml").digest == digest
    assert Contract.parse(TEXT.replace("PAY - was(PAY) <= 20000", "(PAY) -was(PAY)<= 2e4")).digest == digest
    changes = [
        ("20000", "20001"),
        ("move: up", "move: any"),
        ("2.5", "2.6"),
        ("[1, 2]", "[2, 1]"),
        ("id: budget", "id: budget2"),
        ("missing: true", "missing: false"),
        ("undefined: 0", "undefined: 1"),
        (", review: inferred", ""),
        ("BILL / LIMIT", "BILL / LIMIT * 2"),
        ("subject: customer", "subject: account"),
    ]
    for old, new in changes:
        assert old in TEXT
        assert Contract.parse(TEXT.replace(old, new)).digest != digest, old


def test_contracts_are_equal_by_meaning_and_survive_a_process_border() -> None:
    contract = Contract.parse(TEXT)
    again = pickle.loads(pickle.dumps(contract))
    assert again == contract == Contract.parse(TEXT.replace("# a card portfolio", "#"))
    assert len({again, contract}) == 1
    assert contract != Contract.parse(TEXT.replace("20000", "20001"))
    assert [d.terms for d in again.derived] == [d.terms for d in contract.derived]


def test_load_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(TEXT)
    contract = Contract.load(path)
    assert contract.source == str(path)
    assert contract.text == TEXT
    with pytest.raises(ContractError) as caught:
        Contract.load(tmp_path / "none.yaml")
    assert caught.value.code == "HF-CON-003"
    path.write_bytes(b"version: \xff")
    with pytest.raises(ContractError) as caught:
        Contract.load(path)
    assert caught.value.code == "HF-CON-004"


def test_a_fault_in_a_rule_names_line_and_column_and_points_at_the_spot() -> None:
    error = failed(TEXT.replace("was(PAY) <=", "was(PAX) <="), "HF-CON-006")
    assert "c.yaml:19:30: no feature is called 'PAX'" in error.message
    assert "did you mean 'PAY'" in error.fix
    rule, mark = error.cause.splitlines()[1:3]
    assert rule[mark.index("^") :].startswith("was(PAX)")


def test_a_rule_on_a_line_of_its_own_is_found() -> None:
    error = failed(TEXT.replace("then PAY >= 1", "then PAY => 1"), "HF-CON-005")
    assert error.message.startswith("c.yaml:21:55")


def test_a_formula_is_located_too() -> None:
    error = failed(TEXT.replace("BILL / LIMIT}", "BILL / LIMT}"), "HF-CON-006")
    assert error.message.startswith("c.yaml:12:43")
    assert "'LIMIT'" in error.fix


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "HF-CON-002", "document"),
        ("[]", "HF-CON-002", "document"),
        ("version: 2\nfeatures: {a: {type: number, move: any}}", "HF-CON-002", "version"),
        ("features: {a: {type: number, move: any}}", "HF-CON-002", "version"),
        ("version: 1\nfeatures: {}", "HF-CON-002", "features"),
        ("version: 1\nfeatures: {a: {type: number, move: any}}\nfeature: 1", "HF-CON-001", "feature"),
        (with_features("a: {type: numeric, move: any}"), "HF-CON-002", "a.type"),
        (with_features("a: {type: number, move: sideways}"), "HF-CON-002", "a.move"),
        (with_features("a: {type: number, mvoe: any}"), "HF-CON-001", "mvoe"),
        (with_features("a: {type: number}"), "HF-CON-008", "'a'"),
        (with_features("a: {type: number, move: any, min: .nan}"), "HF-CON-002", "a.min"),
        (with_features("a: {type: number, move: any, max: .inf}"), "HF-CON-002", "a.max"),
        (with_features("a: {type: number, move: any, max: 1e400}"), "HF-CON-002", "a.max"),
        (with_features("a: {type: number, move: any, max: " + "9" * 400 + "}"), "HF-CON-002", "a.max"),
        (with_features("a: {type: number, move: any, max: 9007199254740993}"), "HF-CON-002", "a.max"),
        (with_features("a: {type: number, move: any, max: " + "9" * 5000 + "}"), "HF-CON-004", "c.yaml"),
        (with_features("a: {type: number, move: any, max: yes}"), "HF-CON-002", "a.max"),
        (with_features("a: {type: number, move: any, min: 2, max: 1}"), "HF-CON-008", "'a'"),
        (with_features("a: {type: integer, move: any, min: 0.5}"), "HF-CON-008", "'a'"),
        (with_features("a: {type: number, move: any, cost: 0}"), "HF-CON-002", "a.cost"),
        (with_features("a: {type: number, move: any, missing: maybe}"), "HF-CON-002", "a.missing"),
        (with_features("a: {type: category, move: any}"), "HF-CON-008", "'a'"),
        (with_features("a: {type: category, move: any, values: []}"), "HF-CON-002", "a.values"),
        (with_features("a: {type: category, move: any, values: [yes, no]}"), "HF-CON-002", "a.values"),
        (with_features("a: {type: category, move: any, values: [1, x]}"), "HF-CON-008", "'a'"),
        (with_features("a: {type: category, move: any, values: [1, 1.0]}"), "HF-CON-008", "'a'"),
        (with_features("a: {type: category, move: any, values: [1, 2], max: 2}"), "HF-CON-008", "'a'"),
        (with_features("a: {type: number, move: any, values: [1, 2]}"), "HF-CON-008", "'a'"),
        (with_features("a: {type: number, move: any, undefined: 0}"), "HF-CON-008", "'a'"),
        (with_features("a: {type: number, move: any}", "b: {type: number, derived: a, move: up}"), "HF-CON-008", "'b'"),
        (with_features("a: {type: number, derived: a + 1}"), "HF-CON-014", "circle"),
        (with_features("a: {type: number, derived: b}", "b: {type: number, derived: a}"), "HF-CON-014", "circle"),
        (with_features("a: {type: number, derived: 1 + 1}"), "HF-CON-007", "names no column"),
        (with_features("a: {type: number, move: any}", "b: {type: number, derived: was(a)}"), "HF-CON-007", "was()"),
        (with_features("a: {type: number, move: any}", "a: {type: number, move: any}"), "HF-CON-004", "c.yaml:4"),
        ("version: 1\nfeatures: &x {a: {type: number, move: any}}", "HF-CON-004", "c.yaml:2"),
        (with_features("a: {type: number, move: any}", rest="subject: a"), "HF-CON-008", "subject"),
        (with_rule("5"), "HF-CON-002", "rule"),
        (with_rule("1 <= 2"), "HF-CON-007", "numbers only"),
        (with_rule("PAY / 0 <= 2"), "HF-CON-007", "zero"),
        (with_rule("PAY / (PAY + 1) <= 2"), "HF-CON-007", "sum or by a ratio"),
        (with_rule("PAY / (2 / PAY) <= 2"), "HF-CON-007", "sum or by a ratio"),
        (with_rule("PAY == 'x'"), "HF-CON-007", "not a value"),
        (with_rule("PAY <= 'x'"), "HF-CON-007", "== or !="),
        (with_rule("1e300 * PAY * 1e300 <= 1"), "HF-CON-007", "overflow"),
        (with_rule("*".join(["PAY"] * 9) + " <= 1"), "HF-CON-007", "product of more than"),
        (with_rule("*".join(["(PAY + 1 + PAY * PAY + was(PAY))"] * 6) + " <= 1"), "HF-CON-007", "multiplied out"),
        (with_rule("PAY <= 1") + "\n  - {id: r, rule: PAY <= 2}", "HF-CON-008", "twice"),
        (with_rule("PAY <= 1").replace("id: r", "id: 'a b'"), "HF-CON-002", "id"),
        (with_features("a: {type: number, move: any}", rest="groups: [{one_hot: [b, a]}]"), "HF-CON-006", "'b'"),
        (with_features("a: {type: number, move: any}", rest="groups: [{one_hot: [a, a]}]"), "HF-CON-008", "'a'"),
        (TEXT.replace("[a b, c]", "[a b, a b]"), "HF-CON-008", "twice in a group"),
        (TEXT.replace("CHANNEL == 'web'", "CHANNEL == 'wed'"), "HF-CON-007", "'wed'"),
        (TEXT.replace("CHANNEL == 'web'", "CHANNEL > 1"), "HF-CON-007", "text category"),
        (TEXT.replace("CHANNEL == 'web'", "CHANNEL < 'web'"), "HF-CON-007", "== or !="),
    ],
)
def test_what_is_refused(text: str, code: str, words: str) -> None:
    error = failed(text, code)
    assert words in error.message
    assert error.cause
    assert error.fix


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_contract_is_a_contract_or_a_contract_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(TEXT)))
    stop = data.draw(st.integers(start, min(len(TEXT), start + 30)))
    middle = data.draw(
        st.one_of(
            st.text(max_size=8),
            st.sampled_from(["{", "}", "- ", "\n", ": ", "'", "\t", "[", "!!python/name:os.system"]),
        )
    )
    try:
        Contract.parse(TEXT[:start] + middle + TEXT[stop:], "c.yaml")
    except ContractError as error:
        message = str(error)
    else:
        message = "HF-CON-"
    assert "HF-CON-" in message


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_random_text_is_no_contract(text: str) -> None:
    with pytest.raises(ContractError):
        Contract.parse(text)


def test_parsing_needs_no_numpy(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(TEXT)
    program = (
        "import sys; sys.modules['numpy'] = None\n"
        "from pathlib import Path\n"
        "from holdfast.core.contract import Contract\n"
        f"print(len(Contract.load(Path({str(path)!r})).features))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "10", done.stderr


def test_a_group_none_of_whose_members_is_listed_declares_them() -> None:
    text = with_features("a: {type: number, move: any}", rest="groups: [{one_hot: [web, app]}]")
    contract = Contract.parse(text, "contract.yaml")
    assert contract.names == ("a", "web", "app")
    assert contract.groups == ((1, 2),)
    assert [(f.type, f.min, f.max, f.move, f.review) for f in contract.features[1:]] == [
        ("integer", 0, 1, "any", "inferred")
    ] * 2


@pytest.mark.shared
def test_the_agreed_example_loads(shared: Path) -> None:
    contract = Contract.load(shared / "examples" / "contract.yaml")
    assert contract.names[-3:] == ("CH_WEB", "CH_APP", "CH_BRANCH")
    assert [constraint.id for constraint in contract.constraints] == ["budget", "history"]
