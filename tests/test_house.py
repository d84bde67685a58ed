"""Rules of the house that no other tool checks."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "conda." + "anaconda.org",
    "test.py" + "pi",
    "registry.npm" + "js.org",
)
PLACES = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/")
MAX_LINES = 600


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    paths = [REPO / name for name in listed if name and (not suffixes or name.endswith(suffixes))]
    return [path for path in paths if path.is_file()]


def test_no_file_is_too_long() -> None:
    long = {str(path.relative_to(REPO)): _lines(path) for path in tracked(".py")}
    assert {name: count for name, count in long.items() if count > MAX_LINES} == {}


def _lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


@pytest.mark.parametrize("words", [HOSTS, PLACES], ids=["package registries", "places of one machine"])
def test_no_file_names(words: tuple[str, ...]) -> None:
    found = []
    for path in tracked():
        text = path.read_bytes()
        found += [f"{path.relative_to(REPO)}: {word}" for word in words if re.search(_bare(word), text)]
    assert found == []


def _bare(word: str) -> bytes:
    """The word where it starts one, so that a folder of that name inside the repository is none of them."""
    return rb"(?<![\w.-])" + re.escape(word.encode())


def test_functions_are_short() -> None:
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for path in tracked(".py")
        if path.is_relative_to(REPO / "src")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
    )
    assert statistics.median(lengths) <= 10
    assert lengths[int(0.9 * len(lengths))] < 40


def test_every_module_and_public_class_says_what_it_is() -> None:
    silent = []
    for path in tracked(".py"):
        if not path.is_relative_to(REPO / "src"):
            continue
        module = ast.parse(path.read_text(encoding="utf-8"))
        named = [module, *(node for node in module.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")]
        silent += [
            f"{path.relative_to(REPO)}:{getattr(node, 'name', '')}" for node in named if ast.get_docstring(node) is None
        ]
    assert silent == []


def test_locks_pin_everything_by_hash_and_the_smaller_is_part_of_the_larger() -> None:
    pins = {name: _pins(REPO / "requirements" / f"{name}.lock") for name in ("dev", "demo", "installer")}
    assert pins["demo"].items() <= pins["dev"].items()
    assert {"hatchling", "editables"} <= pins["demo"].keys()
    assert set(pins["installer"]) == {"uv"}


def _pins(path: Path) -> dict[str, str]:
    entries = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    found = {}
    for entry in (line for line in entries if line.strip()):
        name, version = entry.split(" ")[0].split("==")
        assert "--hash=sha256:" in entry, f"{name} has no hash"
        assert "://" not in entry
        found[name] = version
    return found


def test_no_artifact_is_loaded_by_the_libraries_that_run_it() -> None:
    """pickle and joblib run code while they load; only the sandboxed side may, after a clean scan."""
    allowed = REPO / "src" / "holdfast" / "core" / "sandbox" / "inside"
    pattern = re.compile(r"\b(?:pickle|joblib|cloudpickle|dill|torch)\.(?:loads?|Unpickler)\b")
    loading = [
        str(path.relative_to(REPO))
        for path in tracked(".py")
        if path.is_relative_to(REPO / "src") and not path.is_relative_to(allowed)
        if any(_calls(node, pattern) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    ]
    assert loading == []


def _calls(node: ast.AST, pattern: re.Pattern[str]) -> bool:
    return isinstance(node, ast.Call) and pattern.fullmatch(ast.unparse(node.func)) is not None
