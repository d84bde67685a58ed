"""`use:` in holdfast.yaml: optional, words only, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.errors import ConfigError
from holdfast.estate.manifest import Manifest

BARE = """\
version: 1
models:
  - {name: m, unit: u, region: eu, owner: o, tier: low, purpose: p, artifact: model.ubj%s}
"""


def load(folder: Path, more: str) -> Manifest:
    (folder / "model.ubj").write_bytes(b"")
    path = folder / "holdfast.yaml"
    path.write_text(BARE % more)
    return Manifest.load(path)


@pytest.mark.parametrize(
    ("more", "use"),
    [("", ()), (", use: []", ()), (", use: [credit]", ("credit",)), (", use: [fraud, aml, fraud]", ("aml", "fraud"))],
)
def test_what_a_model_is_used_for_is_optional(tmp_path: Path, more: str, use: tuple[str, ...]) -> None:
    assert load(tmp_path, more).subjects[0].model.use == use


@pytest.mark.parametrize("more", [", use: credit", ", use: [Credit]", ", use: ['a b']", ", use: [1]", ", uses: [x]"])
def test_a_wrong_use_is_answered_with_its_line(tmp_path: Path, more: str) -> None:
    with pytest.raises(ConfigError, match=r"holdfast\.yaml:3"):
        load(tmp_path, more)
