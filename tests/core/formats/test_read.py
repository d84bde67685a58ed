"""A tree model is read from any file that holds one, recognised by content; everything else is refused with a code."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path

import joblib
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from holdfast.core.errors import FormatError
from holdfast.core.formats.margins import margins, scores
from holdfast.core.formats.read import read_buffer, read_trees

X = np.random.default_rng(0).normal(size=(200, 4))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize(("name", "source"), [("model.ubj", "xgboost-ubj"), ("model.json", "xgboost-json")])
def test_xgboost_files(tmp_path: Path, name: str, source: str) -> None:
    booster = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(X, Y), 3)
    booster.save_model(tmp_path / name)
    (tmp_path / name).rename(tmp_path / "a name that says nothing")
    trees = read_trees(tmp_path / "a name that says nothing").ensemble
    assert trees.source == source
    assert np.array_equal(margins(trees, X)[:, 0], booster.predict(xgb.DMatrix(X), output_margin=True))


def test_lightgbm_file(tmp_path: Path) -> None:
    booster = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(X, Y), 3)
    booster.save_model(tmp_path / "model")
    trees = read_trees(tmp_path / "model").ensemble
    assert trees.source == "lightgbm-text"
    assert np.array_equal(margins(trees, X)[:, 0], booster.predict(X, raw_score=True))


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)], ids=str)
def test_joblib_files(tmp_path: Path, compress: object) -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)
    joblib.dump(forest, tmp_path / "model", compress=compress)
    found = read_trees(tmp_path / "model")
    assert found.ensemble.source == "sklearn-joblib"
    assert np.array_equal(scores(found.ensemble, X), forest.predict_proba(X))


@pytest.mark.parametrize("squeeze", [gzip.compress, bz2.compress, lzma.compress])
def test_other_compressed_models(squeeze: object) -> None:
    booster = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(X, Y), 3)
    assert callable(squeeze)
    trees = read_buffer(squeeze(bytes(booster.save_raw("json")))).ensemble
    assert np.array_equal(margins(trees, X)[:, 0], booster.predict(xgb.DMatrix(X), output_margin=True))


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as fault:
        read_buffer(data)
    return fault.value.code


def test_what_holds_no_trees(tmp_path: Path) -> None:
    joblib.dump(LogisticRegression().fit(X, Y), tmp_path / "linear")
    assert code_of((tmp_path / "linear").read_bytes()) == "HF-FMT-014"
    assert code_of(b"") == "HF-FMT-014"
    assert code_of(b"some text\n") == "HF-FMT-014"
    assert code_of(b"{}") == "HF-FMT-014"
    assert code_of(gzip.compress(gzip.compress(b"some text\n"))) == "HF-FMT-014"
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(FormatError) as fault:
            read_trees(path)
        assert fault.value.code == "HF-FMT-001"


def test_what_is_cut_off() -> None:
    booster = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(X, Y), 3)
    for form in ("json", "ubj"):
        whole = bytes(booster.save_raw(form))
        assert code_of(whole[: len(whole) // 2]) == "HF-FMT-010"
        packed = gzip.compress(whole)
        assert code_of(packed[: len(packed) // 2]) == "HF-FMT-010"


def test_bombs_are_refused() -> None:
    assert code_of(zlib.compress(b"\x80\x04" + bytes(1 << 28), 9)) == "HF-FMT-012"


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [
        "sklearn/RandomForestClassifier.pkl",
        "sklearn/RandomForestRegressor.joblib",
        "sklearn/ExtraTreesClassifier.pkl",
        "sklearn/ExtraTreeClassifier.joblib",
        "sklearn/DecisionTreeClassifier.joblib",
        "sklearn/HistGradientBoostingRegressor.joblib",
        "joblib/hist_0.joblib",
        "joblib/hist_zlib.joblib",
        "joblib/hist_lz4.joblib",
        "pickle/hist_p0.pkl",
        "pickle/hist_p2.pkl",
        "xgboost/m.ubj",
        "xgboost/xgb.joblib",
        "xgboost/xgb.pkl",
        "lightgbm/m.lgb",
        "lightgbm/lgb.joblib",
    ],
)
def test_artifacts_of_others_are_read(shared: Path, name: str) -> None:
    found = read_trees(shared / "corpus/artifacts/ben" / name).ensemble
    assert found.n_trees > 0
    assert np.isfinite(margins(found, np.zeros((2, found.n_features)))).all()


@pytest.mark.shared
def test_no_artifact_breaks_the_reader(shared: Path) -> None:
    """Every file of the corpus is read, or refused with an error of ours."""
    read = 0
    for path in sorted((shared / "corpus/artifacts").rglob("*")):
        if path.is_file():
            try:
                read_trees(path)
                read += 1
            except FormatError:
                continue
    assert read >= 17
