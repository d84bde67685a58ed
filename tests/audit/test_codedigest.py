"""The code digest covers what a check can reach, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.audit import codedigest
from holdfast.audit.interface import CHECKS


def reached(module: str) -> set[str]:
    root = Path(codedigest.__file__).resolve().parent.parent
    return {str(path.relative_to(root)) for path in codedigest._reach(module) if path.is_relative_to(root)}


def test_a_check_reaches_its_own_file_its_target_and_the_rooms_it_stands_on() -> None:
    files = reached("holdfast.audit.checks.evasion.search")
    assert "audit/checks/evasion/search.py" in files
    assert "audit/target.py" in files
    assert "core/contract/ir.py" in files
    assert any(name.startswith("attack/") for name in files)


def test_a_check_does_not_reach_other_checks_or_the_engine() -> None:
    files = reached("holdfast.audit.checks.deps.advisories")
    assert "audit/checks/evasion/search.py" not in files
    assert not files & {"audit/pool.py", "audit/reconcile.py", "audit/plan.py"}
    assert not any(name.startswith(("core/store/", "cli/", "gate/", "core/policy/")) for name in files)


def test_each_check_has_a_digest_of_its_own() -> None:
    digests = [codedigest.code_digest(check.module) for _, check in CHECKS]
    assert len(set(digests)) == len(digests) >= 6


def test_a_changed_byte_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "acme_one.py"
    module.write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = codedigest.code_digest("acme_one")
    for cached in (codedigest.code_digest, codedigest._files, codedigest._imports, codedigest._content_digest):
        cached.cache_clear()
    module.write_text("x = 2\n")
    assert codedigest.code_digest("acme_one") != before
