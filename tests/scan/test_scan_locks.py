"""Names in requirements and locks of every form: near ones are shown with what they look like, honest ones are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.scan import FileReport, scan
from holdfast.scan.formats.locks import MAX_NAMES, read_lock_table
from holdfast.scan.inspect import Seen

LOCKS = sorted((Path(__file__).resolve().parents[2] / "requirements").glob("*.lock"))
UV = 'version = 1\n\n[[package]]\nname = "NAME"\nversion = "1.0"\n'
CONDA = "dependencies:\n  - pytorch=2.1\n  - pip:\n    - NAME==1.0\n"
FORMS = {
    "requirements": "numpy==2.0.0\nNAME==1.0\n",
    "unpinned": "numpy==2.0.0\nNAME>=1.0\n",
    "address": "numpy==2.0.0\nNAME @ https://files.bank.example/x.whl#sha256=00\n",
    "uv": UV,
    "pylock": UV.replace("[[package]]", "[[packages]]"),
    "pipfile": json.dumps({"_meta": {"hash": {}}, "default": {"NAME": {"version": "==1.0"}}, "develop": {}}),
    "conda": CONDA,
}


def seen(text: str, folder: Path) -> FileReport:
    path = folder / "file"
    path.write_text(text, encoding="utf-8")
    return scan(path, hash=False)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_near_name_is_shown_with_what_it_looks_like(form: str, tmp_path: Path) -> None:
    report = seen(FORMS[form].replace("NAME", "xgbost"), tmp_path)
    near = [hit for hit in report.hits if hit.rule.id == "lookalike"]
    assert [hit.fact.value for hit in near] == ["xgbost looks like xgboost (one-letter)"]
    assert str(report.verdict) == "review"


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_name_of_foreign_letters_is_refused(form: str, tmp_path: Path) -> None:
    name = "\u0440andas"  # a Cyrillic letter in front
    report = seen(FORMS[form].replace("NAME", name), tmp_path)
    found = [fact.value for fact in report.facts if fact.kind == "foreign-name"]
    assert found == ["\\u0440andas looks like pandas"]
    assert str(report.verdict) == "blocked"


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_nothing_that_we_ourselves_install_is_odd(path: Path) -> None:
    assert [hit.rule.id for hit in scan(path, hash=False).hits] == []


def test_text_that_is_no_lock_is_left_alone(tmp_path: Path) -> None:
    for text in ("xgbost is a word\n", "dependencies: xgbost\n", "[[package]]\nxgbost\n", '{"a": "xgbost"}'):
        assert [fact.kind for fact in seen(text, tmp_path).facts if fact.kind in ("lookalike", "foreign-name")] == []


def test_names_are_stated_once_and_no_more_than_so_many(tmp_path: Path) -> None:
    assert len(seen("xgbost==1.0\nxgbost==1.1\n", tmp_path).hits) == 1
    many = "".join(f"numpy{chr(n)}==1.0\n" for n in range(0x4E00, 0x4E00 + 2 * MAX_NAMES))
    assert len(seen(many, tmp_path).hits) == MAX_NAMES


@given(st.text(max_size=300), st.sampled_from(["", "[[package]]\n", "dependencies:\n", "@EXPLICIT\n", '{"_meta": ']))
def test_no_text_breaks_it(text: str, start: str) -> None:
    found = Seen("other")
    read_lock_table(start + text, found)
    assert {fact.kind for fact in found.facts} <= {"lookalike", "foreign-name"}
