"""deps.advisories: pins become purls; what pins nothing is named."""

from __future__ import annotations

from pathlib import Path

import bank
from holdfast.audit.checks.deps.advisories import observe
from holdfast.audit.interface import Budget, NoParams
from holdfast.audit.target import Target


def test_pins_become_purls(tmp_path: Path) -> None:
    seen = observe(Target(bank.write(tmp_path)), NoParams(), Budget())
    assert [fact.value for fact in seen.facts if fact.kind == "package"] == [
        "pkg:pypi/numpy@2.4.6",
        "pkg:pypi/xgboost-cpu@3.2.0",
    ]
    assert [(f.value, f.detail) for f in seen.facts if f.kind == "package.unpinned"] == [("something>=1", "line 3")]
    assert seen.measurements[0].value == 2


def test_names_that_look_like_others_are_named(tmp_path: Path) -> None:
    parts = bank.write(tmp_path, n=10)
    (tmp_path / "requirements.lock").write_text("numpy==2.4.6\nnunpy==1.0\nsklearn==0.0\n")
    seen = observe(Target(parts), NoParams(), Budget())
    assert [(fact.value, fact.member, fact.detail) for fact in seen.facts if fact.kind == "package.lookalike"] == [
        ("keyboard", "pkg:pypi/nunpy@1.0", "looks like numpy"),
        ("confusion", "pkg:pypi/sklearn@0.0", "looks like scikit-learn"),
    ]
    assert {item.name: item.value for item in seen.measurements}["deps.lookalikes"] == 2
