"""An MLflow run's folder: its MLmodel is loaded with the files it names, and judged with them."""

from __future__ import annotations

import pickle
import re
import shlex
from pathlib import Path

import pytest
import yaml

from holdfast.cli.main import run as command
from holdfast.scan import FileReport, scan, scan_paths

REPO = Path(__file__).resolve().parents[2]
HARM = b"cos\nsystem\n(S'x'\ntR."
ODD = b"\x97\x93\xa1\xd6\xbe\x0e\x38\x57" + b"\xff\xfe\x01" * 20
MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.11.7
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
metadata: {data: what the bank knows}
mlflow_version: 2.20.0
run_id: 0123456789abcdef0123456789abcdef
"""


def run(tmp_path: Path, model: bytes, mlmodel: str = MLMODEL) -> Path:
    """A run folder as MLflow writes it."""
    folder = tmp_path / "run" / "artifacts" / "model"
    folder.mkdir(parents=True)
    (tmp_path / "run" / "meta.yaml").write_text("run_name: brave-hen\nstatus: 3\n", encoding="utf-8")
    (tmp_path / "run" / "metrics").mkdir()
    (tmp_path / "run" / "metrics" / "auc").write_text("1763928000000 0.91 0\n", encoding="utf-8")
    (folder / "MLmodel").write_text(mlmodel, encoding="utf-8")
    (folder / "conda.yaml").write_text("name: mlflow-env\n", encoding="utf-8")
    (folder / "python_env.yaml").write_text("python: 3.11.7\n", encoding="utf-8")
    (folder / "model.pkl").write_bytes(model)
    return tmp_path / "run"


def judged(folder: Path) -> dict[str, FileReport]:
    return {Path(report.path).name: report for report in scan_paths([folder], hash=False)}


def test_a_sound_run_is_clean(tmp_path: Path) -> None:
    found = judged(run(tmp_path, pickle.dumps([1.5])))
    assert {report.verdict for report in found.values()} == {"clean"}
    assert len(found) == 6


@pytest.mark.parametrize(
    ("model", "verdict", "rule"), [(HARM, "blocked", "part-blocked"), (ODD, "unknown", "part-unknown")]
)
def test_an_mlmodel_is_no_better_than_its_parts(tmp_path: Path, model: bytes, verdict: str, rule: str) -> None:
    found = judged(run(tmp_path, model))
    assert (found["MLmodel"].verdict, found["conda.yaml"].verdict) == (verdict, "clean")
    assert [hit.rule.id for hit in found["MLmodel"].hits] == [rule]
    assert found["MLmodel"].hits[0].fact.member == "model.pkl"


def test_a_part_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    folder = run(tmp_path, b"")
    (folder / "artifacts" / "model" / "model.pkl").unlink()
    found = judged(folder)["MLmodel"]
    assert (found.verdict, [hit.rule.id for hit in found.hits]) == ("unknown", ["part-missing"])


def test_parts_may_come_before_it_in_name_order(tmp_path: Path) -> None:
    folder = run(tmp_path, HARM, MLMODEL.replace("model.pkl", "A.pkl"))
    model = folder / "artifacts" / "model"
    (model / "A.pkl").write_bytes(pickle.dumps(1))
    assert judged(folder)["MLmodel"].verdict == "clean"
    (model / "A.pkl").write_bytes(HARM)
    assert judged(folder)["MLmodel"].verdict == "blocked"


def test_folders_are_parts_too(tmp_path: Path) -> None:
    folder = run(tmp_path, pickle.dumps(1), MLMODEL.replace("model_path: model.pkl", "data: data"))
    inside = folder / "artifacts" / "model" / "data" / "deep"
    inside.mkdir(parents=True)
    (inside / "weights").write_bytes(HARM)
    found = judged(folder)["MLmodel"]
    assert (found.verdict, found.hits[0].fact.member) == ("blocked", "data/deep/weights")


def test_the_order_stays_and_an_mlmodel_by_itself_is_only_itself(tmp_path: Path) -> None:
    folder = run(tmp_path, HARM)
    names = [Path(report.path).name for report in scan_paths([folder], hash=False)]
    assert names == ["meta.yaml", "MLmodel", "conda.yaml", "model.pkl", "python_env.yaml", "auc"]
    assert scan(folder / "artifacts" / "model" / "MLmodel").verdict == "clean"


def test_code_that_is_loaded_with_a_model_is_reviewed_once(tmp_path: Path) -> None:
    text = MLMODEL.replace("code: null", "code: code").replace("predict_fn: predict", "code: code")
    folder = run(tmp_path, pickle.dumps(1), text)
    code = folder / "artifacts" / "model" / "code"
    code.mkdir()
    (code / "helper.py").write_text("import numpy as np\n", encoding="utf-8")
    found = judged(folder)
    assert (found["MLmodel"].verdict, found["helper.py"].verdict) == ("review", "clean")
    assert [hit.rule.id for hit in found["MLmodel"].hits] == ["remote-code"]
    (code / "helper.so").write_bytes(b"\x7fELF" + bytes(60))
    assert {hit.rule.id for hit in judged(folder)["MLmodel"].hits} == {"remote-code", "part-review"}


def test_a_model_that_is_a_script_is_reviewed(tmp_path: Path) -> None:
    folder = run(tmp_path, b"x", MLMODEL.replace("predict_fn: predict", "model_code_path: chain.py"))
    (folder / "artifacts" / "model" / "chain.py").write_text("x = 1\n", encoding="utf-8")
    assert "remote-code" in {hit.rule.id for hit in judged(folder)["MLmodel"].hits}


def test_the_command_fails_on_such_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["scan", str(run(tmp_path, HARM)), "--no-hash"]) == 1
    assert "is loaded with a file that is blocked" in capsys.readouterr().out


def hook() -> dict[str, object]:
    hooks = yaml.safe_load((REPO / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    return next(item for item in hooks if item["id"] == "holdfast-scan")


def test_the_hook_runs_on_files(tmp_path: Path) -> None:
    words = shlex.split(str(hook()["entry"]))
    assert words[0] == "holdfast"
    good, bad = tmp_path / "good.pkl", tmp_path / "bad.pkl"
    good.write_bytes(pickle.dumps([1]))
    bad.write_bytes(HARM)
    assert command([*words[1:], str(good)]) == 0
    assert command([*words[1:], str(good), str(bad)]) == 1


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("m/model.pkl", True), ("a.JOBLIB", True), ("x.safetensors", True), ("MLmodel", True), ("main.py", False)],
)
def test_the_hook_takes_model_files(name: str, wanted: bool) -> None:
    assert bool(re.search(str(hook()["files"]), name)) == wanted
