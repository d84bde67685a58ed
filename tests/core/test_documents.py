"""Strict YAML: places, lines, nearest names, bounds, and nothing but the document's own error on hostile text."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from holdfast.core.documents import MAX_BYTES, MAX_DEPTH, MAX_NODES, Document, suggest
from holdfast.core.errors import ConfigError, ContractError, HoldfastError


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Limit(Strict):
    kind: Literal["limit"]
    amount: int = Field(ge=0, strict=True)
    unit: Literal["eur", "usd"] = "eur"


class Ratio(Strict):
    kind: Literal["ratio"]
    share: float


class Desk(Strict):
    name: str
    limits: dict[str, Annotated[Limit | Ratio, Field(discriminator="kind")]] = {}
    tags: tuple[str, ...] = Field((), max_length=2)


class File(Strict):
    version: Literal[1]
    desks: tuple[Desk, ...] = Field(min_length=1)


GOOD = """\
version: 1
desks:
  - name: retail
    limits:
      card: {kind: limit, amount: 10}
      credit:
        kind: ratio
        share: 0.5
    tags: [a, b]
"""


def refused(text: str, **options: Any) -> HoldfastError:
    with pytest.raises(options.get("error", ConfigError)) as caught:
        Document.parse(text, "desk.yaml", **options).into(File)
    return caught.value  # type: ignore[no-any-return]


def test_a_good_file_is_read_and_every_key_knows_its_line() -> None:
    document = Document.parse(GOOD, "desk.yaml")
    file = document.into(File)
    assert file.desks[0].limits["credit"] == Ratio(kind="ratio", share=0.5)
    assert document.where("desks", 0, "limits", "card") == "desk.yaml:5"
    assert document.where("desks", 0, "limits", "credit", "share") == "desk.yaml:8"
    assert document.line("desks", 0, "no", "such", "key") == 3


@pytest.mark.parametrize(
    ("find", "put", "code", "line", "told"),
    [
        ("    tags", "    tag", "HF-CFG-001", 9, "did you mean 'tags'?"),
        ("amount: 10", "amont: 10", "HF-CFG-001", 5, "did you mean 'amount'?"),
        ("version: 1\n", "version: 1\nzzz: 2\n", "HF-CFG-001", 2, "remove 'zzz'"),
        ("version: 1", "version: 2", "HF-CFG-002", 1, "correct the value"),
        ("version: 1\n", "", "HF-CFG-002", 1, "add 'version:'"),
        ("  - name: retail", "  - {}", "HF-CFG-004", 4, "correct that line"),
        ("[a, b]", "[a, b, c]", "HF-CFG-002", 9, "correct the value"),
        ("amount: 10", "amount: ten", "HF-CFG-002", 5, "correct the value"),
        ("amount: 10", "amount: 10.0", "HF-CFG-002", 5, "correct the value"),
        ("amount: 10", "amount: -1", "HF-CFG-002", 5, "correct the value"),
        ("amount: 10", "amount: 10, unit: yen", "HF-CFG-002", 5, "correct the value"),
        ("name: retail", "name: [retail]", "HF-CFG-002", 3, "correct the value"),
        ("{kind: limit, amount: 10}", "&x {kind: limit, amount: 10}", "HF-CFG-004", 5, "correct that line"),
        ("kind: limit, amount: 10}", "kind: !foo limit, amount: 10}", "HF-CFG-004", 5, "correct that line"),
        ("{kind: limit, amount: 10}", "!!python/object:os.system {}", "HF-CFG-004", 5, "correct that line"),
        ("    tags", "    name: again\n    tags", "HF-CFG-004", 9, "correct that line"),
        ("{kind: limit, amount: 10}", "{kind: limit, amount: 10", "HF-CFG-004", None, "correct that line"),
    ],
)
def test_a_wrong_file_is_answered_with_file_line_and_what_is_right(
    find: str, put: str, code: str, line: int | None, told: str
) -> None:
    assert find in GOOD
    error = refused(GOOD.replace(find, put, 1))
    assert error.code == code
    assert told in error.fix
    assert "desk.yaml" in error.message
    if line is not None:
        assert f"desk.yaml:{line}" in error.message


def test_what_follows_from_another_fault_is_not_shown_first() -> None:
    error = refused(GOOD.replace("amount: 10", "amount: ten").replace("share: 0.5", "share: half"))
    assert "more to fix after this one" in error.cause


def test_the_caller_chooses_the_error_and_the_codes() -> None:
    error = refused("nothing: here", error=ContractError, code="HF-CON")
    assert type(error) is ContractError
    assert error.code == "HF-CON-001"


@pytest.mark.parametrize("key", ["on", "no", "1", "1.5", "null", "~", "2026-01-05"])
def test_a_key_is_what_was_typed(key: str) -> None:
    assert Document.parse(f"{key}: 1", "x").value == {key: 1}


@pytest.mark.parametrize(
    "text",
    [
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" * 5000,
        "- " * 5000 + "x",
        "a: &a [1]\nb: *a",
        "a: 1\n---\nb: 2",
        "? [1, 2]\n: x",
        "a: !!binary aGk=\nb: !foo 1",
        "a: 2026-13-45",
        "a: " + "9" * 5000,
        "\x00",
        "a: \ud800",
        "%YAML 9.9\n---\na: 1",
        "<<: {a: 1}",
    ],
)
def test_hostile_text_is_refused_or_read_as_plain_values(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert plain(Document.parse(text, "x").value)


def plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(plain(item) for item in value)
    return value is None or type(value).__module__ in ("builtins", "datetime")


def test_more_values_than_the_limit_are_refused() -> None:
    assert refused("[" + "1," * (MAX_NODES + 1) + "]").code == "HF-CFG-004"


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
@settings(max_examples=300, deadline=None)
def test_no_text_raises_anything_else(text: str) -> None:
    with pytest.raises(ConfigError):
        Document.parse(text, "x").into(File)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text("abc é:#'\"{}[]-&*!|>%@`", max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcxyz", min_size=1), inner, max_size=3),
        max_leaves=10,
    )
)
@settings(max_examples=150, deadline=None)
def test_what_yaml_writes_is_read_back(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert Document.parse(text, "x").value == value


def test_a_file_is_read_or_refused_with_its_code(tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    with pytest.raises(ConfigError) as caught:
        Document.read(path)
    assert caught.value.code == "HF-CFG-003"
    path.write_bytes(b"a: \xff")
    with pytest.raises(ConfigError) as caught:
        Document.read(path)
    assert (caught.value.code, "byte 3 is 0xff" in caught.value.cause) == ("HF-CFG-004", True)
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError) as caught:
        Document.read(path)
    assert caught.value.code == "HF-CFG-003"
    path.write_text(GOOD, encoding="utf-8")
    assert Document.read(path).into(File).desks[0].name == "retail"


@pytest.mark.parametrize(
    ("word", "answer"),
    [("severty", "did you mean 'severity'?"), ("qqqq", "remove 'qqqq', or use one of: severity, tier")],
)
def test_the_nearest_name_is_suggested(word: str, answer: str) -> None:
    assert suggest(word, ["severity", "tier"]) == answer
