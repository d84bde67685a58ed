"""Environments beside a model: what they leave open, and the lists they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.scan import scan, scan_paths

CONDA = """\
channels:
- conda-forge
dependencies:
- python=3.11.7
- pip<=24.0
- numpy{conda}
- pip:
  - mlflow==3.1.0
  - scikit-learn{pip}
name: mlflow-env
"""
PYTHON = """\
python: 3.11.7
build_dependencies:
- pip==24.0
- setuptools
- wheel
dependencies:
- -r {name}
"""


def found(tmp_path: Path, text: str) -> tuple[str, list[str]]:
    path = tmp_path / "env.yaml"
    path.write_text(text, encoding="utf-8")
    report = scan(path, hash=False)
    return str(report.verdict), [str(hit.fact.value) for hit in report.hits]


def test_what_mlflow_writes_is_clean(tmp_path: Path) -> None:
    assert found(tmp_path, CONDA.format(conda="=1.26", pip="==1.9.1")) == ("clean", [])
    assert found(tmp_path, PYTHON.format(name="requirements.txt")) == ("clean", [])


@pytest.mark.parametrize(
    ("text", "verdict", "value"),
    [
        (CONDA.format(conda="", pip="==1.9.1"), "review", "numpy"),
        (CONDA.format(conda="=1.26", pip=""), "review", "scikit-learn"),
        (CONDA.format(conda="=1.26", pip=">=1"), "review", "scikit-learn>=1"),
        (
            CONDA.format(conda="=1.26", pip="==1\n  - --index-url https://x/"),
            "review",
            "packages from an index of its own",
        ),
        (CONDA.replace("conda-forge", "https://x/y").format(conda="=1", pip="==1"), "review", "https://x/y"),
        (PYTHON.format(name="../../etc/passwd"), "blocked", "../../etc/passwd"),
        (CONDA.format(conda="=1", pip="==1").replace("- conda-forge", "- &a x\n- *a"), "unknown", "aliases"),
    ],
)
def test_what_is_left_open(tmp_path: Path, text: str, verdict: str, value: str) -> None:
    seen, values = found(tmp_path, text)
    assert seen == verdict
    assert any(value in one for one in values)


def test_a_list_that_is_named_is_a_part(tmp_path: Path) -> None:
    (tmp_path / "python_env.yaml").write_text(PYTHON.format(name="requirements.txt"), encoding="utf-8")
    reports = {Path(report.path).name: report for report in scan_paths([tmp_path], hash=False)}
    assert [hit.rule.id for hit in reports["python_env.yaml"].hits] == ["part-missing"]
    (tmp_path / "requirements.txt").write_text("mlflow==3.1.0\n", encoding="utf-8")
    assert {report.verdict for report in scan_paths([tmp_path], hash=False)} == {"clean"}


@pytest.mark.parametrize("text", ["dependencies:\n\tnot: [yaml", "words\ndependencies:\n", "- a"])
def test_other_text_is_left_alone(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == ("clean", [])


def test_a_number_for_a_name_is_a_name_without_a_version(tmp_path: Path) -> None:
    assert found(tmp_path, "dependencies:\n- 1\n") == ("review", ["1"])
