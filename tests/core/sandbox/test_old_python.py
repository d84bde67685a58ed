"""The sandboxed side runs under the model's interpreter, which may be older than Holdfast's."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import holdfast.core.sandbox

INSIDE = sorted((Path(holdfast.core.sandbox.__file__).parent / "inside").glob("*.py"))


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: path.name)
def test_it_parses_as_python_3_8(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: path.name)
def test_it_imports_the_standard_library_first_and_only(path: Path) -> None:
    """Model libraries are imported inside functions, behind the walls; nothing of Holdfast's is."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            assert {name.name.split(".")[0] for name in node.names} <= sys.stdlib_module_names
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module is not None
            assert node.module.split(".")[0] in sys.stdlib_module_names
