"""A plain environment for every command line under test."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from holdfast.cli.main import run
from holdfast.demo.train import train
from holdfast.testing.simulate import credit_default


@pytest.fixture(autouse=True)
def workplace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to stand in, and no HOLDFAST_* from outside but how deep audits go."""
    for name in [name for name in os.environ if name.startswith("HOLDFAST_") and name != "HOLDFAST_DEPTH"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.parquet, test.parquet, model.ubj and contract.yaml of a small credit model."""
    folder = tmp_path_factory.mktemp("trained")
    table = credit_default(1200, 5)
    for name, columns in zip(("train", "test"), table.split(2 / 3), strict=True):
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / f"{name}.parquet")
    (folder / "contract.yaml").write_text(table.contract)
    train("xgboost", folder, "model.ubj", table.label, 0)
    return folder


MANIFEST = """\
version: 1
models:
  - name: credit
    unit: retail
    region: eu
    owner: credit-ml@bank.example
    tier: medium
    purpose: Decide limit increases.
    artifact: model.ubj
    data: {train: train.parquet, test: test.parquet, label: default}
    contract: contract.yaml
"""


@pytest.fixture
def repository(trained: Path, tmp_path: Path) -> Path:
    """A model repository to stand in: the trained folder and its manifest."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "holdfast.yaml").write_text(MANIFEST)
    return tmp_path


@pytest.fixture(scope="session")
def first_audit(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository after its first audit, state folder included."""
    folder = tmp_path_factory.mktemp("audited")
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    (folder / "holdfast.yaml").write_text(MANIFEST)
    assert run(["audit", "--config", str(folder / "holdfast.yaml")]) == 0
    return folder
