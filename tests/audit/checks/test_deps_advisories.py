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
