"""Lock files of every kind give the same packages; nothing unpinned is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import FormatError
from holdfast.scan import lockfile
from holdfast.scan.lockfile import read_lock

WANTED = ["pkg:pypi/numpy@2.4.6", "pkg:pypi/scikit-learn@1.9.1"]


@pytest.mark.parametrize(
    "text",
    [
        "numpy==2.4.6 \\\n    --hash=sha256:aa\nscikit_learn == 1.9.1 ; python_version > '3.10'\n",
        "Scikit.Learn===1.9.1\nnumpy[all]==2.4.6 # why\n\n# a comment\n--no-binary :all:\n",
        '[[package]]\nname = "numpy"\nversion = "2.4.6"\n[[package]]\nname = "scikit-learn"\nversion = "1.9.1"\n',
        '[[packages]]\nname = "scikit-learn"\nversion = "1.9.1"\n[[packages]]\nname = "numpy"\nversion = "2.4.6"\n',
    ],
)
def test_every_kind_of_lock(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock"
    path.write_text(text)
    lock = read_lock(path)
    assert [package.purl for package in lock.packages] == WANTED
    assert lock.unpinned == ()


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy>=1",
        "numpy==2.*",
        "-e .",
        "-r other.txt",
        "git+https://host/x",
        "numpy==1,<2",
        "./local.whl",
        "a==\\",
    ],
)
def test_what_pins_nothing_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "lock"
    path.write_text(f"scipy==1.17.1\n{line}\n")
    lock = read_lock(path)
    assert [package.name for package in lock.packages] == ["scipy"]
    assert [(row.number, row.text) for row in lock.unpinned] == [(2, line)]


def test_rows_of_a_toml_lock_without_a_version_are_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text('[[package]]\nname = "x"\nversion = "1"\n[[package]]\nname = "own"\nsource = {editable = "."}\n')
    assert [row.text for row in read_lock(path).unpinned] == ["own"]


def test_unreadable_and_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    path.write_bytes(b"numpy==1\xff")
    with pytest.raises(FormatError, match="HF-SCN-020"):
        read_lock(path)
    with pytest.raises(FormatError, match="HF-SCN-020"):
        read_lock(tmp_path / "gone")
    monkeypatch.setattr(lockfile, "MAX_BYTES", 4)
    with pytest.raises(FormatError, match="HF-SCN-021"):
        read_lock(path)


@given(st.text(max_size=300))
def test_any_text_gives_a_lock(text: str) -> None:
    lock = lockfile.parse_lock(text)
    assert all(package.version and "\n" not in package.version for package in lock.packages)
