"""Near names of well-known packages are noticed; those packages, and honest neighbours, are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.scan.lockfile import read_lock
from holdfast.scan.lookalikes import KNOWN, likeness

LOCKS = sorted((Path(__file__).resolve().parents[2] / "requirements").glob("*.lock"))


@pytest.mark.parametrize(
    ("name", "known", "way"),
    [
        ("sklearn", "scikit-learn", "confusion"),
        ("nump7", "numpy", "one-letter"),
        ("numoy", "numpy", "keyboard"),
        ("pnadas", "pandas", "one-letter"),
        ("xgbost", "xgboost", "one-letter"),
        ("xgboostt", "xgboost", "one-letter"),
        ("rlask", "flask", "one-letter"),
        ("xgb00st", "xgboost", "drawn-alike"),
        ("nurnpy", "numpy", "drawn-alike"),
        ("Scikit_Learn_Official", "scikit-learn", "decorated"),
        ("py-pandas", "pandas", "decorated"),
        ("huggingfacehub", "huggingface-hub", "joined"),
        ("light-gbm", "lightgbm", "joined"),
    ],
)
def test_what_looks_like_another(name: str, known: str, way: str) -> None:
    found = likeness(name)
    assert found is not None
    assert (found.known, found.way) == (known, way)


@pytest.mark.parametrize(
    "name",
    ["numpy", "Scikit_Learn", "holdfast", "panda", "scapy", "tqdn", "shap", "torchmetrics", "", "a" * 10_000, "x--_.y"],
)
def test_what_does_not(name: str) -> None:
    assert likeness(name) is None


def test_no_well_known_name_looks_like_another() -> None:
    assert [name for name in sorted(KNOWN) if likeness(name) is not None] == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_nothing_that_we_ourselves_install_does(path: Path) -> None:
    packages = read_lock(path).packages
    assert packages
    assert [package.name for package in packages if likeness(package.name) is not None] == []
