"""A seeded sample of `benchmarks/scan_benign.py`: models made here are clean, our names those that loading asks for."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from holdfast.core.domain import Fact
from holdfast.scan import scan

REPO = Path(__file__).parents[2]
PARTS = ("pipelines", "options", "frames", "tables", "arrays", "plain", "array-files", "table-files")
SAMPLE = 160
SEED = 20261123
EVALUATING = 3
EVALUATES = "options-distributions"
"""Frozen distributions of scipy, whose loading runs a text out of their state: refused on purpose."""


@pytest.fixture(scope="module")
def names():
    sys.path.insert(0, str(REPO))
    try:
        import benchmarks.scan_benign_names

        return benchmarks.scan_benign_names
    finally:
        sys.path.remove(str(REPO))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Reports of a sample of what the libraries of this environment write, and of a few files that are refused."""
    folder = tmp_path_factory.mktemp("benign") / "models"
    maker = REPO / "benchmarks" / "scan_benign_make.py"
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, str(maker), str(folder), *PARTS], env=quiet, check=True, stdout=subprocess.DEVNULL)
    paths = sorted(folder.iterdir())
    assert len(paths) > SAMPLE
    evaluating = [path for path in paths if EVALUATES in path.name][:EVALUATING]
    sample = random.Random(SEED).sample(paths, SAMPLE)
    return [scan(path, hash=False) for path in dict.fromkeys([*sample, *evaluating])]


@pytest.fixture(scope="module")
def compared(names, made):
    probe = [sys.executable, str(names.RECORDER), str(names.INSIDE)]
    if subprocess.run(probe, check=False, input="", text=True, capture_output=True).returncode:
        pytest.skip("this machine gives no namespaces or no Landlock to load files in")
    return list(names.compared(Path(sys.executable), made))


def test_what_everyday_libraries_write_is_clean(made):
    wrong = [seen.path for seen in made if seen.verdict != "clean" and EVALUATES not in seen.path]
    assert wrong == []


def test_every_estimator_that_fits_is_clean(tmp_path):
    from sklearn.utils import all_estimators

    X, y = np.abs(np.random.default_rng(0).normal(size=(40, 3))), np.arange(40) % 2
    fitted, dirty = 0, []
    for name, kind in all_estimators(type_filter=["classifier", "transformer"]):
        try:
            model = kind().fit(X, y)
        except Exception:
            continue
        fitted += 1
        for protocol in (0, 2, 5):
            path = tmp_path / "m.pkl"
            path.write_bytes(pickle.dumps(model, protocol))
            report = scan(path, hash=False)
            if report.verdict != "clean":
                dirty.append((name, protocol, report.hits[:2]))
    assert dirty == []
    assert fitted > 50


def test_a_distribution_that_evaluates_its_own_state_is_not_clean(made):
    assert {str(seen.verdict) for seen in made if EVALUATES in seen.path} == {"blocked"}


def test_our_names_are_those_that_loading_asks_for(names, compared):
    assert len(compared) > SAMPLE // 2
    assert list(names.differences(compared)) == []


def test_the_comparison_can_fail(names, made, compared):
    seen = next(seen for seen in made if seen.format == "pickle" and "plain" not in seen.path and seen.facts)
    imports = [fact for fact in seen.facts if fact.kind == "import"]
    dropped = replace(seen, facts=tuple(fact for fact in seen.facts if fact is not imports[0]))
    added = replace(seen, facts=(*seen.facts, Fact("import", "toy.Model", 0)))
    less, more = names.compared(Path(sys.executable), [dropped, added])
    assert (less.equal, len(less.missed)) == (False, 1)
    assert (more.equal, more.invented) == (False, {"toy.Model"})
