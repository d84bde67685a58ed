"""A check whose code changes must change its version: readers of stored results tell them apart by it.

After a deliberate change, raise `version=` in the check and write the record anew:

    python tests/audit/test_check_versions.py
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
from pathlib import Path

import pytest

from holdfast.audit.interface import CHECKS, Check

RECORD = Path(__file__).with_name("check_versions.json")


def code_of(source: str) -> str:
    """A digest of what a module does: comments, docstrings and layout left out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body.pop(0)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def now() -> dict[str, list[object]]:
    return {name: [check.version, code_of(_source(check))] for name, check in CHECKS if CHECKS.origin(name) is None}


def _source(check: Check[object]) -> str:
    return inspect.getsource(importlib.import_module(check.module))


def own(found: dict[str, list[object]]) -> dict[str, list[object]]:
    """Without the checks that other tests' plug-ins have registered in this process."""
    recorded = json.loads(RECORD.read_text())
    return {name: row for name, row in found.items() if name in recorded or name.split(".")[0] not in ("bad", "good")}


def test_changed_code_has_a_changed_version() -> None:
    recorded = json.loads(RECORD.read_text())
    stale = {
        name: f"raise version={version} of {name}, then run: python {Path(__file__).name}"
        for name, (version, code) in own(now()).items()
        if name in recorded and recorded[name][0] == version and recorded[name][1] != code
    }
    assert not stale


def test_every_check_is_on_record_at_its_version() -> None:
    recorded = json.loads(RECORD.read_text())
    assert {name: row[0] for name, row in own(now()).items()} == {name: row[0] for name, row in recorded.items()}


@pytest.mark.parametrize("text", ['"""Doc."""\nx = 1\n', "# why\nx = 1", "x  =  1\n\n"])
def test_words_are_not_code(text: str) -> None:
    assert code_of(text) == code_of("x = 1")
    assert code_of(text) != code_of("x = 2")


if __name__ == "__main__":
    RECORD.write_text(json.dumps(now(), indent=1) + "\n")
