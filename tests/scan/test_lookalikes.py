"""Near names of well-known packages are noticed; those packages, and honest neighbours, are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.scan.lockfile import parse_lock, read_lock
from holdfast.scan.lookalikes import KNOWN, likeness, near_names

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
        ("pyttorch", "torch", "one-letter"),
        ("os-numpy", "numpy", "decorated"),
        ("numpy-req", "numpy", "decorated"),
        ("\u0440andas", "pandas", "foreign-letter"),
        ("n\u03c5mpy", "numpy", "foreign-letter"),
        ("r\u00e9quests", "requests", "foreign-letter"),
        ("xgbo\u03bft", "xgboost", "foreign-letter"),
    ],
)
def test_what_looks_like_another(name: str, known: str, way: str) -> None:
    found = likeness(name)
    assert found is not None
    assert (found.known, found.way) == (known, way)


@pytest.mark.parametrize(
    "name",
    [
        "numpy",
        "Scikit_Learn",
        "holdfast",
        "panda",
        "scapy",
        "tqdn",
        "shap",
        "torchmetrics",
        "",
        "a" * 10_000,
        "x--_.y",
        "\u6a21\u578b",
        "pandas-numpy",
        "sklearn-pandas",
        "langchain-openai",
    ],
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


def test_what_a_lock_leaves_open_is_looked_at_too_but_for_conda() -> None:
    lines = "xgbost>=1\nnumpy==1.0\nPnadas==2.0\n-e .\n"
    assert [(purl, near.known) for purl, _, near in near_names(parse_lock(lines))] == [
        ("pkg:pypi/pnadas@2.0", "pandas"),
        ("pkg:pypi/xgbost", "xgboost"),
    ]
    conda = "dependencies:\n  - pytorch\n  - opencv=4\n  - pip:\n    - sklearn\n"
    assert [(purl, near.known) for purl, _, near in near_names(parse_lock(conda))] == [
        ("pkg:pypi/sklearn", "scikit-learn")
    ]


@pytest.mark.shared
def test_of_the_names_that_advisories_speak_of_none_is_near_but_malware(shared: Path) -> None:
    """Names of 1,450 packages as others publish them: the false alarms, and of malware the share that is found."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="the advisory data is a Parquet file")
    found = sorted((shared / "data" / "advisories").glob("*.parquet"))
    lists = sorted((shared / "data" / "intel" / "mal").glob("malicious_pypi_names_versions_all.csv"))
    if not (found and lists):
        pytest.skip("no advisory data in the reference folder")
    rows = parquet.read_table(found[-1], columns=["id", "pkg", "aliases"]).to_pylist()
    evil = {line.partition(",")[0].lower() for line in lists[0].read_text(encoding="utf-8").splitlines()[1:]}
    told = {row["pkg"].lower() for row in rows if any(one.startswith("MAL-") for one in (row["id"], *row["aliases"]))}
    honest = {row["pkg"] for row in rows} - evil - told
    assert len(honest) > 1_400
    assert [name for name in sorted(honest) if likeness(name) is not None] == []
    assert sum(likeness(name) is not None for name in evil) > 500
