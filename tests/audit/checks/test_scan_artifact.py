"""scan.artifact: the scanner's verdict as facts, and the kind of model; nothing is ever loaded."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

import bank
from holdfast.audit.checks.scan.artifact import observe
from holdfast.audit.interface import Budget, NoParams
from holdfast.audit.target import Target


def facts(path: Path, folder: Path) -> dict[str, object]:
    parts = replace(bank.write(folder, n=50), artifact=path)
    with Target(parts) as target:
        return {fact.kind: fact.value for fact in observe(target, NoParams(), Budget()).facts}


def test_a_clean_tree_model(tmp_path: Path) -> None:
    parts = bank.write(tmp_path)
    bank.train(parts, rounds=3)
    seen = facts(parts.artifact, tmp_path)
    assert (seen["scan.verdict"], seen["scan.format"], seen["model.kind"]) == ("clean", "xgboost-ubj", "tree")


class Touch:
    """Writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_acts_is_blocked_and_does_not_act(tmp_path: Path, protocol: int) -> None:
    artifact = tmp_path / "model.pkl"
    artifact.write_bytes(pickle.dumps(Touch(tmp_path / "touched"), protocol))
    seen = facts(artifact, tmp_path)
    assert seen["scan.verdict"] == "blocked"
    assert seen["model.kind"] == "opaque"
    assert not (tmp_path / "touched").exists()


def test_half_a_model_is_unknown(tmp_path: Path) -> None:
    parts = bank.write(tmp_path)
    bank.train(parts, rounds=3)
    whole = parts.artifact.read_bytes()
    half = tmp_path / "half.ubj"
    half.write_bytes(whole[: len(whole) // 2])
    assert facts(half, tmp_path)["scan.verdict"] == "unknown"
