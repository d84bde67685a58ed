"""Where a manifest says that licences are stated."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.errors import ConfigError
from holdfast.estate.manifest import Manifest

TEXT = """\
version: 1
models:
  - {{name: m, unit: u, region: eu, owner: o, tier: low, purpose: p, artifact: model.bin, lock: lock.txt{more}}}
"""


def subject(folder: Path, more: str) -> Path | None:
    (folder / "model.bin").write_bytes(b"x")
    (folder / "lock.txt").write_text("numpy==1.0\n")
    (folder / "holdfast.yaml").write_text(TEXT.format(more=more))
    return Manifest.load(folder / "holdfast.yaml").subjects[0].licences


def test_a_place_of_its_own_else_the_environment_of_the_runtime_else_none(tmp_path: Path) -> None:
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").write_text("")
    assert subject(tmp_path, "") is None
    assert subject(tmp_path, ", runtime: env/bin/python") is None, "an interpreter outside of a virtual environment"
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    assert subject(tmp_path, ", runtime: env/bin/python") == tmp_path / "env"
    assert subject(tmp_path, ", runtime: env/bin/python, licences: lock.txt") == tmp_path / "lock.txt"


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="licences") as caught:
        subject(tmp_path, ", licences: absent")
    assert caught.value.code == "HF-CFG-006"
